"""A session of Snowflake that has the lock and does not see yet what the run before it has committed.

READ_CONSISTENCY_MODE = SESSION, the default, promises a session no more than what it has committed itself. A statement that changes a
table works on the latest state of it all the same: otherwise the second of two UPDATEs would undo the first.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CASES
from tests.test_faults import NODES, prepared, state
from tests.warehouse.machine import Failure
from tests.warehouse.test_two_sessions import STRATEGIES, contents
from tests.warehouse.warehouse import Warehouse
from tests.worlds import Interpreted, World

FOREVER = 10**9


def behind(found: Interpreted, case: str, lag: int) -> Warehouse:
    """A session that for some seconds of waiting sees what was there before the run that is made here."""
    node, *tables = NODES[case]
    tables += ["c360_control.windows"]
    found.sql("CREATE SCHEMA old")
    for number, table in enumerate(tables):
        found.sql(f"CREATE TABLE old.t{number} AS SELECT * FROM {table}")
    found.warehouse.call(f"c360_control.run_{node}", *found.arguments(node, None, False))
    [(last,)] = found.rows(f"SELECT run_id FROM c360_control.lock_{node}")
    seen = {table: f"old.t{number}" for number, table in enumerate(tables)}
    for log in ("run_log", "watermark", "window_log"):
        announced = "OR status = 'running'" if log == "run_log" else ""  # which was committed long before
        found.sql(f"CREATE VIEW old.{log} AS SELECT * FROM c360_control.{log} WHERE run_id <> '{last}' {announced}")
        seen[f"c360_control.{log}"] = f"old.{log}"
    session = found.warehouse.session()
    session.machine.behind, session.machine.lag = seen, lag
    return session


@pytest.mark.parametrize("engine", ["snowflake"])
@pytest.mark.parametrize("case", STRATEGIES)
def test_what_stays_unseen_fails_the_run(case: str, engine: str, world: Callable[[Path, str], World]) -> None:
    """Before anything is written; the next call, which sees it, goes on."""
    node = NODES[case][0]
    found = prepared(world, case, engine)
    assert isinstance(found, Interpreted)
    session = behind(found, case, FOREVER)
    before, expected = state(found, case), contents(found, NODES[case][1])
    lock = found.rows(f"SELECT run_id FROM c360_control.lock_{node}")
    with pytest.raises(Failure, match=r"ZC024 \S+: what its last run has committed is not seen in the log after 10 seconds\. Nothing was"):
        session.call(f"c360_control.run_{node}", *found.arguments(node, None, False))
    assert state(found, case) == before
    assert session.machine.lag == FOREVER - 10
    assert found.rows(f"SELECT run_id FROM c360_control.lock_{node}") == lock
    logged = f"SELECT status, message LIKE 'ZC024%' FROM c360_control.run_log WHERE node = '{NODES[case][1]}' ORDER BY logged_at"
    assert found.rows(logged)[-2:] == [("running", None), ("failed", True)]
    session.machine.behind = {}
    session.call(f"c360_control.run_{node}", *found.arguments(node, None, False))
    assert contents(found, NODES[case][1]) == expected


@pytest.mark.parametrize("engine", ["snowflake"])
@pytest.mark.parametrize("case", STRATEGIES)
def test_what_is_seen_a_little_later_is_waited_for(case: str, engine: str, world: Callable[[Path, str], World]) -> None:
    node, table = NODES[case][:2]
    found = prepared(world, case, engine)
    assert isinstance(found, Interpreted)
    session = behind(found, case, 3)
    expected = contents(found, table)
    assert found.warehouse.machine.lag == 0, "who sees everything waits for nothing"
    session.call(f"c360_control.run_{node}", *found.arguments(node, None, False))
    assert session.machine.lag == 0, "who does not, no longer than it takes"
    assert contents(found, table) == expected
    assert found.rows(f"SELECT count(*) FROM c360_control.run_log WHERE node = '{table}' AND status = 'succeeded'") == [(3,)]
    last = f"SELECT l.run_id = w.run_id FROM c360_control.lock_{node} AS l, c360_control.watermark AS w WHERE w.node = '{table}'"
    assert found.rows(f"{last} ORDER BY w.recorded_at DESC LIMIT 1") == [(True,)]


def test_tasks_look_as_runs_do(world: Callable[[Path, str], World]) -> None:
    """A rewind that does not see the last run would leave it in the history, and take its watermark away."""
    found = prepared(world, "timestamp_invalidate", "snowflake")
    assert isinstance(found, Interpreted)
    session = behind(found, "timestamp_invalidate", FOREVER)
    before = state(found, "timestamp_invalidate")
    for action, arguments in (("check", []), ("rewind", ["2026-01-02 12:00:00", False])):
        with pytest.raises(Failure, match="ZC024"):
            session.call(f"c360_control.{action}_history", *arguments)
    assert state(found, "timestamp_invalidate") == before
    session.machine.behind = {}
    session.call("c360_control.rewind_history", "2026-01-02 12:00:00", False)
    [(named, logged)] = found.rows(
        "SELECT l.run_id, r.run_id FROM c360_control.lock_history AS l LEFT JOIN c360_control.run_log AS r "
        "ON r.run_id = l.run_id AND r.status = 'succeeded' AND r.action = 'rewind'"
    )
    assert named == logged


def test_a_failed_run_is_not_the_last(world: Callable[[Path, str], World]) -> None:
    """What is rolled back was never committed: the lock names the run before it."""
    found = prepared(world, "timestamp_invalidate", "snowflake")
    before = found.rows("SELECT run_id FROM c360_control.lock_history")
    found.sql("UPDATE raw.customers SET id = NULL")
    assert "ZC002" in found.run("history", "2026-01-03 00:00:00")
    assert found.rows("SELECT run_id FROM c360_control.lock_history") == before


def test_pruning_leaves_what_the_lock_names(world: Callable[[Path, str], World]) -> None:
    """The last run of a node may be a check, of which the watermark knows nothing."""
    found = world(CASES / "maintenance" / "specs", "snowflake")
    assert isinstance(found, Interpreted)
    found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'b', '2026-01-01 00:00:00+00')")
    assert found.run("history", "2026-01-02 00:00:00") == ""
    for _ in range(2):
        assert found.task("check", "history", {}, True) == ""
    found.sql("UPDATE c360_control.run_log SET logged_at = logged_at - INTERVAL 9 YEAR")
    found.warehouse.call("c360_control.prune_run_log", "400")
    kept = "SELECT action, count(*) FROM c360_control.run_log WHERE status = 'succeeded' GROUP BY action ORDER BY action"
    assert found.rows(kept) == [("check", 1), ("run", 1)]
    assert found.run("history", "2026-01-03 00:00:00") == ""


def test_a_log_that_was_cleaned_by_hand(world: Callable[[Path, str], World]) -> None:
    """It cannot be told from one that is not seen; the message says what to do."""
    found = prepared(world, "timestamp_invalidate", "snowflake")
    found.sql("DELETE FROM c360_control.run_log")
    said = found.run("history", "2026-01-03 00:00:00")
    assert "ZC024" in said and "run_id of its lock table must be NULL" in said
    found.sql("UPDATE c360_control.lock_history SET run_id = NULL")
    assert found.run("history", "2026-01-03 00:00:00") == ""
