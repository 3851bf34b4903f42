"""Many sessions at once on a real Postgres: what they leave is what one session after the other would have left."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from c360gen.emit.files import File
from c360gen.pipeline import LoadedProject, build, load_project
from tests.conftest import CASES, built, in_database
from tests.engines.gates import Call, Keeper, gated
from tests.test_faults import NODES
from tests.worlds import Embedded, World, text_of

SESSIONS = 8
PAIRS = 40


def some_slow(cases: Iterable[str]) -> list[Any]:
    return [c if c in ("timestamp_invalidate", "merge") else pytest.param(c, marks=pytest.mark.faults) for c in sorted(cases)]


STRATEGIES = some_slow(NODES)
OF_STATE = some_slow(c for c in NODES if not c.startswith("feed_kinds"))
HISTORIES = ("timestamp_invalidate", "kinds/checked", "feed_kinds/copied", "feed_kinds/remembered")


@pytest.fixture
def users(server: str) -> list[str]:
    """Two logins that may run and nothing else: what they see of each other's sessions is what the DBA's jobs see."""
    with psycopg.connect(server, autocommit=True) as connection:
        for role in ("sessions_owner", "sessions_runner"):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(f"CREATE ROLE {role} NOLOGIN")
        for user in ("sessions_1", "sessions_2"):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [user]).fetchone():
                connection.execute(f"CREATE ROLE {user} LOGIN IN ROLE sessions_runner")
    return ["sessions_1", "sessions_2"]


def with_roles(case: str, folder: Path) -> Path:
    """A case's specs with an owner and a runner."""
    text = (CASES / case.partition("/")[0] / "specs" / "p.yml").read_text(encoding="utf-8")
    changed = text.replace("{dialect: postgres", "{dialect: postgres, owner: sessions_owner, runner: sessions_runner")
    assert changed != text
    (folder / "p.yml").write_text(changed, encoding="utf-8")
    return folder


@pytest.fixture
def deployed(users: list[str], tmp_path: Path, world: Callable[[Path, str], World]) -> Callable[[str], Embedded]:
    """A case with an owner and a runner."""

    def make(case: str) -> Embedded:
        found = world(with_roles(case, tmp_path), "postgres")
        assert isinstance(found, Embedded)
        return found

    return make


def login(found: Embedded, server: str, user: str) -> str:
    return in_database(server, found.connection.info.dbname).replace("postgres:@", f"{user}:@").replace("postgres@", f"{user}@")


class Round:
    """Threads that call at the same moment, each in a session of its own that is open already."""

    def __init__(self, databases: list[str], call: str):
        self.connections = [psycopg.connect(d, autocommit=True) for d in databases]
        self.call = call

    def run(self, times: int = 1) -> list[str]:
        """Every session calls `times` times; the errors of all."""
        errors: list[str] = []
        barrier = threading.Barrier(len(self.connections))

        def work(connection: psycopg.Connection[Any]) -> None:
            barrier.wait()
            for _ in range(times):
                try:
                    connection.execute(self.call)
                except psycopg.Error as error:
                    errors.append(str(error))

        threads = [threading.Thread(target=work, args=[c]) for c in self.connections]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return errors

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


def fill(found: Embedded) -> None:
    """Pairs of rows: 2n and 2n + 1 change together, always."""
    keys = f"generate_series(2, {2 * PAIRS + 1}) AS g"
    found.sql(f"INSERT INTO raw.customers SELECT g, 'first', 'x', clock_timestamp() - INTERVAL '1 hour' FROM {keys}")


def contents(found: Embedded, table: str) -> list[str]:
    query = f"SELECT CAST(to_jsonb(t) - 'opened_run_id' - 'closed_run_id' AS TEXT) FROM {table} AS t"
    return sorted(row for (row,) in found.rows(query))


