"""Two sessions at one node of a warehouse, in the interpreter: a second run begins before every statement of the first.

A statement that meets uncommitted changes of another session waits, as it would for the lock of a table. That is what is assumed of
Snowflake and BigQuery; what follows from it is executed here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CASES
from tests.test_faults import NODES, prepared
from tests.warehouse.machine import Failure, Waits
from tests.worlds import Interpreted, World

STRATEGIES = [c if c == "timestamp_invalidate" else pytest.param(c, marks=pytest.mark.faults) for c in sorted(NODES)]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize("case", STRATEGIES)
def test_a_second_run_before_every_statement(case: str, engine: str, world: Callable[[Path, str], World]) -> None:
    """It waits, or goes first; what both have left is what one after the other leaves, and each is younger than the one before."""
    node, table = NODES[case][:2]
    found = prepared(world, case, engine)
    assert isinstance(found, Interpreted)
    arguments = found.arguments(node, None, False)
    backups = Backups(found, [*NODES[case][1:], *found.manifest_tables()])
    found.warehouse.call(f"c360_control.run_{node}", *arguments)
    expected = contents(found, table)
    statements = found.warehouse.statements
    waited: list[int] = []
    overtaken: list[int] = []
    for number in range(1, statements + 1):
        backups.restore()
        here = f"a second run before statement {number}"
        other = found.warehouse.session()

        def intrude(other: Any = other, number: int = number) -> None:
            other.clock = found.warehouse.clock  # one time for both: the intruder's run time lies behind whatever was read so far
            try:
                other.call(f"c360_control.run_{node}", *arguments)
            except Waits:
                waited.append(number)
            found.warehouse.clock = other.clock

        found.warehouse.machine.pauses = {number: intrude}
        try:
            found.warehouse.call(f"c360_control.run_{node}", *arguments)
        except Failure as failure:
            assert "ZC005" in str(failure), here
            overtaken.append(number)
        finally:
            found.warehouse.machine.pauses = {}
        other.clock = found.warehouse.clock
        if number in (*waited, *overtaken):
            other.call(f"c360_control.run_{node}", *arguments)
        assert contents(found, table) == expected, here
        done = f"FROM c360_control.run_log WHERE node = '{table}' AND status = 'succeeded'"
        assert found.rows(f"SELECT count(*) {done}") == [(3,)], here
        older = f"SELECT 1 FROM (SELECT as_of, lag(as_of) OVER (ORDER BY logged_at) AS previous {done}) AS l WHERE as_of < previous"
        assert found.rows(older) == [], f"{here}: a run is older than the one that it waited for"
        other.connection.close()
    assert waited == list(range(waited[0], statements + 1)), "from the lock on, everything waits until the commit"
    assert waited[0] < 8
    # BigQuery's run time is that of its BEGIN: who is overtaken between it and the lock is older, fails cleanly, and is called again.
    assert overtaken == ([waited[0] - 1] if engine == "bigquery" else [])


def contents(found: Interpreted, table: str) -> list[str]:
    """The target without ids of runs and times of runs: those differ between one order and another."""
    names = [c for (c,) in found.rows(f"SELECT column_name FROM duckdb_columns() WHERE schema_name || '.' || table_name = '{table}'")]
    kept = [c for c in names if not c.endswith("_run_id") and c not in ("valid_from", "valid_to")]
    closed = ["valid_to IS NULL"] if "valid_to" in names else []
    return sorted(map(str, found.rows(f"SELECT {', '.join([*kept, *closed])} FROM {table}")))


class Backups:
    """Tables as they are now, to be put back as often as needed."""

    def __init__(self, found: Interpreted, tables: list[str]):
        self.found, self.tables = found, tables
        found.sql("CREATE SCHEMA backup")
        for number, table in enumerate(tables):
            found.sql(f"CREATE TABLE backup.t{number} AS SELECT * FROM {table}")

    def restore(self) -> None:
        for number, table in enumerate(self.tables):
            self.found.sql(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM backup.t{number}")


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize("case", sorted(NODES))
def test_a_count_that_is_not_exact(case: str, engine: str, world: Callable[[Path, str], World]) -> None:
    """Every write of the node that says another number of rows than was decided undoes the run."""
    node, *tables = NODES[case]
    found = prepared(world, case, engine)
    assert isinstance(found, Interpreted)
    every_count(found, node, tables, whole=case == "kinds/whole")


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_count_of_overwritten_rows(engine: str, world: Callable[[Path, str], World]) -> None:
    """The same of rows that are overwritten in their open version."""
    found = world(CASES / "column_changes" / "specs", engine)
    assert isinstance(found, Interpreted)
    found.sql("INSERT INTO raw.customers VALUES (1, 'a', '11', '2026-01-01 00:00:00+00')")
    assert found.run("history", "2026-01-02 00:00:00") == ""
    found.sql("UPDATE raw.customers SET phone = '12'")
    every_count(found, "history", ["snap.history"])


def every_count(found: Interpreted, node: str, tables: list[str], whole: bool = False) -> None:
    arguments = found.arguments(node, "2026-01-03 00:00:00", False)
    backups = Backups(found, [*tables, *found.manifest_tables()])
    found.warehouse.call(f"c360_control.run_{node}", *arguments)
    names = [t.partition(".")[2] for t in tables]
    writes = [n for n, t in found.warehouse.machine.written.items() if t in names]
    locks = [n for n, t in found.warehouse.machine.written.items() if t == f"lock_{node}"]
    assert writes and locks
    if whole:
        writes.pop()  # nothing is decided of how many rows a query gives
    taken = locks[0] if found.dialect == "snowflake" else locks[-1]  # BigQuery queues first; Snowflake names the run in it at the end
    for number in (*writes, taken):
        backups.restore()
        before = [contents(found, table) for table in tables]
        found.warehouse.machine.miscounts = {number}
        try:
            with pytest.raises(Failure, match="ZC008" if number in locks else "ZC006"):
                found.warehouse.call(f"c360_control.run_{node}", *arguments)
        finally:
            found.warehouse.machine.miscounts = set()
        assert [contents(found, table) for table in tables] == before
