"""Postgres dies before every statement of every kind of procedure, in every way that a process, a statement or a server can end.

Afterwards always: the target is as before or as after, never between; the log tells; the next run gives what an undisturbed one gives.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from c360gen.emit.files import File
from c360gen.pipeline import LoadedProject
from tests.conftest import CASES, built, in_database
from tests.engines.gates import Call, Keeper, gated
from tests.engines.own_server import OwnServer
from tests.test_faults import CHANGE, FIRST, NODES
from tests.worlds import Embedded, text_of

CRASHES = {"kill -9": "backend", "pg_ctl stop -m immediate": "immediate", "kill -9 of the postmaster": "postmaster"}
DIE = (*CRASHES, "pg_terminate_backend", "transaction_timeout")
"""Ways in which the session ends: the row `running` stays, and is abandoned."""
FAIL = {"pg_cancel_backend": "57014", "statement_timeout": "57014", "lock_timeout": "55P03"}
"""Ways in which the statement ends and the session lives on, and the code of the failure."""
WAYS = [w if w in ("kill -9", "pg_terminate_backend", "pg_cancel_backend") else pytest.param(w, marks=pytest.mark.faults)
        for w in (*DIE, *FAIL)]  # fmt: skip
STRATEGIES = [c if c == "timestamp_invalidate" else pytest.param(c, marks=pytest.mark.faults) for c in sorted(NODES)]
BROKEN = "INSERT INTO raw.customers VALUES (NULL, 'x', 'x', NULL)"
"""A row that every strategy refuses."""
AS_OF = "2026-01-03 00:00:00"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def own() -> Iterator[OwnServer]:
    made = OwnServer()
    yield made
    made.close()


@dataclasses.dataclass(frozen=True)
class Gates:
    """A case with gates in a database of its own, after one good run, with changes of every sort waiting in the source."""

    case: str
    database: str
    behind: dict[int, str]
    """What stands behind each gate."""

    @property
    def node(self) -> str:
        return NODES[self.case][0]

    @property
    def table(self) -> str:
        return NODES[self.case][1]

    @property
    def call(self) -> str:
        return f"CALL c360_control.run_{self.node}('{AS_OF}+00')"


MakeGates = Callable[..., Gates]


@pytest.fixture
def gates_of(own: OwnServer, project: Callable[[Path], LoadedProject]) -> MakeGates:
    def make(case: str, broken: bool) -> Gates:
        made = built(project(CASES / case.partition("/")[0] / "specs"), "postgres")
        text = gated(text_of(made, "deploy.sql"))
        name = f"crash_{next(_numbers)}"
        with psycopg.connect(own.uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        files = [f if f.path != "deploy.sql" else File(f.path, text.text) for f in made.files]
        found = Embedded(dataclasses.replace(made, files=files), in_database(own.uri, name))
        found.deploy()
        found.sql(FIRST)
        assert found.run(NODES[case][0], "2026-01-02 00:00:00") == ""
        for statement in (*CHANGE, *([BROKEN] if broken else [])):
            found.sql(statement)
        found.close()
        return Gates(case, in_database(own.uri, name), text.gates)

    return make


def contents(connection: psycopg.Connection[Any], table: str) -> list[str]:
    """The target's rows, without the ids of the runs that wrote them."""
    query = f"SELECT CAST(to_jsonb(t) - 'opened_run_id' - 'closed_run_id' AS TEXT) FROM {table} AS t"
    return sorted(row for (row,) in connection.execute(query))


def committed(connection: psycopg.Connection[Any], table: str) -> list[Any]:
    """Everything that a run commits with its data."""
    known = connection.execute("SELECT watermark, last_as_of, last_run_id FROM c360_control.state WHERE node = %s", [table])
    return [known.fetchall(), sorted(map(str, connection.execute(f"SELECT * FROM {table}")))]


def logged(connection: psycopg.Connection[Any], after: int) -> list[Any]:
    return connection.execute("SELECT status, sqlstate FROM c360_control.run_log WHERE run_id > %s ORDER BY run_id", [after]).fetchall()


def stop(how: str, own: OwnServer, keeper: Keeper, call: Call) -> Keeper:
    """End a call that stands at a gate, and open the gates; a server that crashed is up again then."""
    if how in CRASHES:
        own.crash(CRASHES[how], call.pid)
    elif how.startswith("pg_"):
        keeper.connection.execute(f"SELECT {how}({call.pid})")
    call.join()  # where neither, a timeout of the session ends it
    if how in CRASHES:
        keeper = Keeper(keeper.database)
    keeper.open()
    return keeper