def check_history(found: Embedded, table: str) -> None:
    """What holds of every history, whoever wrote it."""
    several = f"SELECT id FROM {table} WHERE valid_to IS NULL GROUP BY id HAVING count(*) > 1"
    assert found.rows(several) == [], "one open version per key"
    assert found.rows(f"SELECT id FROM {table} WHERE valid_from >= valid_to") == [], "from < to"
    overlap = f"""SELECT a.id FROM {table} AS a JOIN {table} AS b ON b.id = a.id AND b.valid_from > a.valid_from
        WHERE a.valid_to IS NULL OR b.valid_from < a.valid_to"""
    assert found.rows(overlap) == [], "no overlap"


def check_log(found: Embedded, runs: int, *, windows: bool = False) -> None:
    """So many runs, and all succeeded; of a microbatch there is a row for each window."""
    ((status, number),) = found.rows("SELECT status, count(*) FROM c360_control.run_log GROUP BY status")
    assert status == "succeeded" and (number == runs or (windows and number > runs))
    assert found.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]
    order = "SELECT run_id FROM (SELECT run_id, as_of, lag(as_of) OVER (ORDER BY finished_at) AS previous FROM c360_control.run_log) AS l"
    assert found.rows(f"{order} WHERE as_of < previous") == [], "a run that waited is not older than the run it waited for"


def change(number: int, chance: random.Random) -> list[str]:
    """What happens to the source between two rounds: changes, deletes, new keys, keys that come back."""
    some = sorted(chance.sample(range(1, PAIRS + 1), 6))
    keys = ", ".join(f"{2 * n}, {2 * n + 1}" for n in some[:4])
    gone = ", ".join(f"{2 * n}, {2 * n + 1}" for n in some[4:])
    return [
        f"UPDATE raw.customers SET email = 'round {number}', updated_at = now() WHERE id IN ({keys})",
        f"DELETE FROM raw.customers WHERE id IN ({gone})",
        f"""INSERT INTO raw.customers SELECT g, 'round {number}', 'new', now() FROM generate_series(2, {2 * PAIRS + 1}) AS g
            WHERE NOT EXISTS (SELECT 1 FROM raw.customers AS c WHERE c.id = g) AND g NOT IN ({gone})""",
        f"INSERT INTO raw.customers VALUES ({1000 + number}, 'late', 'new', now())",
    ]


@pytest.mark.parametrize("case", STRATEGIES)
def test_the_source_changes_between_rounds(case: str, deployed: Callable[[str], Embedded], users: list[str], server: str,
                                           project: Callable[[Path], LoadedProject], say: Callable[[str], None]) -> None:  # fmt: skip
    """8 sessions call at once, 20 times; a second database gets the same sources one run after the other, and is equal."""
    node, table = NODES[case][:2]
    rounds = 20
    found = deployed(case)
    fill(found)
    chance = random.Random(case)
    together = Round([login(found, server, users[n % 2]) for n in range(SESSIONS)], f"CALL c360_control.run_{node}()")
    seen: list[tuple[Any, list[tuple[Any, ...]]]] = []
    for number in range(rounds):
        (last,) = found.rows("SELECT COALESCE(max(run_id), 0) FROM c360_control.run_log")[0]
        assert together.run() == []
        (first,) = found.rows(f"SELECT min(as_of) FROM c360_control.run_log WHERE run_id > {last}")[0]
        seen.append((first, found.rows("SELECT * FROM raw.customers")))
        for statement in change(number, chance):
            found.sql(statement)
    together.close()
    check_log(found, SESSIONS * rounds, windows=case == "kinds/months")
    if case in HISTORIES:
        check_history(found, table)

    name = f"{found.connection.info.dbname}_twin"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    twin = Embedded(built(project(CASES / case.partition("/")[0] / "specs"), "postgres"), in_database(server, name))
    twin.deploy()
    for as_of, rows in seen:
        twin.sql("TRUNCATE TABLE raw.customers")
        with twin.connection.cursor() as cursor:
            cursor.executemany("INSERT INTO raw.customers VALUES (%s, %s, %s, %s)", rows)
        twin.connection.execute(f"CALL c360_control.run_{node}(%s)", [as_of])
    assert contents(found, table) == contents(twin, table)
    twin.close()
    say(f"{case}: {SESSIONS} sessions, {rounds} rounds, {found.rows(f'SELECT count(*) FROM {table}')[0][0]} rows, equal to one session")


