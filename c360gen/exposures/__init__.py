"""What BI tools are told of the nodes that they read: one file per format, found by its name. A database executes nothing of it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from sqlglot import exp

from c360gen.ops.shell import Shell
from c360gen.spec.models import Exposure, Target


@dataclass(frozen=True)
class Field:
    """A column as a BI tool needs to know it."""

    name: str
    stored: str
    """As the engine's own catalog spells it."""
    type: exp.DataType | None
    description: str = ""
    never_null: bool = False
    points: bool = False
    """Whether it tells rows apart, or says which row of another relation: it is counted and filtered, and never summed up."""


@dataclass(frozen=True)
class Relation:
    """A table or a view that is read, or, with `rows_at`, what a table function returns for an instant."""

    name: str
    """A plain word, unique among the relations of a target."""
    path: str
    """Where it is, as a statement says it."""
    schema: str
    stored: str
    """Schema and name as the engine's catalog spells them."""
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    """Names of the fields that tell its rows apart; none where that is not known."""
    description: str
    origin: str
    rows_at: exp.Query | None = None
    """Its rows at the placeholder `at`."""

    def field(self, name: str) -> Field:
        return next(f for f in self.fields if f.name == name)


@dataclass(frozen=True)
class Join:
    """Rows of `relation` point to rows of `to`: at most one each, where `single`."""

    relation: str
    column: str
    to: str
    to_column: str
    single: bool


@dataclass(frozen=True)
class Shown:
    """An exposure, the relations that it reads, and how they hang together."""

    exposure: Exposure
    origin: str
    relations: tuple[Relation, ...]
    joins: tuple[Join, ...]


@dataclass(frozen=True)
class Reading:
    """Everything that exposures of one format read in one target."""

    project: str
    target_name: str
    target: Target
    database: str | None
    shown: tuple[Shown, ...]
    now: exp.Expr
    """The time by the clock of the engine."""
    say: Callable[[exp.Expr], str]
    """A neutral tree → the engine's text."""

    def clashes(self) -> Iterator[str]:
        """Names that two relations would have."""
        known: dict[str, str] = {}
        for relation in (r for s in self.shown for r in s.relations):
            if known.setdefault(relation.name, relation.path) != relation.path:
                yield relation.name

    @property
    def relations(self) -> Mapping[str, Relation]:
        """By name, in the order in which exposures name them."""
        return {r.name: r for s in self.shown for r in s.relations}


@dataclass(frozen=True)
class ExposureFile:
    path: str
    title: str
    body: Shell | str
    origin: str | None
    comment: tuple[str, str] = ("#", "")
    """What begins and ends a comment of one line in the format."""
    before: str = ""
    """What must stand at the very top, before our own header."""


class CannotSay(Exception):
    """The format has no words for this; the message says why, `help` what else there is."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.help = help


@cache
def formats() -> dict[str, ModuleType]:
    """Every format by the word of the specs, which is the name of its file."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
