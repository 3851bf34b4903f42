"""Scenarios: the nodes that one needs are built and deployed into an empty database, and live through its days."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from c360gen import dialects, engines
from c360gen.diagnostics import Span
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.emit.sql import print_sql
from c360gen.engines import EngineError, Session
from c360gen.pipeline import Build, LoadedProject, build
from c360gen.project.nodes import Column
from c360gen.project.resolved import Scenario, ScenarioStep, ScenarioTable
from c360gen.spec.models import Target
from c360gen.terms.symbols import column, relation
from c360gen.testing import Result
from c360gen.testing.tables import difference

_ALONE = {"owner": None, "runner": None, "reader": None, "schema_prefix": "", "form": None, "database": None}
"""What a target says of the people around it; roles belong to a whole server, and a scenario must leave nothing there."""


class Failed(Exception):
    """What is not as the scenario says, where it says so, and the rows that tell."""

    def __init__(self, message: str, span: Span, detail: str = ""):
        super().__init__(message)
        self.span, self.detail = span, detail


def run(project: LoadedProject, scenario: Scenario, target: Target, database: str) -> Result:
    """Play one scenario on DuckDB or Postgres; `database` names the server, which is left as it was."""
    started = time.perf_counter()
    part = only(project, scenario, target)
    made = build(part, "scenario")
    names = dialects.names(part.resolved, "scenario", part.resolved.targets["scenario"])
    try:
        with engines.scratch(str(target.dialect), database, names.control) as session:
            _Play(names, made, session).play(scenario)
    except Failed as wrong:
        return Result(scenario.name, "fail", wrong.span, time.perf_counter() - started, str(wrong), wrong.detail)
    except EngineError as wrong:
        return Result(scenario.name, "fail", scenario.span, time.perf_counter() - started, str(wrong))
    return Result(scenario.name, "ok", scenario.span, time.perf_counter() - started)


def only(project: LoadedProject, scenario: Scenario, target: Target) -> LoadedProject:
    """The project with nothing in it but what the scenario needs, and one target."""
    whole = project.resolved
    nodes = {name: node for name, node in whole.nodes.items() if name in scenario.nodes}
    read = {id_.partition(":")[2] for node in nodes.values() for id_ in node.depends_on if id_.startswith("source:")}
    read |= {t.id.partition(":")[2] for step in scenario.steps for t in step.given}
    tested = {t.to.partition(":")[2] for node in nodes.values() for t in node.tests if t.to}
    sources = {n: dataclasses.replace(s, database=None, tests=(), freshness=None) for n, s in whole.sources.items() if n in read | tested}
    bare = {n: dataclasses.replace(node, tests=(), readers=()) for n, node in nodes.items()}
    part = dataclasses.replace(
        whole, nodes=bare, sources=sources, exposures=(), schedules=(), scenarios=(), targets={"scenario": target.model_copy(update=_ALONE)}
    )
    return dataclasses.replace(project, resolved=part)


class _Play:
    def __init__(self, names: Names, made: Build, session: Session):
        self.names, self.session = names, session
        self.dialect: Dialect = dialects.get(str(names.target.dialect))
        self.texts: Mapping[str, str] = {f.path: f.text for f in made.files}
        manifest = json.loads(self.texts["manifest.json"])
        self.entries: dict[str, dict[str, Any]] = {n["name"]: n for n in manifest["nodes"]}

    def play(self, scenario: Scenario) -> None:
        self._create_sources()
        self.session.deploy(self.texts["deploy.sql"])
        for number, step in enumerate(scenario.steps, 1):
            here = f"step {number} ({step.as_of:%Y-%m-%d %H:%M}{', ' + step.because if step.because else ''})"
            try:
                self._step(step)
            except Failed as wrong:
                raise Failed(f"{here}: {wrong}", wrong.span, wrong.detail) from None
            except EngineError as wrong:
                raise Failed(f"{here}: {wrong}", step.span) from None

    def _step(self, step: ScenarioStep) -> None:
        for table in step.given:
            self._fill(table)
        failure = ""
        for name in step.run:
            entry = self.entries[name]
            text = self.texts.get(str(entry["script"]))
            ended = self.session.run(entry, text, step.as_of.isoformat(sep=" "), step.full_refresh and bool(entry["full_refresh"]))
            if not ended.succeeded:
                failure = ended.message
                break
        if failure and not step.fails:
            raise Failed(f"the run of {name} failed: {failure}", step.span)
        if step.fails and not failure:
            raise Failed(f"every run succeeded; one was to fail with {', '.join(step.fails)}", step.span)
        if unsaid := [part for part in step.fails if part not in failure]:
            raise Failed(f"the run of {name} failed without {', '.join(unsaid)}: {failure}", step.span)
        for table in step.expect:
            self._compare(table)

    def _create_sources(self) -> None:
        addresses = {name: self.names.symbol("source", name) for name in self.names.project.sources}
        for schema in sorted({a.schema for a in addresses.values()}):
            create = exp.Create(this=exp.Table(db=exp.to_identifier(schema, quoted=True)), kind="SCHEMA", exists=True)
            self.session.execute(self._print(create))
        for name, source in self.names.project.sources.items():
            definitions = [
                exp.ColumnDef(this=exp.to_identifier(c.name, quoted=True), kind=self._type(c)) for c in source.columns
            ]  # fmt: skip
            table = exp.Schema(this=relation("source", name), expressions=definitions)
            self.session.execute(self._print(exp.Create(this=table, kind="TABLE")))

    def _fill(self, table: ScenarioTable) -> None:
        name = table.id.partition(":")[2]
        self.session.execute(self._print(exp.Delete(this=relation("source", name))))
        if table.rows:
            into = exp.Schema(this=relation("source", name), expressions=[exp.to_identifier(c.name, quoted=True) for c in table.columns])
            self.session.execute(self._print(exp.Insert(this=into, expression=self._values(table))))

    def _values(self, table: ScenarioTable) -> exp.Query:
        """SELECT CAST('1' AS BIGINT) AS id, … UNION ALL …"""
        selects = []
        for row in table.rows:
            cells = [self._cell(c, v) for c, v in zip(table.columns, row, strict=True)]
            selects.append(exp.select(*(exp.alias_(v, c.name, quoted=True) for v, c in zip(cells, table.columns, strict=True))))
        if not selects:
            nothing = exp.select(*(exp.alias_(self._cell(c, None), c.name, quoted=True) for c in table.columns))
            return nothing.where(exp.false())
        query: exp.Query = selects[0]
        for select in selects[1:]:
            query = exp.Union(this=query, expression=select, distinct=False)
        return query

    def _cell(self, of: Column, value: str | None) -> exp.Expr:
        literal = exp.null() if value is None else exp.Literal.string(value)
        return exp.cast(literal, self._type(of))

    def _type(self, of: Column) -> exp.DataType:
        """A column whose type nobody knows, as a view may have it, is compared as text."""
        return (of.type or exp.DataType.build("text")).copy()

    def _compare(self, table: ScenarioTable) -> None:
        node = self.names.project.nodes[table.id.partition(":")[2]]
        columns = [exp.cast(column(c.name), "text") if c.type is None else column(c.name) for c in table.columns]
        if table.as_of is None:
            found = exp.select(*columns).from_(relation("ref", node.name))
        else:
            found = exp.select(*columns).from_(self._function(node.name, f"{node.identifier}_as_of", table))
        if not table.rows:
            found = found.limit(50)
        names = [c.name for c in table.columns]
        _, expected = self.session.query(self._print(self._values(table)))
        try:
            _, rows = self.session.query(self._print(found))
        except EngineError as error:
            raise Failed(f"{node.name} cannot be read: {error}", table.span) from None
        if text := difference(names, expected, rows):
            at = f" as of {table.as_of:%Y-%m-%d %H:%M:%S}" if table.as_of else ""
            raise Failed(f"{node.name}{at} is not as expected (- missing, + not expected)", table.span, text)

    def _function(self, name: str, function: str, table: ScenarioTable) -> exp.Table:
        assert table.as_of is not None
        address: Address = self.names.node(name, function)
        at = exp.cast(exp.Literal.string(table.as_of.isoformat(sep=" ")), "timestamptz")
        call = exp.Anonymous(this=exp.to_identifier(address.name, quoted=True), expressions=[at])
        return exp.Table(this=call, db=exp.to_identifier(address.schema, quoted=True))

    def _print(self, tree: exp.Expr) -> str:
        return print_sql(self.dialect.lower(tree, self.names), self.dialect)