@pytest.mark.parametrize("case", OF_STATE)
def test_the_source_changes_during_rounds(case: str, deployed: Callable[[str], Embedded], users: list[str], server: str,
                                          say: Callable[[str], None]) -> None:  # fmt: skip
    """A writer commits pairs of changes all the while: no run and no reader ever sees the half of one. Not of a feed, which only grows."""
    node, table = NODES[case][:2]
    rounds = 20
    found = deployed(case)
    fill(found)
    done = threading.Event()
    written, looked, torn = 0, 0, []
    database = in_database(server, found.connection.info.dbname)

    def write() -> None:
        nonlocal written
        chance = random.Random(case)
        with psycopg.connect(database, autocommit=True) as connection:
            while not done.is_set():
                n = chance.randint(1, PAIRS)
                connection.execute(
                    "UPDATE raw.customers SET email = %s, updated_at = %s WHERE id IN (%s, %s)",
                    [f"t{written}", connection.execute("SELECT clock_timestamp()").fetchone()[0], 2 * n, 2 * n + 1],  # type: ignore[index]
                )
                written += 1
                time.sleep(0.001)

    def look() -> None:
        """Readers see whole runs."""
        nonlocal looked
        live = "AND t.valid_to IS NULL" if case in HISTORIES else ""
        halves = f"SELECT id / 2, email FROM {table} AS t WHERE id <= {2 * PAIRS + 1} {live} GROUP BY 1, 2 HAVING count(*) <> 2"
        with psycopg.connect(database, autocommit=True) as connection:
            while not done.is_set():
                torn.extend(connection.execute(halves).fetchall())
                looked += 1
                time.sleep(0.002)

    others = [threading.Thread(target=write), threading.Thread(target=look)]
    for thread in others:
        thread.start()
    together = Round([login(found, server, users[n % 2]) for n in range(SESSIONS)], f"CALL c360_control.run_{node}()")
    try:
        errors = together.run(rounds)
    finally:
        done.set()
        for thread in others:
            thread.join()
        together.close()
    assert errors == [] and torn == []
    assert found.run(node) == ""
    check_log(found, SESSIONS * rounds + 1, windows=case == "kinds/months")
    if case in HISTORIES:
        check_history(found, table)
        halves = f"SELECT id / 2 FROM {table} GROUP BY id / 2, email, opened_run_id, closed_run_id HAVING count(*) <> 2"
        assert found.rows(halves) == [], "both rows of a pair were opened and closed by the same runs"
        table = f"{table}_current"
    elif case == "append":
        assert found.rows(f"SELECT id, email FROM {table} GROUP BY id, email HAVING count(*) > 1") == [], "every row once"
    missing = f"SELECT id, email FROM raw.customers EXCEPT SELECT id, email FROM {table}"
    assert found.rows(missing) == [], "what the source holds now is there"
    if case != "append":
        assert found.rows(f"SELECT id, email FROM {table} EXCEPT SELECT id, email FROM raw.customers") == []
    say(f"{case}: {SESSIONS} sessions, {rounds} runs each, {written} writing transactions between them, {looked} looks at the target")


@pytest.fixture
def gates(database: str, project: Callable[[Path], LoadedProject]) -> Callable[[str], tuple[Embedded, dict[int, str]]]:
    """A case with gates, deployed, with two rows in its source."""

    def make(case: str) -> tuple[Embedded, dict[int, str]]:
        made = built(project(CASES / case.partition("/")[0] / "specs"), "postgres")
        text = gated(text_of(made, "deploy.sql"))
        files = [f if f.path != "deploy.sql" else File(f.path, text.text) for f in made.files]
        found = Embedded(dataclasses.replace(made, files=files), database)
        found.deploy()
        found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'x', '2026-01-01 00:00:00+00'), (2, 'b', 'x', '2026-01-01 00:00:00+00')")
        return found, text.gates

    return make


