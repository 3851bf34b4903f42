"""The nodes of a project as meant, and the sources that they read: what every later room reads. Plain frozen data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlglot import exp

from c360gen.diagnostics import Span
from c360gen.spec.models import Size

Kind = Literal["snapshot", "view", "ephemeral", "table", "incremental", "seed"]


@dataclass(frozen=True)
class Column:
    """A column with its canonical type; None where nobody declared it and inference is not trusted."""

    name: str
    type: exp.DataType | None
    description: str = ""
    origins: tuple[tuple[str, str], ...] = ()
    """Where its values come from: (relation, column), relation as in `depends_on`."""
    time: exp.DataType | None = None
    """What a computed column of a view is on every engine, if it is a time: not enough to store it, but to compute with it in UTC."""
    told: bool = False
    """That its type is not known is a mistake elsewhere, and reported there."""


@dataclass(frozen=True)
class Test:
    """One data test of one relation; rows that it returns are failures."""

    kind: Literal["unique", "not_null", "accepted_values", "relationships", "expression_is_true", "unique_combination_of_columns"]
    columns: tuple[str, ...]
    """One; several of a combination; none of an expression over the whole row."""
    name: str
    values: tuple[str | int | float | bool, ...] = ()
    to: str | None = None
    """The other relation's id."""
    to_column: str | None = None
    condition: exp.Expr | None = field(default=None, compare=False)
    where: exp.Expr | None = field(default=None, compare=False)
    """Conditions over the columns of t."""
    severity: Literal["error", "warn"] = "error"
    span: Span = field(default=Span(""), compare=False)

    @property
    def mentions(self) -> tuple[str, ...]:
        """Every column of its relation that it names, in conditions too."""
        parts = [part for part in (self.condition, self.where) if part is not None]
        named = [c.name for part in parts for c in part.find_all(exp.Column) if c.table == "t"]
        return tuple(dict.fromkeys((*self.columns, *named)))


@dataclass(frozen=True)
class Constraint:
    """What must hold for every row of a table, or for every open version of a history."""

    kind: Literal["not_null", "unique", "primary_key", "foreign_key", "check"]
    columns: tuple[str, ...]
    """None of a check."""
    name: str
    condition: exp.Expr | None = None
    """Of a check, over columns of t."""
    to: str | None = None
    """Of a foreign key: an id as in depends_on."""
    to_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Freshness:
    """How old, in seconds, the newest row may be, and the query that gives the times of rows as `loaded_at`."""

    warn_after: int | None
    error_after: int | None
    query: exp.Query


@dataclass(frozen=True)
class Source:
    """A table of somebody else, named `source.table`."""

    name: str
    database: str | None
    schema: str
    identifier: str
    columns: tuple[Column, ...]
    tests: tuple[Test, ...]
    span: Span
    description: str = ""
    tags: tuple[str, ...] = ()
    freshness: Freshness | None = None

    @property
    def id(self) -> str:
        return f"source:{self.name}"


@dataclass(frozen=True)
class Query:
    """A model's SELECT, qualified and typed, as it is on a first load and on an incremental run.

    `incremental` is None where both are the same. Relations in it are symbols, columns are qualified.
    """

    first: exp.Query
    incremental: exp.Query | None = None
    windowed: bool = False
    """Whether it says itself which rows lie in the window of a microbatch."""
    places: tuple[Callable[[int, int], Span], ...] = field(default=(), compare=False, repr=False)
    """For `first`, and for `incremental`: from the offsets that nodes of the tree remember to the place in the user's file."""


@dataclass(frozen=True)
class Policies:
    """What a snapshot does with rows that should not be there (README: Guards and policies)."""

    on_duplicate_key: str = "fail"
    on_null_key: str = "fail"
    on_null_updated_at: str = "fail"
    on_future_updated_at: str = "fail"
    on_unmoved_timestamp: str = "version"
    on_empty_source: str = "fail"
    max_delete_fraction: float | None = None
    min_delete_rows: int = 10
    future_tolerance: int = 300
    """Seconds."""

    @property
    def quarantines(self) -> bool:
        return "quarantine" in (self.on_duplicate_key, self.on_null_key, self.on_null_updated_at, self.on_future_updated_at)


