"""What snapshots and models have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from c360gen.spec.models.words import Meta, Names, Size, Spec, Tags


class Erasure(Spec):
    """How the rows of one person are erased when the law asks for it: procedure erase_<node>."""

    by: str = Field(description="The column that names the person.", examples=["customer_id"])
    redact: Names = Field(
        (), description="Columns that become NULL in every row; without any, the rows are deleted.", examples=[["email", "phone"]]
    )


class Partition(Spec):
    """dbt's partition_by: a column of time, and how long a partition is."""

    field: str = Field(description="The column.", examples=["order_date"])
    data_type: Literal["date", "datetime", "timestamp", "timestamptz"] | None = Field(
        None, description="Checked against the column; `timestamp` is BigQuery's word for an instant as well."
    )
    granularity: Size = Field("day", description="How long a partition is.")


def _by_month(value: Any) -> Any:
    return {"field": value, "granularity": "month"} if isinstance(value, str) else value


class Index(Spec):
    """An index beside those that the strategy needs."""

    columns: Names = Field(min_length=1, description="Its columns, in order.", examples=[["email"]])
    unique: bool = Field(False, description="Whether no two rows may have the same values.")


class Grants(Spec):
    """Who may read, besides the reader of the target. A deploy grants, and never revokes."""

    select: Names = Field((), description="Roles, by the names that targets know them under.", examples=[["analyst"]])


class PersistDocs(Spec):
    """Which descriptions become comments in the database."""

    relation: bool = Field(True, description="That of the table or view.")
    columns: bool = Field(True, description="Those of columns.")


GRANTS = Field(None, description="Who may read it; takes the place of the project's grants.", examples=[{"select": ["analyst"]}])
PERSIST_DOCS = Field(
    PersistDocs(), description="Which descriptions become comments in the database; all of them by default.", examples=[{"columns": False}]
)


class NodeConfig(Spec):
    """What snapshots and models have in common."""

    erasure: Erasure | None = Field(None, description="How a person is erased: procedure erase_<node>.", examples=[{"by": "customer_id"}])
    schema_: str | None = Field(None, alias="schema", description="Its schema, where it is not the project's.", examples=["marts"])
    alias: str | None = Field(None, description="Its name in the database, where that is another.", examples=["customers"])
    unique_key: Names = Field((), description="The column, or columns, that name a row.", examples=["customer_id", ["order_id", "line"]])
    tags: Tags = ()
    meta: Meta = {}
    enabled: bool = Field(True, description="false: as if it were not written.")
    partition_by: Annotated[Partition | None, BeforeValidator(_by_month, json_schema_input_type=str | Partition | None)] = Field(
        None,
        examples=["order_date", {"field": "order_date", "granularity": "day"}],
        description="A column of time, by month, or {field, granularity}: what BigQuery stores apart, and insert_overwrite replaces.",
    )
    grants: Grants | None = GRANTS
    persist_docs: PersistDocs = PERSIST_DOCS
    cluster_by: Names = Field((), description="BigQuery and Snowflake: clustering columns.", examples=[["customer_id"]])
    indexes: tuple[Index, ...] = Field((), description="Postgres and DuckDB: further indexes.", examples=[[{"columns": ["email"]}]])