def test_no_node_waits_for_another(database: str, gates: Callable[[str], tuple[Embedded, dict[int, str]]]) -> None:
    """While a run of one node stands still before its n-th statement, runs of the others go through: whatever n is."""
    found, behind = gates("kinds")
    keeper = Keeper(database)
    stood = 0
    for number in [n for n, what in behind.items() if what.startswith(("apply_checked:", "run_checked:"))]:
        found.sql(f"UPDATE raw.customers SET email = 'change {number}', updated_at = clock_timestamp()")
        keeper.shut(number)
        slow = Call(database, "CALL c360_control.run_checked()").start()
        if keeper.stands(slow):
            stood += 1
            others = [Call(database, f"CALL c360_control.run_{node}()", {"lock_timeout": "50ms"}).start() for node in ("lines", "whole")]
            for other in others:
                assert other.join() is None, f"waited before {behind[number]}"
                other.close()
            assert found.rows(f"SELECT count(*) FROM int.lines WHERE email = 'change {number}'") == [(2,)]
            assert slow.thread.is_alive()
        keeper.open()
        assert slow.join() is None
        slow.close()
    assert stood > 25
    found.close()


@pytest.mark.parametrize("case", STRATEGIES)
def test_a_second_run_before_every_statement(case: str, database: str, gates: Callable[[str], tuple[Embedded, dict[int, str]]]) -> None:
    """It waits, or goes first; what both have left is what one after the other leaves, and each is younger than the one before."""
    node, table = NODES[case][:2]
    found, behind = gates(case)
    keeper = Keeper(database)
    statement = f"CALL c360_control.run_{node}()"
    assert found.run(node) == ""
    waited = []
    emails = {"a", "b"}
    for number in [n for n, what in behind.items() if what.startswith((f"apply_{node}:", f"run_{node}:"))]:
        here = f"a second run before {behind[number]}"
        found.sql(f"UPDATE raw.customers SET email = 'change {number}', updated_at = now()")  # one time: the same copy
        emails.add(f"change {number}")
        keeper.shut(number)
        first = Call(database, statement).start()
        if keeper.stands(first):
            keeper.pass_by()
            second = Call(database, statement).start()
            while second.thread.is_alive():
                if found.rows(f"SELECT 1 FROM pg_stat_activity WHERE pid = {second.pid} AND wait_event_type = 'Lock'"):
                    waited.append(number)
                    break
            keeper.open()
            assert second.join() is None, here
            second.close()
        else:
            keeper.open()
        assert first.join() is None, here
        first.close()
        now = "AND t.valid_to IS NULL" if case in HISTORIES else ""
        if case != "append":
            current = f"SELECT id, email FROM {table} AS t WHERE true {now} ORDER BY id"
            assert found.rows(current) == [(1, f"change {number}"), (2, f"change {number}")], here
        if case in HISTORIES or case == "append":
            assert found.rows(f"SELECT count(*), count(DISTINCT (id, email)) FROM {table}") == [(2 * len(emails) - 2,) * 2], here
    assert len(waited) > 15, "most statements stand behind the lock"
    order = "SELECT 1 FROM (SELECT as_of, lag(as_of) OVER (ORDER BY finished_at) AS previous FROM c360_control.run_log) AS l"
    assert found.rows(f"{order} WHERE as_of < previous") == [], "a run that waited is not older than the run it waited for"
    assert found.rows("SELECT DISTINCT status FROM c360_control.run_log") == [("succeeded",)]
    keeper.connection.close()
    found.close()


