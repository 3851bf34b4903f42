"""Nothing half-done: a failure, and a killed session, at every statement of every kind of procedure.

Snowflake and BigQuery: their own text in the interpreter. DuckDB: its script, stopped before every statement.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from tests.conftest import CASES
from tests.slow import but_slow
from tests.warehouse.machine import Failure, Killed, lines
from tests.worlds import Embedded, Interpreted, World, text_of

FIRST = "INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00'), (2, 'b', 'Oslo', '2026-01-01 10:00:00+00')"
CHANGE = (
    "UPDATE raw.customers SET email = 'a2', updated_at = '2026-01-02 10:00:00+00' WHERE id = 1",
    "DELETE FROM raw.customers WHERE id = 2",
    "INSERT INTO raw.customers VALUES (3, 'c', 'Bonn', '2026-01-02 11:00:00+00')",
)
NOW = dt.datetime(2026, 1, 20, tzinfo=dt.UTC)
"""The interpreter's clock: in the first month, so that a microbatch that asks it has one window to load."""
NODES = {
    "timestamp_invalidate": ("history", "snap.history"),
    "merge": ("latest", "int.latest"),
    "append": ("events", "int.events"),
    "kinds/checked": ("checked", "snap.checked"),
    "kinds/lines": ("lines", "int.lines"),
    "kinds/days": ("days", "int.days"),
    "kinds/months": ("months", "int.months"),
    "kinds/whole": ("whole", "int.whole"),
    "feed_kinds/remembered": ("remembered", "snap.remembered", "snap.remembered_observations"),
    "feed_kinds/copied": ("copied", "snap.copied"),
}
"""Every strategy: the case, and after a slash which node of it; the node, and the tables that it writes."""
MODELS = ("append", "merge", "kinds/days", "kinds/lines", "kinds/months")
"""Those that a full refresh empties and fills again."""


def prepared(world: Callable[[Path, str], World], case: str, engine: str) -> World:
    """One good run, then changes of every sort waiting in the source."""
    found = world(CASES / case.partition("/")[0] / "specs", engine)
    if isinstance(found, Interpreted):
        found.warehouse.clock = NOW
    found.sql(FIRST)
    assert found.run(NODES[case][0], "2026-01-02 00:00:00") == ""
    for statement in CHANGE:
        found.sql(statement)
    return found


def state(found: World, case: str) -> list[Any]:
    """The target, and what was committed of watermarks and windows."""
    rows: list[Any] = [sorted(map(str, found.rows(f"SELECT * FROM {table}"))) for table in NODES[case][1:]]
    if isinstance(found, Interpreted):
        rows.append(sorted(map(str, found.rows("SELECT node, cursor_value, as_of FROM c360_control.watermark"))))
    else:
        rows.append(sorted(map(str, found.rows("SELECT node, watermark, last_as_of FROM c360_control.state"))))
    rows.append(
        sorted(map(str, found.rows("SELECT node, window_start, loaded_as_of FROM c360_control.windows WHERE loaded_as_of IS NOT NULL")))
    )
    return rows


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize(
    ("case", "full_refresh"),
    [
        *but_slow(
            [pytest.param(c, False, id=f"{c}-False") for c in sorted(NODES)], ["feed_kinds/copied-False", "feed_kinds/remembered-False"]
        ),
        *(pytest.param(c, True, marks=pytest.mark.faults) for c in MODELS),
    ],
)
def test_every_statement_of_a_warehouse(case: str, full_refresh: bool, engine: str, world: Callable[[Path, str], World]) -> None:
    """Before or after, never between: the n-th statement fails, then the session dies there; the next run heals."""
    found = prepared(world, case, engine)
    assert isinstance(found, Interpreted)
    node = NODES[case][0]
    arguments = found.arguments(node, "2026-01-03 00:00:00", full_refresh)
    before = state(found, case)
    number = 0
    while True:
        number += 1
        try:
            found.warehouse.call(f"c360_control.run_{node}", *arguments, fail_at=number)
        except Failure as failure:
            assert "injected" in str(failure)
            assert state(found, case) == before, f"statement {number} failed, and something was written"
            if number > 1:  # the first statement writes the row `running` itself
                statuses = found.rows(f"SELECT status FROM c360_control.run_log WHERE message = 'injected' AND node = '{NODES[case][1]}'")
                assert len(statuses) >= number - 1, f"statement {number} failed, and the log does not tell"
        else:
            break
        with pytest.raises(Killed):
            found.warehouse.call(f"c360_control.run_{node}", *arguments, kill_at=number)
        assert state(found, case) == before, f"the session died at statement {number}, and something was written"
        if number > (2 if case == "kinds/months" else 1):  # a microbatch looks for its window before it announces the run
            status = found.rows("SELECT status FROM c360_control.run_log ORDER BY logged_at DESC LIMIT 1")
            assert status == [("running",)], f"the session died at statement {number}, and the log does not tell"
        assert number < 60
    assert number - 1 == found.warehouse.statements, "every statement of the procedure was hit once"
    assert state(found, case) != before, "the run after the failures must do its work"
    assert found.run(node, "2026-01-04 00:00:00") == ""


