"""Incrementals in several sessions of a real Postgres: runs at once, readers during a full refresh, lengths that are enforced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.conftest import CASES, in_database
from tests.worlds import Embedded, World

ROWS = (
    "INSERT INTO raw.customers SELECT g, 'a', 'x', date_trunc('month', now(), 'UTC') + g * INTERVAL '1 second' "
    "FROM generate_series(1, 2000) AS g"
)
NODES = {"merge/latest": "int.latest", "kinds/lines": "int.lines", "kinds/days": "int.days", "kinds/months": "int.months"}
"""Every strategy that writes to rows that are there: the case and its node, and the table."""


def opened(world: Callable[[Path, str], World], node: str) -> tuple[Embedded, str]:
    case, _, name = node.partition("/")
    found = world(CASES / case / "specs", "postgres")
    assert isinstance(found, Embedded)
    return found, name


@pytest.mark.parametrize("node", sorted(NODES))
def test_two_runs_at_once(node: str, world: Callable[[Path, str], World], server: str) -> None:
    """The second waits for the first and then finds nothing to do: no row twice, whichever the strategy."""
    found, name = opened(world, node)
    found.sql(ROWS)
    messages: list[str] = []

    def call() -> None:
        try:
            with psycopg.connect(in_database(server, found.connection.info.dbname), autocommit=True) as connection:
                connection.execute(f"CALL c360_control.run_{name}()".encode())
        except psycopg.Error as error:
            messages.append(str(error))

    for number in range(3):
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert messages == []
        query = f"SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE email = 'round {number}') FROM {NODES[node]}"
        assert found.rows(query) == [(2000, 2000, 0 if number == 0 else 1000)]
        found.sql(f"UPDATE raw.customers SET email = 'round {number + 1}', updated_at = updated_at + INTERVAL '1 second' WHERE id <= 1000")


@pytest.mark.parametrize("node", [*sorted(NODES), "append/events", "kinds/whole"])
def test_readers_never_see_a_full_refresh_half_done(node: str, world: Callable[[Path, str], World], server: str) -> None:
    """The refresh sleeps at its last row: until it commits a second session sees the old rows, and then the new ones, never less."""
    found, name = opened(world, node)
    table = {**NODES, "append/events": "int.events", "kinds/whole": "int.whole"}[node]
    found.sql(ROWS)
    assert found.run(name) == ""
    found.sql("UPDATE raw.customers SET email = 'new'")
    found.sql(f"""
        CREATE FUNCTION int.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END';
        CREATE TRIGGER wait BEFORE INSERT ON {table} FOR EACH ROW WHEN (NEW.id = 2000) EXECUTE FUNCTION int.wait()""")
    messages: list[str] = []
    with psycopg.connect(in_database(server, found.connection.info.dbname), autocommit=True) as reader:
        reader.execute("SELECT pg_advisory_lock(7)")
        arguments = "NULL, true" if node != "kinds/whole" else "NULL"

        def call() -> None:
            try:
                found.connection.execute(f"CALL c360_control.run_{name}({arguments})")
            except psycopg.Error as error:
                messages.append(str(error))

        thread = threading.Thread(target=call)
        thread.start()
        while not reader.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchall():
            assert thread.is_alive(), messages
        seen = f"SELECT count(*), count(*) FILTER (WHERE email = 'new') FROM {table}"
        assert reader.execute(seen.encode()).fetchall() == [(2000, 0)]
        reader.execute("SELECT pg_advisory_unlock(7)")
        thread.join(timeout=60)
        assert messages == []
        assert reader.execute(seen.encode()).fetchall() == [(2000, 2000)]


def test_a_length_is_kept(database: str, tmp_path: Path) -> None:
    """varchar(10) stays varchar(10) through all runs, and a value that does not fit fails the run instead of widening or cutting it."""
    from c360gen.pipeline import build, load_project

    spec = (
        (CASES / "merge" / "specs" / "p.yml")
        .read_text(encoding="utf-8")
        .replace("name: city, data_type: text", "name: city, data_type: varchar(10)")
    )
    (tmp_path / "p.yml").write_text(spec, encoding="utf-8")
    found = Embedded(build(load_project(tmp_path), "postgres"), database)
    found.deploy()
    found.sql("ALTER TABLE raw.customers ALTER city TYPE varchar(256)")
    found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 00:00:00+00')")
    assert found.run("latest", "2026-01-02 00:00:00") == ""
    found.sql("INSERT INTO raw.customers VALUES (2, 'b', 'Llanfairpwllgwyngyll', '2026-01-02 00:00:00+00')")
    assert "too long for type character varying(10)" in found.run("latest", "2026-01-03 00:00:00")
    query = "SELECT character_maximum_length FROM information_schema.columns WHERE table_schema = 'int' AND column_name = 'city'"
    assert found.rows(query) == [(10,)]
    assert found.rows("SELECT id FROM int.latest") == [(1,)]
    found.close()