def test_runs_at_the_same_time_of_the_same_time(database: str, gates: Callable[[str], tuple[Embedded, dict[int, str]]]) -> None:
    """Two runs at one as_of: the second waits, finds everything done, and writes nothing but the log."""
    found, behind = gates("guards")
    keeper = Keeper(database)
    keeper.shut(next(n for n, what in behind.items() if what.startswith("apply_history: UPDATE c360_control.run_log")))
    first = Call(database, "CALL c360_control.run_history('2026-01-02 00:00:00+00')").start()
    assert keeper.stands(first)
    second = Call(database, "CALL c360_control.run_history('2026-01-02 00:00:00+00')").start()
    waits = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {second.pid} AND wait_event_type = 'Lock'"
    while found.rows(waits) != [(1,)]:
        assert second.thread.is_alive()
    assert found.rows("SELECT count(*) FROM snap.history") == [(0,)]
    keeper.open()
    assert first.join() is None and second.join() is None
    log = "SELECT status, inserted_rows, unchanged_rows FROM c360_control.run_log ORDER BY run_id"
    assert found.rows(log) == [("succeeded", 2, 0), ("succeeded", 0, 2)]
    first.close()
    second.close()
    found.close()


def test_a_run_that_waited_is_not_older(database: str, gates: Callable[[str], tuple[Embedded, dict[int, str]]]) -> None:
    """Called before the other ended, begun after it: its clock is read behind the lock. A stated time that has passed is refused."""
    found, behind = gates("guards")
    keeper = Keeper(database)
    keeper.shut(next(n for n, what in behind.items() if what.startswith("apply_history: v_as_of :=")))
    first = Call(database, "CALL c360_control.run_history()").start()
    assert keeper.stands(first)
    keeper.pass_by()
    (called,) = found.rows("SELECT clock_timestamp()")[0]
    second = Call(database, "CALL c360_control.run_history()").start()
    third = Call(database, f"CALL c360_control.run_history('{called}')").start()
    time.sleep(0.3)
    keeper.open()
    assert first.join() is None and second.join() is None
    error = third.join()
    assert error is not None and error.sqlstate == "ZC005"
    times = dict(found.rows("SELECT backend_pid, as_of FROM c360_control.run_log WHERE status = 'succeeded'"))
    assert called < times[first.pid] < times[second.pid]
    for call in (first, second, third):
        call.close()
    found.close()


def test_a_live_run_is_shown_as_running(database: str, gates: Callable[[str], tuple[Embedded, dict[int, str]]], server: str,
                                        users: list[str], tmp_path: Path) -> None:  # fmt: skip
    """Also to a login that may not see the sessions of others, and however long the run has lasted."""
    made = build(load_project(with_roles("guards", tmp_path)), "postgres")
    text = gated(text_of(made, "deploy.sql"))
    files = [f if f.path != "deploy.sql" else File(f.path, text.text) for f in made.files]
    found = Embedded(dataclasses.replace(made, files=files), database)
    found.deploy()
    keeper = Keeper(database)
    runner, watcher = (login(found, server, user) for user in users)
    health = "SELECT status FROM c360_control.run_health"
    with psycopg.connect(watcher, autocommit=True) as other:
        for word, wanted in (("apply_history: CREATE UNLOGGED TABLE", "running"), ("run_history: SET TRANSACTION", "abandoned")):
            number = [n for n, what in text.gates.items() if what.startswith(word)][-1]
            keeper.shut(number)
            call = Call(runner, "CALL c360_control.run_history()").start()
            assert keeper.stands(call)
            assert other.execute(health).fetchall() == [("running",)], "it has just begun"
            if wanted == "abandoned":
                keeper.connection.execute("SELECT pg_cancel_backend(%s)", [call.pid])  # outside of every handler: nobody can write the log
                assert call.join() is not None
            time.sleep(0.6)  # longer than a run may take to its first lock; here half a second
            assert other.execute(health).fetchall() == [(wanted,)]
            keeper.open()
            assert (call.join() is None) == (wanted == "running")
            call.close()
        other.execute("CALL c360_control.run_history()")
        assert other.execute("SELECT status FROM c360_control.run_log ORDER BY run_id").fetchall() == [
            ("succeeded",), ("abandoned",), ("succeeded",)
        ]  # fmt: skip
        assert other.execute(health).fetchall() == []
    keeper.connection.close()
    found.close()
