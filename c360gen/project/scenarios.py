"""Scenarios as written → as meant: relations and columns that exist, rows in the order of columns, what must be run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from c360gen.diagnostics import Diagnostics, Span, nearest_or_list
from c360gen.project.columns import named
from c360gen.project.graph import reach
from c360gen.project.nodes import Column, Node, Source
from c360gen.project.references import parse_reference
from c360gen.project.resolved import Scenario, ScenarioStep, ScenarioTable
from c360gen.project.select import BadSelection, Selectable, select
from c360gen.project.values import NotAValue, canonical
from c360gen.spec import csv
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.spec.yaml import Loc
from c360gen.terms import types


class Scenarios:
    """Resolves scenarios one after the other, when all nodes are known."""

    def __init__(self, sources: Mapping[str, Source], nodes: Mapping[str, Node], items: Mapping[str, Selectable], diagnostics: Diagnostics):
        self.sources, self.nodes, self.items, self.diagnostics = sources, nodes, items, diagnostics

    def resolve(self, located: Located[spec.Scenario]) -> Scenario | None:
        before = len(self.diagnostics.found)
        wanted = [tuple(self._expected(located, i, step)) for i, step in enumerate(located.spec.steps)]
        needed = self._above({t.id.removeprefix("ref:") for tables in wanted for t in tables})
        steps = []
        last: dt.datetime | None = None
        for index, step in enumerate(located.spec.steps):
            at = ("steps", index)
            if last is not None and step.as_of <= last:
                message = f"step {index + 1} is not later than the one before it"
                self.diagnostics.error("C401", message, located.span(*at, "as_of"), "give every step a later as_of")
            last = step.as_of
            chosen = self._chosen(located, index, step) if step.run is not None else needed
            run = tuple(n for n, node in self.nodes.items() if n in chosen and node.runs)
            if not run and len(self.diagnostics.found) == before:
                help = "name nodes with run:, or expect rows of one"
                self.diagnostics.error("C206", f"step {index + 1} runs nothing", located.span(*at), help)
            given = tuple(t for i, g in enumerate(step.given) if (t := self._given(located, (*at, "given", i), g)))
            steps.append(
                ScenarioStep(step.as_of, step.because, given, run, step.full_refresh, step.fails, wanted[index], located.span(*at))
            )
        if len(self.diagnostics.found) > before:
            return None
        exist = self._above(needed.union(*(s.run for s in steps)))
        return Scenario(located.spec.name, tuple(steps), frozenset(exist), located.span("name"))

    def _above(self, names: Collection[str]) -> set[str]:
        """The nodes, and all that they read."""
        parents = {node.id: node.depends_on for node in self.nodes.values()}
        found = reach((f"ref:{name}" for name in names), parents, None)
        return {name for name in self.nodes if f"ref:{name}" in found}

    def _chosen(self, located: Located[spec.Scenario], index: int, step: spec.Step) -> set[str]:
        try:
            return {i.removeprefix("ref:") for i in select(str(step.run), self.items)}
        except BadSelection as bad:
            self.diagnostics.error("C206", f"{bad}", located.span("steps", index, "run"), bad.help)
            return set()

    def _given(self, located: Located[spec.Scenario], loc: Loc, given: spec.Given) -> ScenarioTable | None:
        id_ = self._relation(given.input, "source", located.span(*loc, "input"))
        return self._table(located, loc, id_, given.rows, self.sources[id_.partition(":")[2]].columns) if id_ else None

    def _expected(self, located: Located[spec.Scenario], index: int, step: spec.Step) -> Iterator[ScenarioTable]:
        for i, expected in enumerate(step.expect):
            loc: Loc = ("steps", index, "expect", i)
            id_ = self._relation(expected.relation, "ref", located.span(*loc, "relation"))
            if id_ is None:
                continue
            node = self.nodes[id_.removeprefix("ref:")]
            if not node.exists:
                message = f"{node.name} is ephemeral: it has no rows of its own"
                self.diagnostics.error("C401", message, located.span(*loc, "relation"), "expect rows of what reads it")
            if expected.as_of is not None and node.kind != "snapshot":
                message = f"as_of asks a history, and {node.name} is a {node.kind}"
                self.diagnostics.error("C401", message, located.key_span(*loc, "as_of"), "remove it")
            if found := self._table(located, loc, id_, expected.rows, node.columns, expected.as_of):
                yield found

    def _relation(self, text: str, kind: str, at: Span) -> str | None:
        id_ = parse_reference(text)
        known: Mapping[str, Any] = self.sources if kind == "source" else self.nodes
        if id_ is None or not id_.startswith(f"{kind}:"):
            wanted = "source('source', 'table')" if kind == "source" else "ref('node')"
            self.diagnostics.error("C104", f"{text} is not {'a source' if kind == 'source' else 'a node'}", at, f"write {wanted}")
            return None
        name = id_.partition(":")[2]
        if name not in known:
            code, what = ("C202", f"source {name}") if kind == "source" else ("C201", name)
            near = nearest_or_list(name, known, "sources" if kind == "source" else "nodes")
            self.diagnostics.error(code, f"{what} is not known", at, near)
            return None
        return id_

    def _table(
        self, located: Located[spec.Scenario], loc: Loc, id_: str, rows: spec.Rows, columns: Sequence[Column],
        as_of: dt.datetime | None = None,
    ) -> ScenarioTable | None:  # fmt: skip
        by_name = {c.name: c for c in columns}
        before = len(self.diagnostics.found)
        cells: list[dict[str, str | None]] = []
        used: dict[str, None] = {}
        for row in self._rows(located, (*loc, "rows"), rows):
            found: dict[str, str | None] = {}
            for key, at, value, where in row:
                name = named(key, by_name)
                if name in by_name:
                    found[name] = self._value(by_name[name], value, where)
                else:
                    message = f"{id_.partition(':')[2]} has no column {key}"
                    self.diagnostics.error("C205", message, at, nearest_or_list(name, by_name, "columns"))
            cells.append(found)
            used |= dict.fromkeys(found)
        at = located.span(*loc, "rows")
        if loc[-2] == "expect" and any(row.keys() != used.keys() for row in cells):
            help = "name the same columns in every row; null is a value"
            self.diagnostics.error("C401", "some rows expect something of a column that others omit", at, help)
        if len(self.diagnostics.found) > before:
            return None
        kept = tuple(c for c in columns if c.name in used) or tuple(columns)
        return ScenarioTable(id_, kept, tuple(tuple(row.get(c.name) for c in kept) for row in cells), at, as_of)

    def _rows(self, located: Located[spec.Scenario], loc: Loc, rows: spec.Rows) -> Iterator[list[tuple[str, Span, str | None, Span]]]:
        """Rows as (column, its place, value, its place)."""
        if not isinstance(rows, str):
            for number, row in enumerate(rows):
                yield [(k, located.key_span(*loc, number, k), _text(v), located.span(*loc, number, k)) for k, v in row.items()]
            return
        assert located.tree is not None, "what is written stands in a file"
        read = csv.parse(located.tree.sql((*located.loc, *loc)), ",", self.diagnostics, padded=True)
        if read is None:
            return  # it is no CSV, which is reported already
        header, *lines = read or [()]
        names = [f.text or "" for f in header]
        if not names or len(set(names)) < len(names) or "" in names:
            self.diagnostics.error("C104", "the first line must name every column once", located.span(*loc), "write id, email, updated_at")
            return
        for line in lines:
            if len(line) != len(names):
                message = f"this line has {len(line)} {'value' if len(line) == 1 else 'values'}, the header {len(names)} columns"
                self.diagnostics.error("C104", message, line[-1].span, "leave a value empty for NULL, but keep its comma")
            else:
                yield [(h.text or "", h.span, f.text, f.span) for h, f in zip(header, line, strict=True)]

    def _value(self, column: Column, text: str | None, at: Span) -> str | None:
        """The value as every engine reads it; of a type that nobody knows, as it is written."""
        if text is None or column.type is None:
            return text
        try:
            return canonical(text, column.type)
        except NotAValue as why:
            self.diagnostics.error("C104", f"{column.name} is {types.text(column.type)}: '{text[:40]}' {why}", at)
            return None


def _text(value: spec.Cell) -> str | None:
    """A value of YAML as the text that its column's type is cast from; times without a zone are UTC."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return (value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)).isoformat(sep=" ")
    return value.isoformat() if isinstance(value, dt.date) else str(value)