@dataclass(frozen=True)
class Erasure:
    """How the rows of one person go: columns that become NULL, or, without any, whole rows."""

    by: str
    redact: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointInTime:
    """A snapshot that a view joins to a model as it was at a time of each row."""

    snapshot: str
    on: tuple[tuple[str, str], ...]
    """(column of the model, key column of the snapshot)."""
    at: str
    columns: tuple[tuple[str, str], ...]
    """(column of the snapshot, its name in the view)."""


@dataclass(frozen=True)
class Feed:
    """What a snapshot over a feed knows of its events (strategies changelog and daily_copies)."""

    cursor: str
    """When a row came into the feed; `updated_at` where the feed does not say."""
    sequence: tuple[str, ...] = ()
    operation: str | None = None
    delete_when: tuple[str | int | bool, ...] = ()
    truncate_when: tuple[str | int | bool, ...] = ()
    ignored_nulls: tuple[str, ...] = ()
    """Columns in which NULL means: as before."""
    late: str = "quarantine"
    frozen_before: dt.datetime | None = None

    @property
    def rebuilds(self) -> bool:
        """Whether every event is remembered, so that a late one can be put in its place."""
        return self.late == "rebuild"


@dataclass(frozen=True)
class Adoption:
    """A table in which another tool kept this history until now: how it is read, and whether its damage is mended."""

    source: str
    """The source's name."""
    columns: Mapping[str, Column | None]
    """By the name here: the column there; None: that table has none."""
    valid_from: Column
    valid_to: Column
    is_deleted: Column | None
    row_id: Column | None
    row_time: Column | None
    open_until: dt.datetime | None
    """valid_to of its open versions besides NULL."""
    repair: bool

    @property
    def reads(self) -> tuple[str, ...]:
        """Every column of the source that it reads."""
        own = (self.valid_from, self.valid_to, self.is_deleted, self.row_id, self.row_time)
        return tuple(dict.fromkeys(c.name for c in (*self.columns.values(), *own) if c is not None))


@dataclass(frozen=True)
class Batches:
    """The windows of a microbatch: from `begin` on, a size each; `lookback` of them stay open behind the last."""

    event_time: str
    size: Size
    begin: dt.datetime
    lookback: int


OldRows = Literal["empty", "new_version", "full_refresh", "backfill"]
"""What becomes of rows that are older than a column."""


@dataclass(frozen=True)
class PastColumn:
    """What a spec says of a stored column that a released table may not have yet."""

    span: Span
    was: str | Literal[False] | None = None
    history: OldRows | None = None
    value: exp.Expr | None = None
    """backfill: what old rows get, over columns of `h`."""


@dataclass(frozen=True)
class Past:
    """How a node and its columns were called when they were released. In no hash: it says how to get here, not what is here."""

    was: str | Literal[False] | None = None
    columns: Mapping[str, PastColumn] = field(default_factory=dict)


