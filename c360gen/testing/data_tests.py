"""Data tests in a database: every row that a query returns is a failure."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

from c360gen import dialects
from c360gen.dialects.names import Names
from c360gen.emit import tests
from c360gen.engines import EngineError, Session
from c360gen.project.nodes import Node, Source
from c360gen.testing import Result
from c360gen.testing.tables import shown, table

SAMPLE = 5
"""Failing rows that are shown."""


def run(names: Names, session: Session, chosen: Collection[str]) -> Iterator[Result]:
    """The tests of the relations whose ids are `chosen`, in their order."""
    dialect = dialects.get(str(names.target.dialect))
    owners: list[Node | Source] = [*names.project.sources.values(), *names.project.nodes.values()]
    for owner in owners:
        for test in owner.tests if owner.id in chosen else ():
            started = time.perf_counter()
            status, message, detail = "ok", "", ""
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


def _count(columns: list[str], rows: list[tuple[object, ...]]) -> str:
    at = columns.index(tests.FAILURES) if tests.FAILURES in columns else None
    number = len(rows) if at is None else sum(int(str(row[at])) for row in rows)
    return f"{number} {'row' if number == 1 else 'rows'}"
