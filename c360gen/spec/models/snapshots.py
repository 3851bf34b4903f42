"""`snapshots:`: the history of a relation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from c360gen.spec.models.columns import Column, DataTest
from c360gen.spec.models.nodes import NodeConfig
from c360gen.spec.models.words import DialectName, Duration, Instant, Names, Spec, Values, one_or_many


class MetaColumns(Spec):
    """dbt's snapshot_meta_column_names: the names of the history columns. Left away: dbt's under compat: dbt, else without `dbt_`."""

    dbt_valid_from: str | None = None
    dbt_valid_to: str | None = None
    dbt_is_deleted: str | None = None
    dbt_scd_id: str | None = Field(None, description="Only with compat: dbt.")
    dbt_updated_at: str | None = Field(None, description="Only with compat: dbt.")


class AllExcept(Spec):
    """check_cols: {all_except: [loaded_at]}: every column but these."""

    all_except: Names = Field(min_length=1)


class SourceDelta(Spec):
    """Read only the rows whose updated_at moved; what is gone is found by comparing keys, or not at all."""

    deletes: Literal["anti_join", "none"] = "anti_join"


def _true_is_empty(value: Any) -> Any:
    return {} if value is True else None if value is False else value


class SnapshotConfig(NodeConfig):
    strategy: Literal["timestamp", "check", "changelog", "daily_copies"] | None = None
    compat: Literal["dbt"] | None = Field(
        None, description="dbt: changes are found, dated and stored as `dbt snapshot` does it, so that both leave the same rows."
    )
    updated_at: str | None = Field(
        None, description="When a row changed; of a changelog, when an event happened; of daily copies, the date of a row's copy."
    )
    check_cols: Literal["all"] | AllExcept | Names = ()
    hard_deletes: Literal["ignore", "invalidate", "new_record"] = Field(
        "ignore", description="What becomes of a key that is gone; of daily_copies the default is invalidate."
    )
    deleted_flag: str | None = Field(None, description="Boolean column: the row is gone where it is true.")
    deleted_at: str | None = Field(None, description="Time column: the row is gone where it is set, and has been since then.")
    dbt_valid_to_current: Instant | None = Field(None, description="valid_to of open versions instead of NULL.")
    snapshot_meta_column_names: MetaColumns = MetaColumns()
    nullable_keys: Names = Field((), description="Columns of unique_key in which NULL is a value like any other.")
    version_column: str | None = Field(None, description="Tells which of several rows of a key is the latest; default updated_at.")
    on_duplicate_key: Literal["fail", "latest", "quarantine"] = "fail"
    on_null_key: Literal["fail", "quarantine"] = "fail"
    on_null_updated_at: Literal["fail", "as_of", "quarantine"] = "fail"
    on_future_updated_at: Literal["fail", "as_of", "quarantine"] = "fail"
    on_unmoved_timestamp: Literal["version", "ignore", "fail"] = "version"
    on_empty_source: Literal["fail", "allow"] = "fail"
    max_delete_fraction: float | None = Field(None, gt=0, lt=1, description="Share of open versions that one run may close by deletes.")
    min_delete_rows: int = Field(10, ge=1, description="Fewer deletes than this never trip max_delete_fraction.")
    future_tolerance: Duration = Field(300, description="How far a time may run ahead of the clock.")
    source_delta: Annotated[SourceDelta | None, BeforeValidator(_true_is_empty)] = None
    lookback: Duration = Field(0, description="With source_delta, and of feeds: how far before the watermark reading starts.")
    sequence_by: Names = Field(
        (), description="changelog: columns that order events of one instant, such as an LSN. Text is ordered as the database collates it."
    )
    operation: str | None = Field(None, description="changelog: the column that says what an event does.")
    delete_when: Values = Field((), description="changelog: values of `operation` that delete a key; every other one is its new state.")
    truncate_when: Values = Field((), description="changelog: values of `operation` that delete every key there is at that time.")
    ignore_null_updates: bool | Names = Field(
        False, description="changelog: columns, or true for all, in which NULL means that the value did not change."
    )
    cursor: str | None = Field(
        None, description="Feeds: the time at which a row came into the feed; rows beyond its watermark are read. Default: updated_at."
    )
    late: Literal["quarantine", "rebuild", "reject"] = Field(
        "quarantine",
        description="Feeds: an event that is not later than what the history of its key holds already is kept back, put in its place "
        "(from a log of everything that was read), or fails the run.",
    )
    frozen_before: Instant | None = Field(
        None, description="Feeds: what was reported of the time before stays as it is: earlier events are never applied."
    )

    @field_validator("ignore_null_updates", mode="before")
    @classmethod
    def _columns(cls, value: Any) -> Any:
        found = value if isinstance(value, bool) else one_or_many(value)
        if not isinstance(found, bool | list):
            raise ValueError("must be true, false or a list of columns")
        return found

    @field_validator("check_cols", mode="before")
    @classmethod
    def _all(cls, value: Any) -> Any:
        return value if value == "all" or isinstance(value, dict) else one_or_many(value)


class Snapshot(Spec):
    """History (SCD type 2) of one relation, or of what one SELECT gives."""

    name: str
    description: str = ""
    relation: str | None = None
    sql: str | dict[DialectName, str] | None = Field(None, description="A SELECT in place of a relation, written as a model's is.")
    sql_file: str | dict[DialectName, str] | None = None
    config: SnapshotConfig = SnapshotConfig()
    columns: tuple[Column, ...] = ()
    data_tests: tuple[DataTest, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}
