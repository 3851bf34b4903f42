"""What snapshots and models have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from c360gen.spec.models.words import Names, Size, Spec


class Erasure(Spec):
    """How the rows of one person are erased when the law asks for it: procedure erase_<node>."""

    by: str = Field(description="The column that names the person.")
    redact: Names = Field((), description="Columns that become NULL in every row; without any, the rows are deleted.")


class Partition(Spec):
    """dbt's partition_by: a column of time, and how long a partition is."""

    field: str
    data_type: Literal["date", "datetime", "timestamp", "timestamptz"] | None = Field(
        None, description="Checked against the column; `timestamp` is BigQuery's word for an instant as well."
    )
    granularity: Size = "day"


def _by_month(value: Any) -> Any:
    return {"field": value, "granularity": "month"} if isinstance(value, str) else value


class Index(Spec):
    columns: Names = Field(min_length=1)
    unique: bool = False


class NodeConfig(Spec):
    """What snapshots and models have in common."""

    erasure: Erasure | None = None
    schema_: str | None = Field(None, alias="schema")
    alias: str | None = None
    unique_key: Names = ()
    tags: Names = ()
    meta: dict[str, Any] = {}
    enabled: bool = True
    partition_by: Annotated[Partition | None, BeforeValidator(_by_month)] = Field(
        None,
        description="A column of time, by month, or {field, granularity}: what BigQuery stores apart, and insert_overwrite replaces.",
    )
    cluster_by: Names = Field((), description="BigQuery and Snowflake: clustering columns.")
    indexes: tuple[Index, ...] = Field((), description="Postgres and DuckDB: further indexes.")
