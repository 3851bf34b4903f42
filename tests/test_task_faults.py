"""What a person may do to a history is done or not done: a rewind, an erasure and an adoption that fail, or die, at every statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from c360gen.pipeline import LoadedProject
from tests.conftest import CASES, built, new_database
from tests.engines.gates import Call, Keeper, gated
from tests.test_faults import CHANGE, FIRST, in_transaction
from tests.warehouse.machine import Failure, Killed
from tests.worlds import Embedded, Interpreted, World, text_of

OLD = (
    "INSERT INTO mesh.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00', '1970-01-01 00:00', '2026-01-02 10:00')",
    "INSERT INTO mesh.customers VALUES (1, 'a2', 'Rome', '2026-01-02 10:00:00+00', '2026-01-02 10:00', NULL)",
)


@dataclass(frozen=True)
class Task:
    case: str
    node: str
    arguments: tuple[str, ...]
    """Of the procedure, as Postgres writes them."""
    tables: tuple[str, ...]


TASKS = {
    "rewind": Task("maintenance", "history", ("'2026-01-02 12:00:00+00'",), ("snap.history", "snap.history_quarantine")),
    "erase": Task("maintenance", "history", ("2",), ("snap.history", "snap.history_quarantine")),
    "adopt": Task("adoption", "meshed", (), ("snap.meshed",)),
}


def prepare(found: World, action: str) -> None:
    """Two days of history, or a table to adopt."""
    if action == "adopt":
        for statement in OLD:
            found.sql(statement)
        return
    found.sql(FIRST)
    assert found.run("history", "2026-01-02 00:00:00") == ""
    for statement in CHANGE:
        found.sql(statement)
    assert found.run("history", "2026-01-03 00:00:00") == ""


def state(found: World, action: str) -> list[Any]:
    """The tables, and what was committed of runs."""
    rows: list[Any] = [sorted(map(str, found.rows(f"SELECT * FROM {table}"))) for table in TASKS[action].tables]
    known = "watermark" if isinstance(found, Interpreted) else "state"
    return [*rows, sorted(map(str, found.rows(f"SELECT node, as_of FROM c360_control.{known}"))) if known == "watermark" else
            sorted(map(str, found.rows("SELECT node, watermark, last_as_of FROM c360_control.state")))]  # fmt: skip


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize("action", TASKS)
def test_in_a_warehouse(action: str, engine: str, world: Callable[[Path, str], World]) -> None:
    """The n-th statement fails, then the session dies there."""
    task = TASKS[action]
    found = world(CASES / task.case / "specs", engine)
    assert isinstance(found, Interpreted)
    prepare(found, action)
    before = state(found, action)
    given = [a.strip("'").removesuffix("" if engine == "bigquery" else "+00") for a in task.arguments]
    call = f"c360_control.{action}_{task.node}"
    number = 0
    while True:
        number += 1
        try:
            found.warehouse.call(call, *given, False, fail_at=number)
        except Failure as failure:
            assert "injected" in str(failure)
        else:
            break
        assert state(found, action) == before, f"statement {number} failed, and something was written"
        with pytest.raises(Killed):
            found.warehouse.call(call, *given, False, kill_at=number)
        assert state(found, action) == before, f"the session died at statement {number}, and something was written"
        assert number < 60
    assert number - 1 == found.warehouse.statements, "every statement of the procedure was hit once"
    assert state(found, action) != before
    statuses = found.rows(f"SELECT COUNT(*) FROM c360_control.run_log WHERE action = '{action}' AND message = 'injected'")
    assert statuses[0][0] >= number - 2, "no statement but the first, which announces, fails without a row"


@pytest.mark.parametrize("action", TASKS)
def test_as_a_script(action: str, world: Callable[[Path, str], World]) -> None:
    """On DuckDB a script that stops anywhere leaves all as it was."""
    task = TASKS[action]
    found = world(CASES / task.case / "specs", "duckdb")
    assert isinstance(found, Embedded)
    prepare(found, action)
    statements = duckdb.extract_statements(text_of(found.build, f"scripts/{action}_{task.node}.sql"))
    named = dict(zip({"rewind": ["rewind_to"], "erase": ["erase_key"], "adopt": []}[action], task.arguments, strict=True))
    before = state(found, action)
    for stop in range(1, len(statements)):
        for name, value in {**named, "dry_run": "false"}.items():
            found.connection.execute(f"SET VARIABLE {name} = {value}")
        for statement in statements[:stop]:
            found.connection.execute(statement)
        if in_transaction(found):
            found.connection.execute("ROLLBACK")
        if found.rows(f"SELECT COUNT(*) FROM c360_control.run_log WHERE action = '{action}' AND status = 'succeeded'") == [(1,)]:
            break
        assert state(found, action) == before, f"stopped before statement {stop + 1}, and something was written"
    assert state(found, action) != before


@pytest.mark.parametrize("action", TASKS)
def test_on_postgres(action: str, server: str, project: Callable[[Path], LoadedProject]) -> None:
    """The backend is terminated before every statement that a good call goes through."""
    task = TASKS[action]
    made = built(project(CASES / task.case / "specs"), "postgres")
    text = gated(text_of(made, "deploy.sql"), action)
    statement = f"CALL c360_control.{action}_{task.node}({', '.join([*task.arguments, 'p_dry_run => false'])})"
    uris = [new_database(server, f"task_{action}_{n}") for n in range(2)]
    good, found = (Embedded(made, uri) for uri in uris)
    for each in (good, found):
        each.session.deploy(text.text)
        prepare(each, action)
    whole = Call(uris[0], statement).start()
    assert whole.join() is None
    before, keeper = state(found, action), Keeper(uris[1])
    killed = 0
    for gate in whole.passed:
        keeper.shut(gate)
        call = Call(uris[1], statement).start()
        assert keeper.stands(call), text.gates[gate]
        keeper.connection.execute("SELECT pg_terminate_backend(%s, 5000)", [call.pid])
        keeper.open()
        assert call.join() is not None
        if state(found, action) != before:
            assert gate in whole.passed[-2:], f"{text.gates[gate]}: something was written"
            break
        killed += 1
    assert killed >= len(whole.passed) - 2
    [(told,)] = found.rows(f"SELECT COUNT(*) FROM c360_control.run_log WHERE action = '{action}'")
    assert told >= killed - 4, "a call that died is in the log unless it died before it could announce itself"
    for each in (good, found):
        each.close()
    keeper.connection.close()
    whole.close()
