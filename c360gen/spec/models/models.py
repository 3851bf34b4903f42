"""`models:`: one SELECT each, as a view, a table or an incremental."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from c360gen.spec.models.columns import Column, DataTest
from c360gen.spec.models.nodes import NodeConfig
from c360gen.spec.models.words import DialectName, Instant, Names, Size, Spec, duration


def _lookback(value: Any) -> Any:
    """'3 days' → a timedelta, before a watermark; 3 → 3, batches of a microbatch."""
    if value is None or (type(value) is int and value >= 0):
        return value
    try:
        return dt.timedelta(seconds=duration(value))
    except ValueError as error:
        raise ValueError(f"{error}, or for microbatch a number of batches") from None


class ModelConfig(NodeConfig):
    materialized: Literal["view", "table", "incremental", "ephemeral"] = Field(
        "view", description="ephemeral: nothing in the database; its SQL becomes a CTE of everything that reads it."
    )
    incremental_strategy: Literal["merge", "append", "delete+insert", "insert_overwrite", "microbatch"] | None = None
    cursor: str | None = None
    lookback: Annotated[dt.timedelta | int | None, BeforeValidator(_lookback)] = Field(
        None, description="How far before the watermark reading starts; for microbatch, how many batches stay open behind the last."
    )
    event_time: str | None = Field(None, description="microbatch: the column of time that says in which window a row lies.")
    batch_size: Size | None = Field(None, description="microbatch: how long a window is.")
    begin: Annotated[Instant | None, Field(description="microbatch: where the first window begins.")] = None
    version_column: str | None = None
    merge_update_columns: Annotated[Names, Field(min_length=1)] | None = Field(
        None, description="merge: the only columns that a known row is updated in."
    )
    merge_exclude_columns: Annotated[Names, Field(min_length=1)] | None = Field(
        None, description="merge: columns that keep the value with which their row was inserted."
    )


class PointInTime(Spec):
    """Each row of a model beside the version of a snapshot that held at a time of the row: view <model>_point_in_time."""

    snapshot: str = Field(description="ref('…') of a snapshot.")
    on: dict[str, str] = Field({}, description="Column of the model: key column of the snapshot; by default they have the same names.")
    at: str = Field(description="The time column of the model.")
    columns: Names = Field((), description="Columns of the snapshot to show; by default all but its key.")
    prefix: str | None = Field(None, description="What their names begin with; by default the snapshot's name and an underscore.")


class Model(Spec):
    """One SELECT, written once in the project's sql_dialect, or once more for a dialect that needs its own."""

    name: str
    description: str = ""
    config: ModelConfig = ModelConfig()
    sql: str | dict[DialectName, str] | None = None
    sql_file: str | dict[DialectName, str] | None = None
    point_in_time: tuple[PointInTime, ...] = ()
    columns: tuple[Column, ...] = ()
    data_tests: tuple[DataTest, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}
