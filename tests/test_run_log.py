"""The run log over years: old rows go, what is needed stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CASES, ENGINES
from tests.worlds import Interpreted, World, text_of

DAYS = ("2026-01-02", "2026-01-03", "2026-01-04")


@pytest.mark.parametrize("engine", ENGINES)
def test_prune(engine: str, world: Callable[[Path, str], World]) -> None:
    """Of four old runs the last success stays, and a history can be rewound to what is left, not to what is gone."""
    found = world(CASES / "maintenance" / "specs", engine)
    found.sql("INSERT INTO raw.customers VALUES (NULL, 'a', 'b', '2026-01-01 00:00:00+00')")
    assert "ZC002" in found.run("history")  # as a schedule calls it: without a time
    found.sql("DELETE FROM raw.customers")
    for day in DAYS:
        found.sql(f"INSERT INTO raw.customers VALUES ({day[-1]}, 'a', 'b', '{day} 00:00:00+00')")
        assert found.run("history", f"{day} 12:00:00") == ""
    time = "logged_at" if isinstance(found, Interpreted) else "started_at"
    found.sql(f"UPDATE c360_control.run_log SET {time} = '2020-01-01 00:00:00+00'")
    found.sql("INSERT INTO raw.customers VALUES (9, 'a', 'b', '2026-01-05 00:00:00+00')")
    assert found.run("history", "2026-01-05 12:00:00") == ""
    found.sql(f"UPDATE c360_control.run_log SET {time} = '2020-01-01 00:00:00+00' WHERE as_of < '2026-01-05 00:00:00+00'")
    prune(found)
    runs = found.rows("SELECT DISTINCT CAST(as_of AS DATE) FROM c360_control.run_log WHERE status = 'succeeded' ORDER BY 1")
    assert [str(day) for (day,) in runs] == ["2026-01-05"]
    assert found.rows("SELECT count(*) FROM c360_control.run_log WHERE status = 'failed'") == [(0,)]
    assert "ZC018" in found.task("rewind", "history", {"to": "2026-01-04 18:00:00"}, True)
    assert found.run("history", "2026-01-06 12:00:00") == ""
    assert found.task("rewind", "history", {"to": "2026-01-05 18:00:00"}, True) == ""
    assert found.rows("SELECT count(*) FROM snap.history_current") == [(4,)]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_log_that_was_emptied_by_hand(engine: str, world: Callable[[Path, str], World]) -> None:
    """Without its watermark an append would read everything once more, and have it twice: the last of a node stays."""
    found = world(CASES / "append" / "specs", engine)
    found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00')")
    for day in DAYS:
        assert found.run("events", f"{day} 12:00:00") == ""
    found.sql("DELETE FROM c360_control.run_log; UPDATE c360_control.lock_events SET run_id = NULL")
    prune(found)
    assert found.rows("SELECT count(*), CAST(max(as_of) AS DATE) FROM c360_control.watermark") == [(1, dt.date(2026, 1, 4))]
    assert found.run("events", "2026-01-05 12:00:00") == ""
    assert found.rows("SELECT count(*) FROM int.events") == [(1,)]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_prune_windows(engine: str, world: Callable[[Path, str], World]) -> None:
    """Of a window that was loaded often the last success and the last failure stay: what is known of every window is what it was."""
    found = world(CASES / "microbatch" / "specs", engine)
    found.sql("INSERT INTO raw.visits VALUES (1, '/', '2026-01-01 12:00:00+00')")
    for hour in ("06", "12", "18"):
        assert found.run("visits", f"2026-01-01 {hour}:00:00") == ""
    found.sql("INSERT INTO raw.visits VALUES (2, '/', NULL)")
    for hour in ("19", "20"):
        assert "ZC003" in found.run("visits", f"2026-01-01 {hour}:00:00")
    windows = "SELECT * FROM c360_control.windows ORDER BY node, window_start"
    before, rows = found.rows(windows), "SELECT status, count(*) FROM c360_control.window_log GROUP BY status ORDER BY status"
    assert found.rows(rows) == [("failed", 2), ("succeeded", 3)]
    prune(found)
    assert found.rows(rows) == [("failed", 2), ("succeeded", 3)], "they are not old yet"
    found.sql("UPDATE c360_control.window_log SET recorded_at = recorded_at - INTERVAL 3 YEAR")
    prune(found)
    assert found.rows(rows) == [("failed", 1), ("succeeded", 1)]
    assert found.rows(windows) == before
    assert found.run("visits", "2026-01-01 21:00:00") != ""


def prune(found: World) -> None:
    if isinstance(found, Interpreted):
        found.warehouse.call("c360_control.prune_run_log", "400")
    elif found.build.target.dialect == "postgres":  # type: ignore[attr-defined]
        found.sql("CALL c360_control.prune_run_log()")
    else:
        found.sql(text_of(found.build, "scripts/prune_run_log.sql"))  # type: ignore[attr-defined]
