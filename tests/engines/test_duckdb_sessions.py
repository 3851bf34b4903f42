"""DuckDB has no lock to wait for: of two sessions at one node one goes through, the other fails cleanly, and nothing is doubled."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from c360gen import engines
from c360gen.engines.duckdb import Session
from c360gen.pipeline import LoadedProject
from tests.conftest import CASES, built
from tests.test_faults import CHANGE, FIRST, NODES
from tests.worlds import Embedded, text_of


@pytest.fixture
def prepared(project: Callable[[Path], LoadedProject]) -> Callable[[str], Callable[[], Embedded]]:
    """Of a case: what makes databases of it, each after one good run and with changes waiting in the source."""

    def of_case(case: str) -> Callable[[], Embedded]:
        made = built(project(CASES / case.partition("/")[0] / "specs"), "duckdb")

        def make() -> Embedded:
            found = Embedded(made, ":memory:")
            found.deploy()
            found.sql(FIRST)
            assert found.run(NODES[case][0], "2026-01-02 00:00:00") == ""
            for statement in CHANGE:
                found.sql(statement)
            return found

        return make

    return of_case


def script_of(found: Embedded, node: str) -> list[Any]:
    return duckdb.extract_statements(text_of(found.build, f"scripts/run_{node}.sql"))


def whole(cursor: Any, statements: list[Any], as_of: str) -> str:
    """A script as a client runs it: the first error ends it and undoes what is open."""
    cursor.execute(f"SET VARIABLE as_of = TIMESTAMPTZ '{as_of}+00'; SET VARIABLE full_refresh = NULL")
    try:
        for statement in statements:
            cursor.execute(statement)
    except duckdb.Error as error:
        with contextlib.suppress(duckdb.Error):  # no transaction was open
            cursor.execute("ROLLBACK")
        return str(error)
    return ""


@pytest.mark.parametrize("case", [c if c == "append" else pytest.param(c, marks=pytest.mark.faults) for c in sorted(NODES)])
def test_a_second_session_at_every_statement(case: str, prepared: Callable[[str], Callable[[], Embedded]]) -> None:
    """The first stands behind its n-th statement while the second runs whole: exactly one of the two does the work, whatever n is."""
    node, table = NODES[case][:2]
    make = prepared(case)
    winners = set()
    for number in range(1, len(script_of(make(), node)) + 1):
        found = make()
        statements = script_of(found, node)
        first, second = found.connection.cursor(), found.connection.cursor()
        first.execute("SET VARIABLE as_of = TIMESTAMPTZ '2026-01-03 00:00:00+00'; SET VARIABLE full_refresh = NULL")
        for statement in statements[:number]:
            first.execute(statement)
        later = whole(second, statements, "2026-01-03 00:00:00")
        earlier = ""
        try:
            for statement in statements[number:]:
                first.execute(statement)
        except duckdb.Error as error:
            earlier = str(error)
            first.execute("ROLLBACK")
        here = f"second session after {statements[number - 1].query.strip()[:70]}: first {earlier!r}, second {later!r}"
        assert not (earlier and later), f"both failed; {here}"
        for message in (earlier, later):
            assert not message or "onflict" in message, here
        winners.add((not earlier, not later))
        log = found.rows(f"SELECT status, count(*) FROM c360_control.run_log WHERE node = '{table}' GROUP BY status")
        assert ("succeeded", 1 + (not earlier) + (not later)) in log, f"{log}; {here}"
        check(found, case, here)
        assert whole(second, statements, "2026-01-04 00:00:00") == "", here
        assert found.rows(f"SELECT count(*) FROM c360_control.run_log WHERE node = '{table}' AND status = 'running'") == [(0,)], here
        check(found, case, here)
        found.close()
    assert len(winners) == 3, "the first alone, the second alone, and one after the other"


VERSIONS = [(1, "a", False), (1, "a2", True), (2, "b", False), (3, "c", True)]
ROWS = [(1, "a2"), (2, "b"), (3, "c")]
AFTERWARDS: dict[str, list[tuple[Any, ...]]] = {
    "timestamp_invalidate": VERSIONS, "kinds/checked": [*VERSIONS, (2, "b", True)],  # with its marker
    "feed_kinds/remembered": [(1, "a", False), (1, "a2", True), (2, "b", True), (3, "c", True)],  # no event says that 2 is gone
    "feed_kinds/copied": [(1, "a", False), (1, "a2", False), (2, "b", False), (3, "c", True)],  # the copy of 11:00 holds only 3
    "append": [(1, "a"), *ROWS], "merge": ROWS, "kinds/lines": ROWS, "kinds/days": ROWS,
    "kinds/months": [(1, "a2"), (3, "c")], "kinds/whole": [(1, "a2"), (3, "c")],
}  # fmt: skip
"""What the change leaves: versions with whether they are open, or rows."""


def check(found: Embedded, case: str, here: str) -> None:
    is_open = ", valid_to IS NULL" if len(AFTERWARDS[case][0]) == 3 else ""
    assert sorted(found.rows(f"SELECT id, email{is_open} FROM {NODES[case][1]}")) == sorted(AFTERWARDS[case]), here


def test_two_nodes_side_by_side(prepared: Callable[[str], Callable[[], Embedded]]) -> None:
    """Sessions at different nodes do not disturb each other: their statements alternate, all succeed."""
    found = prepared("kinds/checked")()
    scripts = [script_of(found, node) for node in ("checked", "lines", "whole")]
    cursors = [found.connection.cursor() for _ in scripts]
    for cursor in cursors:
        cursor.execute("SET VARIABLE as_of = TIMESTAMPTZ '2026-01-03 00:00:00+00'; SET VARIABLE full_refresh = NULL")
    for step in range(max(map(len, scripts))):
        for cursor, script in zip(cursors, scripts, strict=True):
            if step < len(script):
                cursor.execute(script[step])
    log = "SELECT node, status FROM c360_control.run_log WHERE as_of = TIMESTAMPTZ '2026-01-03 00:00:00+00' ORDER BY node"
    assert found.rows(log) == [("int.lines", "succeeded"), ("int.whole", "succeeded"), ("snap.checked", "succeeded")]


def test_threads_of_one_process(project: Callable[[Path], LoadedProject]) -> None:
    """8 threads call 10 times each through the runner: whoever fails says why, and has a row in the log if it was announced."""
    made = built(project(CASES / "timestamp_invalidate" / "specs"), "duckdb")
    found = Embedded(made, ":memory:")
    found.deploy()
    found.sql("INSERT INTO raw.customers SELECT g, 'a', 'x', TIMESTAMPTZ '2026-01-01 00:00:00+00' FROM range(500) AS r(g)")
    entry = found.manifest["nodes"][0]
    script = text_of(made, entry["script"])
    messages: list[str] = []

    def work() -> None:
        session = Session(found.connection.cursor(), "c360_control")
        for _ in range(10):
            messages.append(session.run(entry, script, None, False).message)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(messages) == 80, "every call comes back, and none with a traceback"
    assert "" in messages and all("onflict" in m for m in messages if m), {m for m in messages if m}
    found.sql("UPDATE raw.customers SET email = 'b'")
    assert found.run("history") == ""
    assert found.rows("SELECT count(*), count(DISTINCT id) FROM snap.history WHERE valid_to IS NULL") == [(500, 500)]
    assert found.rows("SELECT count(*) FROM snap.history") == [(1000,)]
    statuses = dict(found.rows("SELECT status, count(*) FROM c360_control.run_log GROUP BY status"))
    assert statuses["succeeded"] == messages.count("") + 1
    assert "running" not in statuses


def test_a_second_process(project: Callable[[Path], LoadedProject], tmp_path: Path) -> None:
    """A file belongs to one process: another is refused at once, and with words."""
    path = str(tmp_path / "shop.duckdb")
    found = Embedded(built(project(CASES / "guards" / "specs"), "duckdb"), path)
    found.deploy()
    code = (
        "import sys; from c360gen import engines\n"
        "try: engines.connect('duckdb', sys.argv[1], 'c360_control')\n"
        "except engines.EngineBusy as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"cannot open {path}: ") and "lock" in said
    found.close()
    session = engines.connect("duckdb", path, "c360_control")
    session.close()


@pytest.mark.parametrize("content", ["a lock", None])
def test_a_path_that_speaks_of_a_lock_is_not_busy(content: str | None, tmp_path: Path) -> None:
    """It would be asked for again ten times, and never be there."""
    path = tmp_path / "blocks" / "locked.duckdb"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content, encoding="utf-8")
    with pytest.raises(engines.EngineError, match="locked") as error:
        engines.connect("duckdb", str(path), "c360_control")
    assert error.type is engines.EngineUnreachable