@dataclass(frozen=True)
class Node:
    """A model or a seed, with everything that strategies and dialects need to know of it; what a snapshot is besides, is in Snapshot."""

    name: str
    kind: Kind
    schema: str
    identifier: str
    columns: tuple[Column, ...]
    depends_on: tuple[str, ...]
    span: Span
    description: str = ""
    key: tuple[str, ...] = ()
    nullable_key: tuple[str, ...] = ()
    """Columns of the key in which NULL is a value like any other."""
    strategy: str = ""
    queries: Mapping[str, Query] = field(default_factory=dict)
    """By dialect; "" is the project's own. Empty for snapshots of a relation."""
    cursor: str | None = None
    lookback: int = 0
    """Seconds."""
    batches: Batches | None = None
    version_column: str | None = None
    constraints: tuple[Constraint, ...] = ()
    keeps_rows: bool = False
    """Whether a full refresh is refused."""
    on_schema_change: str = "append_new_columns"
    """What a migration does with new columns: fail asks for their history, append_new_columns leaves them NULL in old rows."""
    updated: tuple[str, ...] = ()
    """merge: the columns in which a known row is updated; the others keep what was inserted."""
    partition_by: str | None = None
    partition_size: Size = "month"
    cluster_by: tuple[str, ...] = ()
    indexes: tuple[tuple[tuple[str, ...], bool], ...] = ()
    readers: tuple[str, ...] = ()
    """Roles that may read it, as `grants:` calls them."""
    comments: tuple[str, ...] = ("relation", "columns")
    """Which descriptions become comments in the database."""
    erasure: Erasure | None = None
    point_in_time: tuple[PointInTime, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    """Of a seed: the values of its columns, spelled as project.values has it."""
    tests: tuple[Test, ...] = ()
    tags: tuple[str, ...] = ()
    past: Past = Past()

    @property
    def id(self) -> str:
        return f"ref:{self.name}"

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that a node gets besides its own table or view."""
        return (f"{self.identifier}_point_in_time",) if self.point_in_time else ()

    @property
    def functions(self) -> Mapping[str, int]:
        """Names of the table functions that it gets, and of how many instants each is one."""
        return {}

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of everything that it is in a database."""
        return (*((self.identifier,) if self.exists else ()), *self.views, *self.functions)

    @property
    def runs(self) -> bool:
        """Whether a procedure brings it up to date; a view has nothing to run, and deploy loads a seed."""
        return self.stored and self.kind != "seed"

    @property
    def stored(self) -> bool:
        """Whether it is a table: what migrations change."""
        return self.kind not in ("view", "ephemeral")

    @property
    def exists(self) -> bool:
        """Whether a database holds something of its name; an ephemeral model is a part of what reads it."""
        return self.kind != "ephemeral"

    @property
    def reading(self) -> str:
        """What its runs read, as messages call it."""
        return f"the query of {self.name}"

    @property
    def quarantines(self) -> bool:
        """Whether it has a table for rows that are kept back."""
        return False

    @property
    def rebuilds(self) -> bool:
        """Whether it has a table of every event that was read."""
        return False

    def column(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)

    def query(self, dialect: str) -> Query:
        return self.queries.get(dialect) or self.queries[""]


@dataclass(frozen=True)
class Snapshot(Node):
    """A history, with everything that decides how it is kept."""

    compat: str | None = None
    """dbt: the node must keep what `dbt snapshot` keeps. What follows from that is in `detects`, `horizon` and the columns below."""
    relation: str | None = None
    """What a snapshot reads: an id as in depends_on, or `query:` and its own name where it has SQL of its own."""
    updated_at: str | None = None
    detects: Literal["values", "time"] = "values"
    """What tells that a row changed: values of tracked columns, or an updated_at later than the open version's start."""
    horizon: Literal["as_of", "latest"] = "as_of"
    """The latest updated_at that may date a version: the run time, or that plus its tolerance."""
    tracked: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()
    """Columns whose changes overwrite the open version (SCD type 1)."""
    hard_deletes: str = "ignore"
    deleted_flag: str | None = None
    deleted_at: str | None = None
    valid_from: str = "valid_from"
    valid_to: str = "valid_to"
    is_deleted: str | None = None
    """The column that tells a marker from a version; hard_deletes: new_record only."""
    row_id: str | None = None
    row_time: str | None = None
    """dbt's columns dbt_scd_id and dbt_updated_at: written for readers that expect them, read by nothing here."""
    open_until: dt.datetime | None = None
    """valid_to of open versions; None: it is NULL."""
    policies: Policies = Policies()
    source_delta: str | None = None
    """How deletes are found when only moved rows are read: anti_join or none. None: everything is read."""
    feed: Feed | None = None
    """Only of changelog and daily_copies."""
    adopts: Adoption | None = None
    """How a history begins that another tool has begun. In no hash, as `past`."""

    @property
    def views(self) -> tuple[str, ...]:
        return (f"{self.identifier}_current", f"{self.identifier}_health")

    @property
    def functions(self) -> Mapping[str, int]:
        return {f"{self.identifier}_as_of": 1, f"{self.identifier}_changes": 2}

    @property
    def objects(self) -> tuple[str, ...]:
        beside = {"quarantine": self.quarantines, "observations": self.rebuilds}
        return (*super().objects, *(f"{self.identifier}_{kind}" for kind, there in beside.items() if there))

    @property
    def reading(self) -> str:
        kind, _, name = (self.relation or "query:").partition(":")
        return super().reading if kind == "query" else name

    @property
    def quarantines(self) -> bool:
        kept = self.feed is not None and (self.feed.late == "quarantine" or (self.feed.rebuilds and self.feed.frozen_before is not None))
        return kept or self.policies.quarantines

    @property
    def rebuilds(self) -> bool:
        return self.feed is not None and self.feed.rebuilds