@pytest.mark.parametrize("path", ["succeeds", "fails"])
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("case", STRATEGIES)
def test_every_statement(case: str, how: str, path: str, own: OwnServer, gates_of: MakeGates, say: Callable[[str], None]) -> None:
    twin = gates_of(case, path == "fails")
    undisturbed = Call(twin.database, twin.call).start()
    assert (undisturbed.join() is None) == (path == "succeeds")
    undisturbed.close()
    with psycopg.connect(twin.database) as connection:
        expected, ended = contents(connection, twin.table), logged(connection, 1)

    found = gates_of(case, path == "fails")
    settings = {how: "700ms"} if how == "statement_timeout" else {}  # it counts from the CALL
    passed = undisturbed.passed
    commits = [i for i, n in enumerate(passed) if found.behind[n].startswith(f"run_{found.node}: COMMIT")]
    assert len(commits) == 3, "announced after the second, ended after the third"
    handled = [n for n in passed if found.behind[n].startswith((f"apply_{found.node}: ", f"run_{found.node}: CALL"))]
    for place, number in enumerate(passed):
        if place > commits[2] + 1:  # the statement before this one died behind the commit: the same run once more, where nobody ended it
            found = gates_of(case, path == "fails")
        here = f"{how} before {found.behind[number]}"
        keeper = Keeper(found.database)
        before = committed(keeper.connection, found.table)
        (last,) = keeper.connection.execute("SELECT max(run_id) FROM c360_control.run_log").fetchone() or (0,)
        keeper.shut(number, how if how in ("lock_timeout", "transaction_timeout") else None)
        call = Call(found.database, found.call, settings).start()
        stood = keeper.stands(call)
        keeper = stop(how, own, keeper, call)
        assert stood or how.endswith("_timeout"), f"{here}: the call ended without passing there"
        assert call.passed[: place + 1] == passed[: place + 1], here
        assert call.error is not None, f"{here}: the call knows nothing of it"
        after, log = committed(keeper.connection, found.table), logged(keeper.connection, last)
        if place > commits[2]:
            assert log == ended and (after != before) == (path == "succeeds"), f"{here}: the run had ended"
        else:
            assert after == before, f"{here}: something was written"
            if place <= commits[1]:
                assert log == [], f"{here}: the run was not announced"
            elif how in FAIL and number in handled:
                assert log == [("failed", FAIL[how])], here
            else:
                assert log == [("running", None)], here
                if how in FAIL:
                    time.sleep(0.6)  # the session lives on; that nobody works on the row tells only the lock that is not held
                health = keeper.connection.execute("SELECT status FROM c360_control.run_health WHERE node = %s", [found.table])
                assert health.fetchall() == [("abandoned",)], here
        keeper.connection.close()
        call.close()
    say(f"{case}, a run that {path}: {how} before each of {len(passed)} statements")

    with psycopg.connect(found.database, autocommit=True) as connection:
        connection.execute("DELETE FROM raw.customers WHERE id IS NULL")
        connection.execute(found.call)
        statuses = [status for status, _ in logged(connection, 0)]
        assert statuses[-1] == "succeeded" and "running" not in statuses, "the next run ends every row of the log"
        if path == "succeeds":
            assert contents(connection, found.table) == expected, "the next run gives what an undisturbed one gives"


@pytest.mark.faults
@pytest.mark.parametrize("how", CRASHES)
def test_any_moment(how: str, own: OwnServer, project: Callable[[Path], LoadedProject], say: Callable[[str], None]) -> None:
    """Between statements there is time, too: in the middle of one, in the commit, just behind it. The log knows which it was."""
    name = f"crash_{next(_numbers)}"
    with psycopg.connect(own.uri, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = in_database(own.uri, name)
    found = Embedded(built(project(CASES / "timestamp_invalidate" / "specs"), "postgres"), database)
    found.deploy()
    found.sql("INSERT INTO raw.customers SELECT g, 'first', 'x', now() FROM generate_series(1, 6000) AS g")
    assert found.run("history") == ""
    changed = "UPDATE raw.customers SET email = '{}', updated_at = clock_timestamp()"
    found.sql(changed.format("second"))
    began = time.monotonic()
    assert found.run("history") == ""
    lasts = time.monotonic() - began
    found.close()
    state = "SELECT count(*), count(valid_to), (SELECT last_run_id FROM c360_control.state) FROM snap.history"
    chance = random.Random(how)
    kept = lost = 0
    for number in range(30):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(changed.format(number))  # type: ignore[arg-type]
            before = connection.execute(state).fetchall()
            (last,) = connection.execute("SELECT max(run_id) FROM c360_control.run_log").fetchone() or (0,)
        call = Call(database, "CALL c360_control.run_history()").start()
        call.thread.join(timeout=chance.uniform(0, 1.2 * lasts))
        own.crash(CRASHES[how], call.pid)
        ended = call.join()
        call.close()
        with psycopg.connect(database, autocommit=True) as connection:
            after, log = connection.execute(state).fetchall(), logged(connection, last)
            assert log in ([], [("running", None)], [("succeeded", None)])
            committed = log == [("succeeded", None)]
            assert (after != before) == committed, f"{number}: {log}"
            assert ended is not None or committed, "who was told of success can rely on it"
            kept, lost = kept + committed, lost + (not committed)
            connection.execute("CALL c360_control.run_history()")
            open_now = "SELECT id, email, updated_at FROM snap.history_current"
            source = "SELECT id, email, updated_at FROM raw.customers"
            assert connection.execute(f"({open_now} EXCEPT {source}) UNION ALL ({source} EXCEPT {open_now})").fetchall() == []
            assert connection.execute("SELECT count(*) FROM c360_control.run_log WHERE status = 'running'").fetchone() == (0,)
    with psycopg.connect(database, autocommit=True) as connection:
        torn = "SELECT id FROM snap.history GROUP BY id HAVING count(*) <> 32 OR count(*) FILTER (WHERE valid_to IS NULL) <> 1"
        assert connection.execute(torn).fetchall() == [], "every state of every row, each once"
    # An orphan of a killed postmaster works on until it waits for something: it may well commit.
    assert lost or how == "kill -9 of the postmaster", "no moment was early enough to prove anything"
    say(f"{how} at 30 moments of a run over 6,000 rows: {lost} runs were lost, {kept} had committed")
