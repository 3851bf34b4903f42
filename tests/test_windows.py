"""What a scenario cannot say of a microbatch: windows made due again by hand, failures and kills between windows, several sessions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from c360gen.pipeline import build, load_project
from tests.conftest import CASES, ENGINES, in_database
from tests.warehouse.machine import Failure, Killed
from tests.worlds import Embedded, Interpreted, World, plain

VISITS = "INSERT INTO raw.visits VALUES " + ", ".join(f"({d}, 'p', '2026-01-0{d} 10:00:00+00')" for d in range(1, 5))
LAST = "2026-01-04 12:00:00"


def days(found: World) -> list[str]:
    """The days that the table has rows of."""
    return sorted(str(plain(at))[:10] for (at,) in found.rows("SELECT seen_at FROM int.visits"))


def loaded(found: World) -> list[str]:
    rows = found.rows("SELECT window_start FROM c360_control.windows WHERE loaded_as_of IS NOT NULL")
    return sorted(str(plain(at))[:10] for (at,) in rows)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_window_whose_row_is_deleted_is_loaded_again(engine: str, world: Callable[[Path, str], World]) -> None:
    found = world(CASES / "microbatch" / "specs", engine)
    found.sql(VISITS)
    assert found.run("visits", LAST) == ""
    found.sql("INSERT INTO raw.visits VALUES (5, 'late', '2026-01-01 11:00:00+00'), (6, 'late', '2026-01-02 11:00:00+00')")
    assert found.run("visits", "2026-01-04 13:00:00") == ""
    assert days(found) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    log = "window_log" if isinstance(found, Interpreted) else "windows"
    found.sql(f"DELETE FROM c360_control.{log} WHERE window_start = '2026-01-01 00:00:00+00'")
    assert found.run("visits", "2026-01-04 14:00:00") == ""
    assert days(found) == ["2026-01-01", "2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]


@pytest.mark.parametrize("engine", ENGINES)
def test_windows_that_a_full_refresh_has_emptied_are_due_when_begin_moves_back(
    engine: str, world: Callable[[Path, str], World], tmp_path: Path
) -> None:
    """A full refresh replaces every row by those from begin on: what was known of older windows is true no more."""
    found = world(CASES / "microbatch" / "specs", engine)
    first, text = found.build, (CASES / "microbatch" / "specs" / "p.yml").read_text(encoding="utf-8")
    assert "begin: 2026-01-01" in text
    (tmp_path / "p.yml").write_text(text.replace("begin: 2026-01-01", "begin: 2026-01-03"), encoding="utf-8")
    found.sql(VISITS)
    assert found.run("visits", LAST) == ""
    found.build = build(load_project(tmp_path), engine)
    found.deploy()
    assert found.run("visits", "2026-01-04 13:00:00", full_refresh=True) == ""
    assert days(found) == ["2026-01-03", "2026-01-04"] == loaded(found)
    found.build = first
    found.deploy()
    assert found.run("visits", "2026-01-04 14:00:00") == ""
    assert days(found) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"] == loaded(found)


@pytest.mark.parametrize("kind", ["fail_at", "kill_at"])
@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_what_stops_a_run_between_windows_leaves_whole_ones(engine: str, kind: str, world: Callable[[Path, str], World]) -> None:
    """At every statement of a run over two windows: the one that was loaded is there and known, of the other there is nothing."""
    found = world(CASES / "microbatch" / "specs", engine)
    assert isinstance(found, Interpreted)
    found.sql(VISITS)
    seen: set[int] = set()
    number = 0
    while True:
        number += 1
        try:
            found.warehouse.call("c360_control.run_visits", *found.arguments("visits", "2026-01-02 12:00:00", False), **{kind: number})  # type: ignore[arg-type]
        except (Failure, Killed):
            assert days(found) == loaded(found), f"stopped at statement {number}"
            seen.add(len(days(found)))
        else:
            break
        for table in ("int.visits", "c360_control.window_log", "c360_control.watermark"):
            found.sql(f"DELETE FROM {table}")
    assert seen == {0, 1} and days(found) == loaded(found) == ["2026-01-01", "2026-01-02"]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_the_counters_of_a_run_are_those_of_all_its_windows(engine: str, world: Callable[[Path, str], World]) -> None:
    found = world(CASES / "microbatch" / "specs", engine)
    assert isinstance(found, Embedded)
    found.sql(VISITS)
    entry = found.manifest["nodes"][0]
    script = next((f.text for f in found.build.files if f.path == entry["script"]), None)
    run = found.session.run(entry, script, f"{LAST}+00", False)
    assert run.succeeded and run.counters["inserted_rows"] == run.counters["source_rows"] == 4
    again = found.session.run(entry, script, f"{LAST}+00", False)
    assert again.succeeded and again.counters["inserted_rows"] == 0 and again.counters["source_rows"] == 1


def uri(found: Embedded, server: str) -> str:
    return in_database(server, found.connection.info.dbname)


def test_the_worker_loads_one_window_in_a_transaction_of_the_caller(world: Callable[[Path, str], World], server: str) -> None:
    found = world(CASES / "microbatch" / "specs", "postgres")
    assert isinstance(found, Embedded)
    found.sql(VISITS)
    with psycopg.connect(uri(found, server)) as connection:
        connection.execute(f"CALL c360_control.apply_visits(NULL, '{LAST}+00')")
        connection.rollback()
        assert days(found) == loaded(found) == []
        for number in range(1, 5):
            connection.execute(f"CALL c360_control.apply_visits(NULL, '{LAST}+00')")
            connection.commit()
            assert len(days(found)) == number
            assert days(found) == loaded(found)


def test_a_backend_that_dies_between_windows(world: Callable[[Path, str], World], server: str) -> None:
    """The third window sleeps in a trigger when its process is terminated: two windows stay, and the next run goes on with the third."""
    found = world(CASES / "microbatch" / "specs", "postgres")
    assert isinstance(found, Embedded)
    found.sql(VISITS)
    found.sql("CREATE FUNCTION int.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END'")
    found.sql("CREATE TRIGGER slow BEFORE INSERT ON int.visits FOR EACH ROW WHEN (NEW.id = 3) EXECUTE FUNCTION int.slow()")
    victim = psycopg.connect(uri(found, server), autocommit=True)
    pid = victim.info.backend_pid

    def call() -> None:
        with pytest.raises(psycopg.OperationalError):
            victim.execute(f"CALL c360_control.run_visits('{LAST}+00')")

    thread = threading.Thread(target=call)
    thread.start()
    while not found.rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
        assert thread.is_alive()
    assert found.rows("SELECT window_start::date::text, status FROM c360_control.windows WHERE loaded_as_of IS NULL") == [
        ("2026-01-03", "running")
    ]
    found.sql(f"SELECT pg_terminate_backend({pid})")
    thread.join(timeout=20)
    assert days(found) == loaded(found) == ["2026-01-01", "2026-01-02"]
    found.sql("DROP TRIGGER slow ON int.visits")
    assert found.run("visits", LAST) == ""
    assert days(found) == loaded(found) == ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    assert found.rows("SELECT status, count(*) FROM c360_control.run_log GROUP BY status ORDER BY status") == [
        ("abandoned", 1), ("succeeded", 4),
    ]  # fmt: skip


def test_several_runs_at_once(world: Callable[[Path, str], World], server: str) -> None:
    """Each loads what is due when it comes to it: every row once, every window known, nobody fails."""
    found = world(CASES / "microbatch_moved" / "specs", "postgres")
    assert isinstance(found, Embedded)
    at = "TIMESTAMPTZ '2026-01-01 00:00:00+00' + g * INTERVAL '1 hour'"
    found.sql(f"INSERT INTO raw.visits SELECT g, 'p', {at} FROM generate_series(0, 999) AS g")
    messages: list[str] = []

    def call() -> None:
        try:
            with psycopg.connect(uri(found, server), autocommit=True) as connection:
                connection.execute("CALL c360_control.run_keyed()")
        except psycopg.Error as error:
            messages.append(str(error))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert messages == []
    assert found.rows("SELECT count(*), count(DISTINCT id) FROM int.keyed") == [(1000, 1000)]
    assert found.rows("SELECT count(*) FROM c360_control.windows WHERE loaded_as_of IS NULL OR status <> 'succeeded'") == [(0,)]
    assert found.rows("SELECT DISTINCT status FROM c360_control.run_log") == [("succeeded",)]
