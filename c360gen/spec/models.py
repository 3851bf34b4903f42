"""The spec language as pydantic models: dbt's words where dbt has them, unknown keys refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

DialectName = Literal["postgres", "snowflake", "bigquery", "duckdb"]
Size = Literal["hour", "day", "month", "year"]
"""How long a partition or a window is; all begin where the clock of UTC begins one."""
DIALECTS: tuple[str, ...] = ("duckdb", "postgres", "snowflake", "bigquery")

_DURATION = re.compile(r"(\d+)\s*(second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


def _duration(value: Any) -> int:
    """'3 days' → 259200 seconds."""
    found = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if not found:
        raise ValueError("must be a duration such as '3 days', '6 hours' or '30 minutes'")
    return int(found[1]) * _SECONDS[found[2]]


def _lookback(value: Any) -> Any:
    """'3 days' → a timedelta, before a watermark; 3 → 3, batches of a microbatch."""
    if value is None or (type(value) is int and value >= 0):
        return value
    try:
        return dt.timedelta(seconds=_duration(value))
    except ValueError as error:
        raise ValueError(f"{error}, or for microbatch a number of batches") from None


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Duration = Annotated[int, BeforeValidator(_duration)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


def _values(value: Any) -> Any:
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(v, str | int | bool) for v in found):
        raise ValueError("must be a value, or a list of values: texts, whole numbers, true or false")
    return found


Values = Annotated[tuple[str | int | bool, ...], BeforeValidator(_values)]


class Spec(BaseModel):
    """Frozen, strict about keys, built only by the loader."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, str_strip_whitespace=False)


class Project(Spec):
    """The project as a whole: its name, the dialect in which its SQL is written, where its control objects live."""

    name: PlainName = "customer_360"
    sql_dialect: DialectName = "postgres"
    control_schema: str = "c360_control"
    schema_: str = Field("analytics", alias="schema", description="Schema of nodes that name none.")
    vars: dict[str, str | int | float | bool | list[str | int | float | bool] | None] = {}
    run_log_retention: Duration = Field(400 * 86400, description="How long prune_run_log keeps the rows of the run log.")
    functions: Names = Field((), description="Functions of your own that exist on every target under this name.")


def _plain_name(value: str) -> str:
    """Names of databases, roles and the like go into statements and comments: nothing that could end either."""
    if re.search(r"[\s'\"`;\\]", value) or not value.isprintable() or not value:
        raise ValueError("must be a plain name without spaces, quotes, backslashes or semicolons")
    return value


PlainName = Annotated[str, AfterValidator(_plain_name)]


class Target(Spec):
    """An environment: a dialect, where it lives, and who owns, runs and reads it. Its output is generated/<target>/."""

    dialect: DialectName | None = None
    extends: str | None = None
    default: bool = Field(False, description="Built when the command line names no target.")
    database: PlainName | None = None
    schema_prefix: str = ""
    min_version: int | None = None
    location: PlainName | None = None
    warehouse: PlainName | None = None
    owner: PlainName | None = None
    runner: PlainName | None = None
    reader: PlainName | None = None
    form: Literal["procedures", "scripts"] | None = None


def _arguments(value: Any) -> Any:
    """dbt 1.10 writes a test's arguments one level deeper, under `arguments:`."""
    return value["arguments"] if isinstance(value, dict) and set(value) == {"arguments"} else value


class AcceptedValues(Spec):
    values: tuple[str | int | float | bool, ...] = Field(min_length=1)


class Relationships(Spec):
    to: str
    field: str


