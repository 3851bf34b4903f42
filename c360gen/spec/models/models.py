"""`models:`: one SELECT each, as a view, a table or an incremental."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from c360gen.spec.models.columns import Column
from c360gen.spec.models.constraints import Constraint, Contract
from c360gen.spec.models.nodes import NodeConfig
from c360gen.spec.models.tests import DataTest
from c360gen.spec.models.words import DialectName, DurationText, Instant, Meta, Names, Size, Spec, Tags, Text, duration


def _lookback(value: Any) -> Any:
    """'3 days' → a timedelta, before a watermark; 3 → 3, batches of a microbatch."""
    if value is None or (type(value) is int and value >= 0):
        return value
    try:
        return dt.timedelta(seconds=duration(value))
    except ValueError as error:
        raise ValueError(f"{error}, or for microbatch a number of batches") from None


class ModelConfig(NodeConfig):
    """What a model is in the database, and how its rows get there."""

    materialized: Literal["view", "table", "incremental", "ephemeral"] = Field(
        "view",
        description="A view; a table that every run replaces; a table to which every run adds what is new; or ephemeral: nothing in the "
        "database, its SQL becomes a CTE of everything that reads it.",
    )
    incremental_strategy: Literal["merge", "append", "delete+insert", "insert_overwrite", "microbatch"] | None = Field(
        None, description="How new rows get into the table; by default merge where there is a unique_key, else append."
    )
    contract: Contract = Field(
        Contract(), description="dbt's promise: the build fails unless the SQL gives the declared columns.", examples=[{"enforced": True}]
    )
    full_refresh: bool | None = Field(
        None, description="Incrementals: false refuses every full refresh (ZC020), for rows that their source does not have any more."
    )
    on_schema_change: Literal["fail", "append_new_columns"] = Field(
        "append_new_columns",
        description="Incrementals whose columns change. A deploy never changes a table: it refuses, and a migration makes the change. "
        "append_new_columns: old rows have NULL in a new column, where its history: says nothing else; fail: it must be said.",
    )
    cursor: str | None = Field(
        None, description="Column of the output that grows: rows beyond its watermark are read.", examples=["updated_at"]
    )
    lookback: Annotated[
        dt.timedelta | int | None, BeforeValidator(_lookback, json_schema_input_type=DurationText | Annotated[int, Field(ge=0)] | None)
    ] = Field(
        None,
        examples=["3 days", 2],
        description="How far before the watermark reading starts; for microbatch, how many batches stay open behind the last.",
    )
    event_time: str | None = Field(
        None, description="microbatch: the column of time that says in which window a row lies.", examples=["seen_at"]
    )
    batch_size: Size | None = Field(None, description="microbatch: how long a window is.")
    begin: Instant | None = Field(None, description="microbatch: where the first window begins.", examples=["2026-01-01"])
    version_column: str | None = Field(None, description="merge: of several rows of a key, the highest wins.", examples=["updated_at"])
    merge_update_columns: Annotated[Names, Field(min_length=1)] | None = Field(
        None, description="merge: the only columns that a known row is updated in.", examples=[["status"]]
    )
    merge_exclude_columns: Annotated[Names, Field(min_length=1)] | None = Field(
        None, description="merge: columns that keep the value with which their row was inserted.", examples=[["created_by"]]
    )


class PointInTime(Spec):
    """Each row of a model beside the version of a snapshot that held at a time of the row: view <model>_point_in_time."""

    snapshot: str = Field(description="ref('…') of a snapshot.", examples=["ref('customer_snapshot')"])
    on: dict[str, str] = Field(
        {}, description="Column of the model: key column of the snapshot; by default they have the same names.",
        examples=[{"buyer_id": "customer_id"}],
    )  # fmt: skip
    at: str = Field(description="The time column of the model.", examples=["order_date"])
    columns: Names = Field((), description="Columns of the snapshot to show; by default all but its key.", examples=[["email"]])
    prefix: str | None = Field(
        None, description="What their names begin with; by default the snapshot's name and an underscore.", examples=["customer_"]
    )


class Model(Spec):
    """One SELECT, written once in the project's sql_dialect, or once more for a dialect that needs its own."""

    name: str = Field(description="What ref('…') calls it.", examples=["stg_orders"])
    was: str | Literal[False] | None = Field(
        None, description="The released name of this node, or schema.name of its table; false says that it is a new node.",
        examples=["clients"],
    )  # fmt: skip
    description: Text = ""
    config: ModelConfig = Field(ModelConfig(), description="How it is built.", examples=[{"materialized": "table"}])
    sql: str | dict[DialectName, str] | None = Field(
        None, description="Its SELECT, with dbt's words; or one for each dialect that needs its own.",
        examples=["select order_id from {{ source('raw_data', 'orders') }}"],
    )  # fmt: skip
    sql_file: str | dict[DialectName, str] | None = Field(
        None, description="A file beside this one that holds the SELECT.", examples=["mart_customers.sql"]
    )
    point_in_time: tuple[PointInTime, ...] = Field(
        (), description="Snapshots as they were at a time of each row: view <model>_point_in_time.",
        examples=[[{"snapshot": "ref('customer_snapshot')", "at": "order_date"}]],
    )  # fmt: skip
    columns: tuple[Column, ...] = Field(
        (), description="Types of computed columns, descriptions, tests.", examples=[[{"name": "total", "data_type": "numeric(38,2)"}]]
    )
    constraints: tuple[Constraint, ...] = Field(
        (), description="What must hold for every row, over several columns.",
        examples=[[{"type": "unique", "columns": ["order_id", "line"]}]],
    )  # fmt: skip
    data_tests: tuple[DataTest, ...] = Field(
        (), description="Tests of the whole model.",
        examples=[[{"unique_combination_of_columns": {"combination_of_columns": ["order_id", "line"]}}]],
    )  # fmt: skip
    tags: Tags = ()
    meta: Meta = {}
