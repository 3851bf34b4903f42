"""Data tests in a database: every row that a query returns is a failure."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from c360gen import dialects
from c360gen.dialects.names import Names
from c360gen.emit import freshness, tests
from c360gen.emit.sql import print_sql
from c360gen.engines import EngineError, Session
from c360gen.project.nodes import Node, Source
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
            try:
                columns, rows = session.query(tests.text(owner, test, names, dialect))
            except EngineError as error:
                status, message = "fail", str(error)
            else:
                if rows:
                    status = "fail" if test.severity == "error" else "warn"
                    message = f"{_count(columns, rows)} of {owner.name} fail: {tests.label(owner, test)}"
                    if columns != [tests.FAILURES]:
                        detail = table(columns, [[shown(v) for v in row] for row in rows[:SAMPLE]])
                        detail += f"\n  … and {len(rows) - SAMPLE} more" if len(rows) > SAMPLE else ""
            yield Result(test.name, status, test.span, time.perf_counter() - started, message, detail)


def _fresh(source: Source, names: Names, session: Session) -> Result:
    """dbt's `source freshness`: error and warn as the specs say."""
    dialect, name, started = dialects.get(str(names.target.dialect)), f"freshness_{source.name.replace('.', '_')}", time.perf_counter()
    status: Status = "ok"
    message = ""
    query = print_sql(dialect.lower(freshness.rows(source), names), dialect)
    try:
        _, [(_, loaded_at, found, warn_after, error_after)] = session.query(query)
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


def _count(columns: list[str], rows: list[tuple[object, ...]]) -> str:
    at = columns.index(tests.FAILURES) if tests.FAILURES in columns else None
    number = len(rows) if at is None else sum(int(str(row[at])) for row in rows)
    return f"{number} {'row' if number == 1 else 'rows'}"