@pytest.mark.parametrize(("case", "full_refresh"), [*((c, False) for c in sorted(NODES)), *((c, True) for c in MODELS)])
def test_every_statement_of_a_script(case: str, full_refresh: bool, world: Callable[[Path, str], World]) -> None:
    """A script that stops anywhere leaves the tables as they were, and a row that the next run calls abandoned."""
    found = prepared(world, case, "duckdb")
    assert isinstance(found, Embedded)
    node, table = NODES[case][:2]
    statements = duckdb.extract_statements(text_of(found.build, f"scripts/run_{node}.sql"))
    before = state(found, case)
    done = f"SELECT count(*) FROM c360_control.run_log WHERE node = '{table}' AND status = 'succeeded' AND as_of = '2026-01-03 00:00:00+00'"
    for stop in range(1, len(statements)):
        found.connection.execute(f"SET VARIABLE as_of = TIMESTAMPTZ '2026-01-03 00:00:00+00'; SET VARIABLE full_refresh = {full_refresh}")
        for statement in statements[:stop]:
            found.connection.execute(statement)
        if found.rows("SELECT current_setting('TimeZone')") and in_transaction(found):
            found.connection.execute("ROLLBACK")
        here = f"stopped before statement {stop + 1}: {statements[stop].query[:60]}"
        if found.rows(done) == [(1,)]:
            assert state(found, case) != before, f"{here}, and the log tells of data that are not there"
            last = found.rows(f"SELECT last_as_of = '2026-01-03 00:00:00+00' FROM c360_control.state WHERE node = '{table}'")
            assert last == [(True,)], f"{here}, and an older run may follow"
            break
        assert state(found, case) == before, f"{here}, and something was written"
    assert found.run(node, "2026-01-03 00:00:00") == ""
    assert state(found, case) != before
    statuses = {s for (s,) in found.rows(f"SELECT DISTINCT status FROM c360_control.run_log WHERE node = '{table}'")}
    assert statuses == {"succeeded", "abandoned"}


