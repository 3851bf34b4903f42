"""What a migration would do, as data: steps for people and renderers, operations for engines, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Literal

from c360gen.diagnostics import Diagnostic, Span
from c360gen.migrate.state import State
from c360gen.ops.change import ChangeOp, ChangeRows, MustBeFilled, MustBeZero, Stored
from c360gen.ops.schema import ColumnDef

HazardKind = Literal["destructive", "breaking", "versions", "backfills", "rewrites", "locks", "refreshes"]
Symbol = Literal["+", "-", "~", ">"]
HAZARDS: dict[str, str] = {
    "destructive": "loses data",
    "breaking": "breaks who reads or writes it",
    "versions": "makes versions",
    "backfills": "writes values into old rows",
    "rewrites": "writes the whole table",
    "locks": "locks",
    "refreshes": "needs a full refresh",
}


@dataclass(frozen=True)
class Hazard:
    kind: HazardKind
    text: str


@dataclass(frozen=True)
class Step:
    """One change: + new, - gone, ~ changed, > renamed; to what, why, at what risk, and how it is undone."""

    symbol: Symbol
    object: str
    what: str
    because: Span | None
    hazards: tuple[Hazard, ...] = ()
    undo: str = "the same, backwards"

    def has(self, *kinds: str) -> bool:
        return any(h.kind in kinds for h in self.hazards)


@dataclass(frozen=True)
class Measured:
    """A table whose rows and values a migration must not lose: what is counted in it, before and after."""

    before: Stored
    after: Stored
    columns: tuple[tuple[str, str], ...]
    """(name before, name after) of the columns whose values stay as they are."""
    removed: str | None = None
    """The table that takes rows on purpose."""
    flag: str | None = None
    """A column of the table afterwards that is true in rows which the migration adds on purpose."""
    marker: str | None = None
    """A column of the table before that is true in rows which the way back adds on purpose, whether they were taken or have come since."""
    copied: Mapping[str, str] = field(default_factory=dict)
    """Of `columns` those whose values stand in a column of another type, by its name: what came since stands only there."""
    filled: tuple[str, ...] = ()
    """Columns of the table before that get values on the way back."""
    labels: tuple[str, ...] = ()
    """What the run log calls its node, before and after."""


@dataclass(frozen=True)
class Drops:
    """What must go before tables change: views (schema, name) and routines (path, arguments)."""

    views: tuple[tuple[str, str], ...] = ()
    routines: tuple[str, ...] = ()
    """Paths; the released state knows their arguments."""
    becomes: Mapping[str, str] = field(default_factory=dict)
    """Path → path of what comes back under another name, since its node has moved."""


@dataclass(frozen=True)
class Kept:
    """A table of rows that left another one; `flag` is the column by which they were known, `retired` its name there."""

    schema: str
    name: str
    columns: tuple[ColumnDef, ...]
    retired: str
    flag: str


@dataclass(frozen=True)
class Problem:
    """Why there is no plan; `subject` is what it is about: a node's label, or a column's, as a step calls it."""

    subject: str
    said: Diagnostic


@dataclass(frozen=True)
class Found:
    """What one part of a comparison has found. Parts are added up, and none sees what another has found."""

    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
    checks: tuple[MustBeZero, ...] = ()
    """What must hold before anything is counted or changed: whoever mends it meets no count of what was there before."""
    forward: tuple[ChangeOp, ...] = ()
    """Tables."""
    backward: tuple[ChangeOp, ...] = ()
    """The same backwards: the last of `forward` is undone first."""
    rows: tuple[ChangeOp, ...] = ()
    """Rows, when every table has its new shape."""
    rows_back: tuple[ChangeOp, ...] = ()
    """Rows, when every table has its old shape again."""
    taken_out: tuple[ChangeRows, ...] = ()
    """What the way back begins with: rows that go while their table is as the migration has left it."""
    measured: tuple[Measured, ...] = ()
    checks_back: tuple[MustBeFilled | MustBeZero, ...] = ()
    """What must hold before anything is changed on the way back."""
    lost: tuple[str, ...] = ()
    """What a rollback cannot bring back, in words."""
    unerased: tuple[tuple[str, str], ...] = ()
    """(node, what is kept of it where its erase_ does not come)."""
    versioned: tuple[tuple[str, str], ...] = ()
    """(node, column) for whose sake the next run makes versions."""
    rewritten: tuple[str, ...] = ()
    """Nodes whose sections are executed again, whatever their text."""

    def __add__(self, other: Found) -> Found:
        return together((self, other))


def together(parts: Sequence[Found]) -> Found:
    """All of them, in their order; on the way back in the reverse."""
    whole = {f.name: tuple(chain.from_iterable(getattr(p, f.name) for p in parts)) for f in fields(Found)}
    return Found(**whole | {"backward": tuple(chain.from_iterable(p.backward for p in reversed(parts)))})


@dataclass(frozen=True)
class Around:
    """What stands around the tables of a plan."""

    drops: Drops
    """Of the released state, before it is left."""
    undrops: Drops
    """Of the wanted state, on the way back."""
    sections: tuple[str, ...]
    """Paths of the sections of deploy.sql that are executed again."""


@dataclass(frozen=True)
class Plan:
    """The way from a released state to the specs."""

    released: State
    wanted: State
    """Its migrations are those of the released one."""
    number: int
    steps: tuple[Step, ...]
    problems: tuple[Diagnostic, ...]
    checks: tuple[MustBeZero, ...]
    forward: tuple[ChangeOp, ...]
    backward: tuple[ChangeOp, ...]
    """In the order of their execution."""
    taken_out: tuple[ChangeRows, ...]
    measured: tuple[Measured, ...]
    checks_back: tuple[MustBeFilled | MustBeZero, ...]
    lost: tuple[str, ...]
    unerased: tuple[tuple[str, str], ...]
    versioned: tuple[tuple[str, str], ...]
    rewritten: frozenset[str]
    around: Around

    @property
    def needed(self) -> bool:
        """Whether something changes that deploy.sql alone would not do, or would refuse."""
        return bool(self.steps)

    def with_hazard(self, *kinds: str) -> Sequence[Step]:
        return [s for s in self.steps if s.has(*kinds)]
