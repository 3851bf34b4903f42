"""`constraints:` as written → as meant: columns known, conditions analysed, other relations there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlglot import exp

from c360gen.diagnostics import Diagnostics
from c360gen.project.columns import find, fold
from c360gen.project.nodes import Column, Constraint, Node
from c360gen.project.references import Known, parse_reference, reference
from c360gen.project.tests import Tests
from c360gen.spec import models as spec
from c360gen.spec.load import Located

_Loc = tuple[str | int, ...]
_SUFFIX = {"not_null": "nn", "unique": "uq", "primary_key": "pk", "foreign_key": "fk", "check": "ck"}


def reads(located: Located[Any]) -> set[str]:
    """The relations that foreign keys look into: they are read by the run, and so it comes after theirs."""
    found = {parse_reference(c.to) for c, _, _ in _written(located.spec) if c.to is not None}
    return {id_ for id_ in found if id_ is not None} - {f"ref:{located.spec.name}"}


def refuse(located: Located[Any], columns: Sequence[spec.Column], loc: _Loc, whose: str, diagnostics: Diagnostics) -> None:
    """Constraints of what no run of ours writes."""
    for index, column in enumerate(columns):
        if column.constraints:
            at = located.key_span(*loc, "columns", index, "constraints")
            diagnostics.error("C401", f"constraints: {whose}", at, "data_tests: look at its rows")


class Constraints:
    """Resolves the constraints of one node after the other, when the columns of all are known."""

    def __init__(self, known: Known, columns: Mapping[str, Sequence[Column]], diagnostics: Diagnostics):
        self.known, self.columns, self.diagnostics = known, columns, diagnostics
        self.tests = Tests(known, columns, diagnostics)

    def of(self, node: Node, located: Located[Any]) -> tuple[Constraint, ...]:
        found: list[Constraint] = []
        for written, column, loc in _written(located.spec):
            if not node.runs:
                what = "a view" if node.kind == "view" else "ephemeral"
                message = f"constraints: {node.name} is {what} and stores nothing"
                self.diagnostics.error("C401", message, located.span(*loc), "test it with data_tests:")
                break
            made = self._one(node, written, column, located, loc)
            if made is not None and made.name in {c.name for c in found}:
                message = f"{made.name} is the name of two constraints of {node.name}"
                self.diagnostics.error("C108", message, located.span(*loc), "give one of them another name:")
            elif made is not None:
                found.append(made)
        return tuple(found)

    def _one(self, node: Node, written: spec.Constraint, column: spec.Column | None, located: Located[Any], loc: _Loc) -> Constraint | None:
        kind, before = written.type, len(self.diagnostics.found)
        self._keys(written, column, located, loc)
        if len(self.diagnostics.found) > before:
            return None
        columns: tuple[str, ...] = (fold(column.name, column.quote),) if column is not None and kind != "check" else ()
        columns = columns or tuple(self._column(n, node.id, located, (*loc, "columns", i)) for i, n in enumerate(written.columns))
        name = written.name or "_".join((node.identifier, *columns, *([str(loc[-1] + 1)] if kind == "check" else []), _SUFFIX[kind]))  # type: ignore[operator]
        condition: exp.Expr | None = None
        to: str | None = None
        there: tuple[str, ...] = ()
        if kind == "check":
            condition = self.tests.condition(node.id, located, (*loc, "expression"), None)
            if condition is not None and condition.find(exp.Query, exp.AggFunc, exp.Window):
                message = f"check of {node.name}: it must look at one row alone"
                self.diagnostics.error("C401", message, located.span(*loc, "expression"), "what looks at several rows is a data test")
        if kind == "foreign_key":
            to = reference(str(written.to), located.span(*loc, "to"), self.known, self.diagnostics)
            if to is None or to not in self.columns:
                return None
            names = written.to_columns or columns
            there = tuple(self._column(n, to, located, (*loc, "to_columns", i)) for i, n in enumerate(names))
            if len(there) != len(columns):
                message = f"foreign_key of {node.name}: {len(columns)} columns look for {len(there)}"
                self.diagnostics.error("C401", message, located.span(*loc, "to_columns"))
        if kind == "primary_key" and node.key and not node.nullable_key and set(columns) != set(node.key) and node.kind != "snapshot":
            message = f"primary_key of {node.name}: its unique_key is {', '.join(node.key)}, which is the primary key"
            self.diagnostics.error("C401", message, located.span(*loc), "say type: unique, or omit it")
        if node.erasure and kind in ("not_null", "primary_key") and (lost := set(columns) & set(node.erasure.redact)):
            message = f"{kind} of {node.name}: erasure redacts {', '.join(sorted(lost))} to NULL"
            self.diagnostics.error("C401", message, located.span(*loc), "redact other columns, or take the constraint away")
        return Constraint(kind, columns, name, condition, to, there) if len(self.diagnostics.found) == before else None

    def _keys(self, written: spec.Constraint, column: spec.Column | None, located: Located[Any], loc: _Loc) -> None:
        """The keys that a kind needs, and no others."""
        needed = {"check": {"expression"}, "foreign_key": {"to"}}.get(written.type, set())
        if column is None and written.type != "check":
            needed = needed | {"columns"}
        allowed = needed | {"type", "name"} | ({"to_columns"} if written.type == "foreign_key" else set())
        for key in sorted(needed - written.model_fields_set):
            self.diagnostics.error("C105", f"constraint {written.type} needs {key}", located.span(*loc), f"add {key}:")
        for key in sorted(written.model_fields_set - allowed):
            message = f"{key} means nothing for a constraint {written.type}" + (" of a column" if column is not None else "")
            self.diagnostics.error("C401", message, located.key_span(*loc, key))

    def _column(self, name: str, id_: str, located: Located[Any], loc: _Loc) -> str:
        names = [c.name for c in self.columns[id_]]
        return find(name, names, f"constraints: {id_.partition(':')[2]}", located.span(*loc), self.diagnostics)


def _written(item: Any) -> Iterator[tuple[spec.Constraint, spec.Column | None, _Loc]]:
    for number, column in enumerate(item.columns):
        for index, one in enumerate(column.constraints):
            yield one, column, ("columns", number, "constraints", index)
    for index, one in enumerate(getattr(item, "constraints", ())):
        yield one, None, ("constraints", index)
