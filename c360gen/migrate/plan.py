"""What a migration would do, as data: steps for people and renderers, operations for engines, in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from c360gen.diagnostics import Diagnostic, Span
from c360gen.migrate.state import State
from c360gen.ops.change import ChangeOp, ChangeRows, Stored
from c360gen.ops.schema import ColumnDef

HazardKind = Literal["destructive", "breaking", "versions", "backfills", "rewrites", "locks", "refreshes"]
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

    symbol: Literal["+", "-", "~", ">"]
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


@dataclass
class Plan:
    """The way from a released state to the specs."""

    released: State
    wanted: State
    number: int
    steps: list[Step] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    forward: list[ChangeOp] = field(default_factory=list)
    backward: list[ChangeOp] = field(default_factory=list)
    """In the order of their execution: the last of `forward` is undone first."""
    taken_out: list[ChangeRows] = field(default_factory=list)
    """What the way back begins with: rows that go while their table is as the migration has left it."""
    marked: dict[str, str] = field(default_factory=dict)
    """By node: the column that is true in markers which the migration makes."""
    measured: list[Measured] = field(default_factory=list)
    drops: Drops = Drops()
    """Of the released state, before it is left; and, on the way back, of the wanted one."""
    undrops: Drops = Drops()
    sections: tuple[str, ...] = ()
    """Paths of the sections of deploy.sql that are executed again."""
    lost: list[str] = field(default_factory=list)
    """What a rollback cannot bring back, in words."""

    kept: dict[str, Kept] = field(default_factory=dict)
    """By node: the markers that leave its history."""
    versioned: list[tuple[str, str]] = field(default_factory=list)
    """(node, column) for whose sake the next run makes versions."""
    rewritten: set[str] = field(default_factory=set)
    """Nodes whose sections are executed again, whatever their text."""

    @property
    def needed(self) -> bool:
        """Whether something changes that deploy.sql alone would not do, or would refuse."""
        return bool(self.steps)

    @property
    def after(self) -> State:
        """The state that it leads to; its migrations are those of the released one."""
        return self.wanted

    def with_hazard(self, *kinds: str) -> Sequence[Step]:
        return [s for s in self.steps if s.has(*kinds)]
