"""`snapshots:`: the history of a relation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from c360gen.spec.models.columns import Column
from c360gen.spec.models.constraints import Constraint
from c360gen.spec.models.nodes import NodeConfig
from c360gen.spec.models.tests import DataTest
from c360gen.spec.models.words import DialectName, Duration, Instant, Meta, Names, Spec, Tags, Text, Values, one_or_many


class MetaColumns(Spec):
    """dbt's snapshot_meta_column_names: the names of the history columns. Omitted: dbt's under compat: dbt, else without `dbt_`."""

    dbt_valid_from: str | None = Field(None, description="The start of a version.", examples=["valid_from"])
    dbt_valid_to: str | None = Field(None, description="Its end.", examples=["valid_to"])
    dbt_is_deleted: str | None = Field(None, description="hard_deletes: new_record: whether it is a marker.", examples=["is_deleted"])
    dbt_scd_id: str | None = Field(None, description="Only with compat: dbt.", examples=["dbt_scd_id"])
    dbt_updated_at: str | None = Field(None, description="Only with compat: dbt.", examples=["dbt_updated_at"])


class AllExcept(Spec):
    """check_cols: {all_except: [loaded_at]}: every column but these."""

    all_except: Names = Field(min_length=1, description="The columns whose changes do not count.", examples=[["loaded_at"]])


class SourceDelta(Spec):
    """Read only the rows whose updated_at moved; what is gone is found by comparing keys, or not at all."""

    deletes: Literal["anti_join", "none"] = Field("anti_join", description="How keys that are gone are found.")


def _true_is_empty(value: Any) -> Any:
    return {} if value is True else None if value is False else value


class SnapshotConfig(NodeConfig):
    """How changes are found and dated, and what happens to rows that should not be there."""

    strategy: Literal["timestamp", "check", "changelog", "daily_copies"] | None = Field(
        None, description="What the relation is: rows with a time of change, rows without, a feed of events, or dated full copies."
    )
    compat: Literal["dbt"] | None = Field(
        None, description="dbt: changes are found, dated and stored as `dbt snapshot` does it, so that both leave the same rows."
    )
    updated_at: str | None = Field(
        None,
        description="When a row changed; of a changelog, when an event happened; of daily copies, the date of a row's copy.",
        examples=["updated_at"],
    )
    check_cols: Literal["all"] | AllExcept | Names = Field(
        (), description="check: the columns that are compared.", examples=["all", ["status"], {"all_except": ["loaded_at"]}]
    )
    hard_deletes: Literal["ignore", "invalidate", "new_record"] = Field(
        "ignore", description="What becomes of a key that is gone; of daily_copies the default is invalidate."
    )
    deleted_flag: str | None = Field(
        None, examples=["is_deleted"],
        description="Boolean column: the row is gone where it is true. Its last version ends at the run, or at deleted_at; "
        "what else such a row says is not kept.",
    )  # fmt: skip
    deleted_at: str | None = Field(
        None, description="Time column: the row is gone where it is set, and has been since then.", examples=["deleted_at"]
    )
    dbt_valid_to_current: Instant | None = Field(None, description="valid_to of open versions instead of NULL.", examples=["9999-12-31"])
    snapshot_meta_column_names: MetaColumns = Field(
        MetaColumns(), description="Other names of the columns of the history.", examples=[{"dbt_valid_from": "from_ts"}]
    )
    nullable_keys: Names = Field((), description="Columns of unique_key in which NULL is a value like any other.", examples=[["region"]])
    version_column: str | None = Field(
        None, description="Tells which of several rows of a key is the latest; default updated_at.", examples=["loaded_at"]
    )
    on_duplicate_key: Literal["fail", "latest", "quarantine"] = Field("fail", description="A key that names several rows.")
    on_null_key: Literal["fail", "quarantine"] = Field("fail", description="A row without a value in its key.")
    on_null_updated_at: Literal["fail", "as_of", "quarantine"] = Field("fail", description="A row without a time; as_of: the run dates it.")
    on_future_updated_at: Literal["fail", "as_of", "quarantine"] = Field("fail", description="A time beyond the clock and its tolerance.")
    on_unmoved_timestamp: Literal["version", "ignore", "fail"] = Field(
        "version", description="A row that changed while its updated_at did not; ignore is what dbt does."
    )
    on_empty_source: Literal["fail", "allow"] = Field("fail", description="A source without rows, while versions are open.")
    max_delete_fraction: float | None = Field(
        None, gt=0, lt=1, description="Share of open versions that one run may close by deletes.", examples=[0.3]
    )
    min_delete_rows: int = Field(10, ge=1, description="Fewer deletes than this never trip max_delete_fraction.", examples=[10])
    future_tolerance: Duration = Field(300, description="How far a time may run ahead of the clock; by default 5 minutes.")
    source_delta: Annotated[SourceDelta | None, BeforeValidator(_true_is_empty, json_schema_input_type=bool | SourceDelta | None)] = Field(
        None, description="Read only rows whose updated_at moved.", examples=[True, {"deletes": "none"}]
    )
    lookback: Duration = Field(0, description="With source_delta, and of feeds: how far before the watermark reading starts.")
    sequence_by: Names = Field(
        (),
        examples=[["lsn"]],
        description="changelog: columns that order events of one instant, such as an LSN. Text is ordered as the database collates it.",
    )
    operation: str | None = Field(None, description="changelog: the column that says what an event does.", examples=["op"])
    delete_when: Values = Field(
        (), description="changelog: values of `operation` that delete a key; every other one is its new state.", examples=[["D"]]
    )
    truncate_when: Values = Field(
        (), description="changelog: values of `operation` that delete every key there is at that time.", examples=[["T"]]
    )
    ignore_null_updates: bool | Names = Field(
        False,
        examples=[True, ["email"]],
        description="changelog: columns, or true for all, in which NULL means that the value did not change.",
    )
    cursor: str | None = Field(
        None,
        description="Feeds: the time at which a row came into the feed; rows beyond its watermark are read. Default: updated_at.",
        examples=["ingested_at"],
    )
    late: Literal["quarantine", "rebuild", "reject"] = Field(
        "quarantine",
        description="Feeds: an event that is not later than what the history of its key holds already is kept back, put in its place "
        "(from a log of everything that was read), or fails the run.",
    )
    frozen_before: Instant | None = Field(
        None,
        description="Feeds: what was reported of the time before stays as it is: earlier events are never applied.",
        examples=["2026-01-01"],
    )

    @field_validator("ignore_null_updates", mode="before", json_schema_input_type=bool | Names)
    @classmethod
    def _columns(cls, value: Any) -> Any:
        found = value if isinstance(value, bool) else one_or_many(value)
        if not isinstance(found, bool | list):
            raise ValueError("must be true, false or a list of columns")
        return found

    @field_validator("check_cols", mode="before", json_schema_input_type=Literal["all"] | AllExcept | Names)
    @classmethod
    def _all(cls, value: Any) -> Any:
        if isinstance(value, bool | int) or (isinstance(value, str) and value != "all" and value.lower() == "all"):
            raise ValueError("must be all, a list of columns or {all_except: [columns]}")
        return value if value == "all" or isinstance(value, dict) else one_or_many(value)


class Adopt(Spec):
    """A table in which dbt or SQLMesh kept this history: adopt_<snapshot> copies its versions, once, and leaves it as it is."""

    relation: str = Field(description="That table, declared as a source.", examples=["source('dbt', 'customer_snapshot')"])
    made_by: Literal["dbt", "sqlmesh"] = Field("dbt", description="Whose names its columns have where nothing else is said.")
    snapshot_meta_column_names: MetaColumns = Field(
        MetaColumns(), description="How the columns of a history are called there.", examples=[{"dbt_valid_from": "from_ts"}]
    )
    dbt_valid_to_current: Instant | None = Field(
        None, description="valid_to of its open versions where it is not NULL; NULL counts as well.", examples=["9999-12-31"]
    )
    columns: dict[str, str | None] = Field(
        {}, description="Columns that are called otherwise there: ours: theirs, or ours: null where that table has no such column.",
        examples=[{"phone": "phone_number", "city": None}],
    )  # fmt: skip
    repair: bool = Field(False, description="Mend what is damaged, as `c360gen adopt` lists it; otherwise damage stops the adoption.")


class Snapshot(Spec):
    """History (SCD type 2) of one relation, or of what one SELECT gives."""

    name: str = Field(description="What ref('…') calls it.", examples=["customer_snapshot"])
    was: str | Literal[False] | None = Field(
        None, description="The released name of this node, or schema.name of its table; false says that it is a new node.",
        examples=["clients"],
    )  # fmt: skip
    description: Text = ""
    relation: str | None = Field(
        None, description="What it keeps the history of: source('…', '…') or ref('…').", examples=["source('raw_data', 'customers')"]
    )
    sql: str | dict[DialectName, str] | None = Field(
        None, description="A SELECT in place of a relation, written as a model's is.", examples=["select * from {{ ref('customers') }}"]
    )
    sql_file: str | dict[DialectName, str] | None = Field(
        None, description="The name of a file beside this one that holds the SELECT.", examples=["customer_snapshot.sql"]
    )
    adopt: Adopt | None = Field(
        None, description="A table in which another tool has kept this history until now.",
        examples=[{"relation": "source('dbt', 'customer_snapshot')"}],
    )  # fmt: skip
    config: SnapshotConfig = Field(SnapshotConfig(), description="How it is kept.", examples=[{"strategy": "check", "check_cols": "all"}])
    columns: tuple[Column, ...] = Field(
        (), description="Descriptions, tests, on_change.", examples=[[{"name": "email", "on_change": "overwrite"}]]
    )
    constraints: tuple[Constraint, ...] = Field(
        (), description="What must hold for every open version, over several columns.",
        examples=[[{"type": "unique", "columns": ["email"]}]],
    )  # fmt: skip
    data_tests: tuple[DataTest, ...] = Field(
        (), description="Tests of the whole snapshot, which look at its open versions.",
        examples=[[{"expression_is_true": {"expression": "valid_to > valid_from"}}]],
    )  # fmt: skip
    tags: Tags = ()
    meta: Meta = {}