def in_transaction(found: Embedded) -> bool:
    try:
        found.connection.execute("BEGIN TRANSACTION")
    except duckdb.Error:
        return True
    found.connection.execute("ROLLBACK")
    return False


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_every_line_is_reached(engine: str, world: Callable[[Path, str], World]) -> None:
    """Scenario and guards together run every line of a snapshot's procedure; what no test reaches is not proven."""
    found = world(CASES / "guards" / "specs", engine)
    assert isinstance(found, Interpreted)
    at = iter(f"2026-01-{day:02} 00:00:00" for day in range(2, 28))

    def run() -> str:
        return found.run("history", next(at))

    found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'x', '2026-01-01 00:00:00+00'), (1, 'a', 'x', '2026-01-01 00:00:00+00')")
    assert "occur in several rows" in run()
    found.sql("DELETE FROM raw.customers; INSERT INTO raw.customers VALUES (NULL, 'a', 'x', '2026-01-01 00:00:00+00')")
    assert "have no id" in run()
    found.sql("UPDATE raw.customers SET id = 1, updated_at = NULL")
    assert "no usable updated_at" in run()
    found.sql("UPDATE raw.customers SET updated_at = '2026-03-01 00:00:00+00'")
    assert "later than" in run()
    found.sql("UPDATE raw.customers SET updated_at = '2026-01-01 00:00:00+00'")
    assert run() == ""
    found.sql("DELETE FROM raw.customers")
    assert "is empty" in run()
    found.sql("INSERT INTO raw.customers VALUES (1, 'b', 'x', '2026-01-01 00:00:00+00'), (2, 'b', 'x', '2026-01-01 00:00:00+00')")
    last = next(at)
    assert found.run("history", last) == ""
    found.sql("UPDATE raw.customers SET email = 'c' WHERE id = 1")
    assert "cannot be closed" in found.run("history", last)
    assert "the run time" in found.run("history", "2026-01-01 00:00:00")
    found.sql("UPDATE c360_control.lock_history SET node = 'x'")
    assert "ZC008" in found.run("history", next(at))
    found.sql("UPDATE c360_control.lock_history SET node = 'snap.history'")
    if engine == "snowflake":
        found.sql("UPDATE c360_control.lock_history SET run_id = 'not in the log'")
        assert "ZC024" in found.run("history", next(at))
        found.sql("UPDATE c360_control.lock_history SET run_id = NULL")
    found.sql("DELETE FROM snap.history")
    found.sql("INSERT INTO raw.customers VALUES (3, 'd', 'x', '2026-01-01 00:00:00+00')")
    assert run() == ""
    found.sql("ALTER TABLE raw.customers DROP COLUMN city")
    assert "of another kind than declared: city" in run()
    found.sql("DROP TABLE raw.customers")
    assert "is not there" in run()
    procedures = [p.read() for p in found.warehouse.procedures if p.name.endswith("run_history")]
    missed = [line for name, line in lines(procedures) if (name, line) not in found.warehouse.machine.reached]
    text = text_of(found.build, "deploy.sql").split("\n")
    allowed = ("ZC006", "v_message := 'ZC006", "RAISE guard_failed", "v_in_transaction = FALSE;  -- BigQuery had ended")
    unexpected = [f"{line}: {text[line - 1].strip()}" for line in missed if not any(a in text[line - 1] for a in allowed)]
    assert not unexpected


def test_the_interpreter_tells_broken_text_from_failures(world: Callable[[Path, str], World]) -> None:
    """A typo in a procedure is not something that its own handler may swallow."""
    from tests.warehouse.machine import Broken
    from tests.warehouse.warehouse import Warehouse

    good = world(CASES / "guards" / "specs", "bigquery")
    assert isinstance(good, Interpreted)
    text = text_of(good.build, "deploy.sql")
    for right, wrong in (
        ("s.updated_at > v_latest", "s.updated_att > v_latest"),
        ("v_new_keys <> v_new_rows", "v_newkeys <> v_new_rows"),
    ):
        assert right in text
        broken = Warehouse("bigquery", "acme-analytics")
        broken.execute("CREATE SCHEMA raw; CREATE TABLE raw.customers (id BIGINT, email TEXT, city TEXT, updated_at TIMESTAMPTZ)")
        broken.install(text.replace(right, wrong))
        with pytest.raises(Broken):
            broken.call("c360_control.run_history", None)


def test_a_failing_node_stops_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first failure stops the nodes behind it, says so, and exits 1."""
    from c360gen.cli.main import cli

    runner = CliRunner()
    monkeypatch.chdir(tmp_path)
    assert runner.invoke(cli, ["init", "."]).exit_code == 0
    assert runner.invoke(cli, ["build"]).exit_code == 0
    with duckdb.connect("x.duckdb") as connection:
        connection.execute(
            "CREATE SCHEMA raw_data; CREATE TABLE raw_data.customers (customer_id BIGINT, email TEXT, updated_at TIMESTAMPTZ)"
        )
        connection.execute("INSERT INTO raw_data.customers VALUES (NULL, 'x', now())")
    assert runner.invoke(cli, ["deploy", "--target", "duckdb", "--database", "x.duckdb"]).exit_code == 0
    result = runner.invoke(cli, ["run", "--target", "duckdb", "--database", "x.duckdb", "--job", "daily"])
    assert result.exit_code == 1
    assert "have no customer_id" in result.output and "1 node behind it not run" in result.output
    with duckdb.connect("x.duckdb") as connection:
        assert connection.execute("SELECT node, status FROM c360_control.run_log").fetchall() == [("snapshots.customer_snapshot", "failed")]
