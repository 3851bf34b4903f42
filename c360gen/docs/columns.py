"""Columns, tests and constraints in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlglot import exp

from c360gen.docs.material import Material
from c360gen.docs.pages import Cell, Part, Row, Table, words
from c360gen.project.columns import fold
from c360gen.project.nodes import Column, Constraint, Node, Source, Test
from c360gen.spec import models as spec
from c360gen.terms import types

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def table(of: Source | Node, written: Iterable[spec.Column], material: Material) -> Table:
    """A row for each column: where it comes from, if it is of a node, and where it goes to."""
    notes = {fold(c.name, c.quote): c for c in written}
    rows = tuple(Row(tuple(_cells(c, of, notes.get(c.name), material)), material.anchor(of.id, c.name)) for c in of.columns)
    ways = ("Comes from", "Goes to") if isinstance(of, Node) else ("Goes to",)
    return Table.of(("Column", "Type", "Description", "Tests and constraints", *ways), rows)


def _cells(column: Column, of: Source | Node, note: spec.Column | None, material: Material) -> Iterator[Cell]:
    yield (Part(column.name, code=True),)
    yield words(type_of(column), code=True)
    yield (*words(column.description), *(described(note.tags, note.meta) if note else ()))
    yield (*_keys(column, of), *_constraints(column, of, material), *_tests(column, of, material))
    if isinstance(of, Node):
        into = [e for e in material.lineage.into(of.id) if e.to[1] == column.name]
        yield tuple(material.column_link(*e.origin, note=e.how) for e in into)
    yield tuple(material.column_link(*e.to, note=e.how) for e in material.lineage.out_of((of.id, column.name)))


def type_of(column: Column) -> str:
    """Its canonical type; empty where nobody declared it and inference is not trusted."""
    known = column.type if column.type is not None else column.time
    return types.text(known) if known is not None else ""


def described(tags: Iterable[str], meta: Mapping[str, Any]) -> Cell:
    """Tags and notes of the user's own."""
    return (*(Part(t, note="tag") for t in tags), *(Part(value(v), note=str(k)) for k, v in meta.items()))


def value(found: Any) -> str:
    """A value of a YAML file on one line."""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, default=str)


def duration(seconds: int) -> str:
    """259200 → 3 days."""
    unit, size = next((u, s) for u, s in _UNITS if seconds % s == 0)
    count = seconds // size
    return f"{count} {unit}{'' if count == 1 else 's'}"


def condition(tree: exp.Expr, material: Material) -> str:
    """In the project's own dialect, without the name that relations have in tests."""
    bare = tree.copy()
    for found in bare.find_all(exp.Column):
        found.set("table", None)
    return bare.sql(dialect=material.project.project.sql_dialect)


# --- what must hold ---------------------------------------------------------------------------------------------------


def of_whole(of: Source | Node, material: Material) -> Cell:
    """The tests and constraints that are about no single column."""
    found = [_test(t, material) for t in of.tests if len(t.columns) != 1]
    if isinstance(of, Node):
        found += [_constraint(c, material) for c in of.constraints if len(c.columns) != 1]
    return tuple(found)


def _keys(column: Column, of: Source | Node) -> Cell:
    return words("unique_key" if isinstance(of, Node) and column.name in of.key else None)


def _tests(column: Column, of: Source | Node, material: Material) -> Iterator[Part]:
    yield from (_test(t, material) for t in of.tests if t.columns == (column.name,))


def _constraints(column: Column, of: Source | Node, material: Material) -> Iterator[Part]:
    if isinstance(of, Node):
        yield from (_constraint(c, material) for c in of.constraints if c.columns == (column.name,))


def _test(test: Test, material: Material) -> Part:
    said = test.kind if len(test.columns) < 2 else f"{test.kind} ({', '.join(test.columns)})"
    to = ""
    if test.kind == "accepted_values":
        said += f": {', '.join(map(str, test.values))}"
    if test.to is not None:
        there = material.column_link(test.to, str(test.to_column))
        said, to = f"{said}: {there.text}", there.to
    if test.condition is not None:
        said += f": {condition(test.condition, material)}"
    if test.where is not None:
        said += f", where {condition(test.where, material)}"
    return Part(said, to=to, note="test, warns" if test.severity == "warn" else "test")


def _constraint(constraint: Constraint, material: Material) -> Part:
    said = constraint.kind if len(constraint.columns) < 2 else f"{constraint.kind} ({', '.join(constraint.columns)})"
    if constraint.condition is not None:
        said += f": {condition(constraint.condition, material)}"
    if constraint.to is None:
        return Part(said, note="constraint")
    there = f"{constraint.to.partition(':')[2]} ({', '.join(constraint.to_columns)})"
    return Part(f"{said}: {there}", to=material.path(constraint.to), note="constraint")
