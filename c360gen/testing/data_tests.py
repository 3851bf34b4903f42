"""Data tests in a database: every row of a query is a failure; the database counts them, and a few are read."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from sqlglot import exp

from c360gen import dialects
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit import freshness, tests
from c360gen.emit.sql import print_sql
from c360gen.engines import EngineError, Session
from c360gen.project.nodes import Node, Source, Test
from c360gen.terms.symbols import column
from c360gen.testing import Result, Status
from c360gen.testing.tables import shown, table

SAMPLE = 5
"""Failing rows that are shown."""


def run(names: Names, session: Session, chosen: Collection[str]) -> Iterator[Result]:
    """The tests of the relations whose ids are `chosen`, in their order."""
    dialect = dialects.get(str(names.target.dialect))
    owners: list[Node | Source] = [*names.project.sources.values(), *names.project.nodes.values()]
    for source in names.project.sources.values():
        if source.freshness is not None and source.id in chosen:
            yield _fresh(source, names, session)
    for owner in owners:
        for test in owner.tests if owner.id in chosen else ():
            started = time.perf_counter()
            status: Status = "ok"
            message = detail = ""
            query = tests.query(owner, test)
            try:
                found, failing = _counted(query, names, dialect, session)
                if failing and query.named_selects != [tests.FAILURES]:
                    columns, rows = session.query(_print(_sample(query, test), names, dialect))
                    detail = table(columns, [[shown(v) for v in row] for row in rows])
                    detail += f"\n  … and {found - SAMPLE} more" if found > SAMPLE else ""
            except EngineError as error:
                status, message = "fail", str(error)
            else:
                if failing:
                    status = "fail" if test.severity == "error" else "warn"
                    message = f"{failing} {'row' if failing == 1 else 'rows'} of {owner.name} fail: {tests.label(owner, test)}"
            yield Result(test.name, status, test.span, time.perf_counter() - started, message, detail)


def _fresh(source: Source, names: Names, session: Session) -> Result:
    """dbt's `source freshness`: error and warn as the specs say."""
    dialect, name, started = dialects.get(str(names.target.dialect)), f"freshness_{source.name.replace('.', '_')}", time.perf_counter()
    status: Status = "ok"
    message = ""
    try:
        _, [(_, loaded_at, found, warn_after, error_after)] = session.query(_print(freshness.rows(source), names, dialect))
    except EngineError as error:
        status, message = "fail", str(error)
    else:
        if found != "pass":
            status, limit = ("fail", error_after) if found == "error" else ("warn", warn_after)
            newest = "there is none" if loaded_at is None else f"the newest is of {shown(loaded_at)} UTC"
            message = f"no row of {source.name} is younger than {_span(limit)}: {newest}"
    return Result(name, status, source.span, time.perf_counter() - started, message)


def _span(seconds: int) -> str:
    """7200 → 2 hours."""
    for word, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {word}{'' if seconds == size else 's'}"
    return f"{seconds} seconds"


def _counted(query: exp.Select, names: Names, dialect: Dialect, session: Session) -> tuple[int, int]:
    """How many rows answer, and how many fail, of which one of the answer may stand for several. Raise EngineError."""
    several = exp.Sum(this=exp.column(tests.FAILURES, "f")) if tests.FAILURES in query.named_selects else exp.Count(this=exp.Star())
    counted = exp.select(exp.Count(this=exp.Star()), several).from_(query.subquery("f"))
    _, [(rows, failing)] = session.query(_print(counted, names, dialect))
    return int(rows), int(failing or 0)


def _sample(query: exp.Select, test: Test) -> exp.Select:
    """A few rows of the answer; where they are groups, the largest ones, the same each time."""
    if tests.FAILURES in query.named_selects:
        query = query.order_by(exp.Ordered(this=exp.column(tests.FAILURES), desc=True), *(column(name, "t") for name in test.columns))
    return query.limit(SAMPLE)


def _print(query: exp.Select, names: Names, dialect: Dialect) -> str:
    return print_sql(dialect.lower(query, names), dialect)
