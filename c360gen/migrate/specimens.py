"""What is ours, in the engine's own words: each table and view once more under another name, to be printed and rolled back.

Engines print views and constraints anew, each version in its own way. Where both sides of a comparison are printed by the same server at
the same moment, nothing has to be remembered, and neither an upgrade nor a restored dump changes the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.inspector import Printing
from c360gen.emit.sql import print_sql
from c360gen.migrate import catalog
from c360gen.migrate.catalog import Part, Place
from c360gen.migrate.wanted import Wanted


@dataclass
class Printed:
    """By table its constraints and indexes, by view its text; `refused` where it cannot even be made, and why."""

    constraints: dict[Place, dict[str, Part]] = field(default_factory=dict)
    indexes: dict[Place, dict[str, Part]] = field(default_factory=dict)
    views: dict[Place, str] = field(default_factory=dict)
    refused: dict[Place, str] = field(default_factory=dict)

    def take(self, at: Place, rows: Iterable[Mapping[str, object]], dialect: Dialect) -> None:
        """The rows of `query` after the statements of one specimen."""
        one = catalog.of_rows(rows, dialect.inspector, dialect.inspector.kinds)
        self.constraints[at] = next(iter(one.constraints.values()), {})
        self.indexes[at] = next(iter(one.indexes.values()), {})
        if one.views:
            self.views[at] = next(iter(one.views.values()))


def statements(wanted: Wanted, dialect: Dialect) -> dict[Place, list[str]]:
    """CREATE TEMPORARY TABLE and its indexes, or CREATE TEMPORARY VIEW."""
    found = {**wanted.tables, **{at: [create] for at, create in wanted.views.items()}}
    return {at: [_said(create, dialect) for create in creates] for at, creates in found.items()}


def smallest(dialect: Dialect) -> str:
    """A view that can be made wherever anything can."""
    one = exp.select(exp.alias_(exp.Literal.number(1), "one"))
    return _said(exp.Create(this=exp.Table(this=dialect.identifier("one")), kind="VIEW", expression=one), dialect)


def query(dialect: Dialect) -> str:
    return print_sql(_inspector(dialect).specimen_rows(), dialect)


def _said(create: exp.Create, dialect: Dialect) -> str:
    return print_sql(_inspector(dialect).specimen(create), dialect)


def _inspector(dialect: Dialect) -> Printing:
    found = dialect.inspector
    assert isinstance(found, Printing), f"{dialect.name} keeps a text as it was written"
    return found