class DataTest(Spec):
    """One data test; exactly one key is set. Plain `unique` and `not_null` are written as words."""

    unique: Literal[True] | None = None
    not_null: Literal[True] | None = None
    accepted_values: Annotated[AcceptedValues | None, BeforeValidator(_arguments)] = None
    relationships: Annotated[Relationships | None, BeforeValidator(_arguments)] = None

    @model_validator(mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        if value in ("unique", "not_null"):
            return {value: True}
        if isinstance(value, str):
            raise ValueError(f"must hold unique, not_null, accepted_values or relationships, not '{value}'")
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> DataTest:
        if len(self.model_fields_set) != 1:
            raise ValueError("must be one test: unique, not_null, accepted_values or relationships")
        return self


class Column(Spec):
    name: str
    description: str = ""
    data_type: str | None = None
    on_change: Literal["new_version", "overwrite", "ignore"] | None = Field(
        None,
        description="Columns of snapshots: a change makes a new version (the default), overwrites the open version (SCD type 1), "
        "or waits for the next version.",
    )
    quote: bool = Field(False, description="Keep the spelling of the name instead of folding it to lower case.")
    data_tests: tuple[DataTest, ...] = ()
    tests: tuple[DataTest, ...] = Field((), description="dbt's older word for data_tests.")
    tags: Names = ()
    meta: dict[str, Any] = {}


class SourceTable(Spec):
    name: str
    identifier: str | None = None
    description: str = ""
    columns: tuple[Column, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}


class Source(Spec):
    name: str
    description: str = ""
    database: str | None = None
    schema_: str | None = Field(None, alias="schema")
    tables: tuple[SourceTable, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}


class MetaColumns(Spec):
    """dbt's snapshot_meta_column_names: the names of the history columns. Left away: dbt's under compat: dbt, else without `dbt_`."""

    dbt_valid_from: str | None = None
    dbt_valid_to: str | None = None
    dbt_is_deleted: str | None = None
    dbt_scd_id: str | None = Field(None, description="Only with compat: dbt.")
    dbt_updated_at: str | None = Field(None, description="Only with compat: dbt.")


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


class Index(Spec):
    columns: Names = Field(min_length=1)
    unique: bool = False


class AllExcept(Spec):
    """check_cols: {all_except: [loaded_at]}: every column but these."""

    all_except: Names = Field(min_length=1)


class SourceDelta(Spec):
    """Read only the rows whose updated_at moved; what is gone is found by comparing keys, or not at all."""

    deletes: Literal["anti_join", "none"] = "anti_join"


def _true_is_empty(value: Any) -> Any:
    return {} if value is True else None if value is False else value


def _instant(value: Any) -> Any:
    """'9999-12-31' → the instant at its beginning, UTC; YAML may have read a date already."""
    if isinstance(value, dt.datetime):
        found = value
    elif isinstance(value, dt.date):
        found = dt.datetime(value.year, value.month, value.day)
    else:
        try:
            found = dt.datetime.fromisoformat(str(value))
        except ValueError:
            raise ValueError("must be a date or an instant such as '9999-12-31', not an expression") from None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


Instant = Annotated[dt.datetime, BeforeValidator(_instant)]


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
        found = value if isinstance(value, bool) else _one_or_many(value)
        if not isinstance(found, bool | list):
            raise ValueError("must be true, false or a list of columns")
        return found

    @field_validator("check_cols", mode="before")
    @classmethod
    def _all(cls, value: Any) -> Any:
        return value if value == "all" or isinstance(value, dict) else _one_or_many(value)


class Snapshot(Spec):
    """History (SCD type 2) of one relation."""

    name: str
    description: str = ""
    relation: str | None = None
    config: SnapshotConfig = SnapshotConfig()
    columns: tuple[Column, ...] = ()
    data_tests: tuple[DataTest, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}


class ModelConfig(NodeConfig):
    materialized: Literal["view", "table", "incremental"] = "view"
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


class Owner(Spec):
    name: str | None = None
    email: str | None = None

    @model_validator(mode="after")
    def _someone(self) -> Owner:
        if not (self.name or self.email):
            raise ValueError("must name an owner: name, email or both")
        return self


class Exposure(Spec):
    """Who reads the nodes: a dashboard, a notebook, an application."""

    name: str
    label: str | None = None
    type: Literal["dashboard", "notebook", "analysis", "ml", "application"]
    maturity: Literal["high", "medium", "low"] | None = None
    url: str | None = None
    description: str = ""
    owner: Owner
    depends_on: tuple[str, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}
    enabled: bool = True


class Schedule(Spec):
    """When the nodes of a selection run, in dependency order, through one procedure."""

    name: str
    description: str = ""
    cron: str
    timezone: str = "UTC"
    select: str
    exclude: str | None = None

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        check_cron(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        import zoneinfo

        if value not in zoneinfo.available_timezones():
            raise ValueError("must be a time zone of the tz database such as 'UTC' or 'Europe/Berlin'")
        return value


class SpecFile(Spec):
    """One YAML file: any sections, in any order."""

    version: Literal[2] = 2
    project: Project | None = None
    targets: dict[str, Target] = {}
    sources: tuple[Source, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    models: tuple[Model, ...] = ()
    exposures: tuple[Exposure, ...] = ()
    schedules: tuple[Schedule, ...] = ()


def check_cron(text: str) -> None:
    """Raise ValueError unless `text` is a plain five-field cron expression (numbers, lists, ranges, steps)."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"must have five fields (minute hour day month weekday), not {len(fields)}")
    for field, (low, high) in zip(fields, _CRON_FIELDS, strict=True):
        for part in field.split(","):
            found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
            numbers = [int(n) for n in found.groups()[:2] if n] if found else [-1]
            step = int(found[3]) if found and found[3] else 1
            if not all(low <= n <= high for n in numbers) or numbers != sorted(numbers) or not 1 <= step <= high:
                raise ValueError(f"has a field that cron does not know: {field}")


NodeConfig.model_rebuild()

NOT_CARRIED: dict[str, frozenset[str]] = {
    "project": frozenset(),
    "sources": frozenset({"config", "freshness", "loaded_at_field", "loaded_at_query", "loader", "overrides", "quoting"}),
    "tables": frozenset(
        {"config", "data_tests", "tests", "freshness", "loaded_at_field", "loaded_at_query", "loader", "external", "quoting"}
    ),
    "columns": frozenset({"constraints", "config", "policy_tags", "granularity", "dimension", "entity"}),
    "data_tests": frozenset({"config", "name", "description", "severity", "where", "dbt_utils"}),
    "snapshots": frozenset({"docs", "tests", "sql", "sql_file", "group", "latest_version", "versions"}),
    "snapshot_config": frozenset(
        {
            "database", "invalidate_hard_deletes", "grants", "persist_docs", "event_time",
            "pre_hook", "post_hook", "quote_columns", "group", "docs", "full_refresh", "target_schema", "target_database",
        }
    ),
    "partition_by": frozenset({"range", "time_ingestion_partitioning", "copy_partitions"}),
    "models": frozenset(
        {"access", "constraints", "deprecation_date", "docs", "group", "latest_version", "tests", "unit_tests", "versions"}
    ),
    "model_config": frozenset(
        {
            "access", "concurrent_batches", "contract", "database", "docs", "freshness", "full_refresh", "grants", "group",
            "incremental_predicates", "on_configuration_change", "on_schema_change", "persist_docs", "post_hook", "pre_hook",
            "sql_header", "predicates", "transient", "require_partition_filter",
        }
    ),
    "exposures": frozenset({"config", "access", "group"}),
    "file": frozenset(
        {"analyses", "functions", "groups", "macros", "metrics", "saved_queries", "seeds", "semantic_models", "unit_tests"}
    ),
}  # fmt: skip
"""dbt's keys that a section does not carry yet: an error of their own (C106) instead of `unknown key`."""

_PREDICATES = "a predicate that hides the row of a known key makes a second insert of its update; cursor and lookback say what is read"
WHY_NOT_CARRIED = {
    "incremental_predicates": _PREDICATES,
    "predicates": _PREDICATES,
    "concurrent_batches": "windows are loaded oldest first, one transaction each, so that the first failure stops the run",
}
"""The reason, and what to do instead, for keys that are left out on purpose."""

VALUES_NOT_CARRIED = frozenset({("materialized", "ephemeral"), ("materialized", "materialized_view")})
"""dbt's values that are not carried yet, with their keys."""
