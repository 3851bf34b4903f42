"""A tracked column that was retired comes back in one release, with the values that its versions had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.migrate.changes import HEAD, ROWS, model, snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop, findings, interrupted, own

ENGINES = ("duckdb", "postgres")
ONE, TWO, THREE = (f"2026-01-0{day} 00:00:00" for day in (2, 3, 4))
SINCE = (
    "INSERT INTO raw.customers (id, email, score, updated_at) VALUES (9, 'n@x', 1, '2026-01-02 12:00:00+00')",
    "UPDATE raw.customers SET email = 'q@x', updated_at = '2026-01-02 12:00:00+00' WHERE id = 1",
)
"""While nobody looks at the city: a key comes, and one gets a version."""
NOW = "UPDATE raw.customers SET city = CASE id WHEN 1 THEN 'Rome' WHEN 2 THEN 'Lima' WHEN 9 THEN 'Nice' END"
LOOK = "SELECT id, email, city FROM snap.history ORDER BY id, valid_from"
SEEN = [(1, "a@x", "Rome"), (1, "q@x", None), (2, "b@x", "Oslo"), (3, None, None), (9, "n@x", None)]
"""Of its versions until then: what is not known is NULL."""
FILLED = [(i, e, {(1, "q@x"): "Rome", (9, "n@x"): "Nice"}.get((i, str(e)), c)) for i, e, c in SEEN]
NEXT: dict[str, list[tuple[Any, ...]]] = {
    "empty": [*FILLED[:3], (2, "b@x", "Lima"), *FILLED[3:]],
    "new_version": [*SEEN[:2], (1, "q@x", "Rome"), SEEN[2], (2, "b@x", "Lima"), *SEEN[3:], (9, "n@x", "Nice")],
}
"""After the next run. That 2 has moved from Oslo is seen in both: Oslo was seen, and stays what it was."""


def back(history: str, was: str = "city__retired_2", name: str = "city") -> str:
    return f"      - {{name: {name}, was: {was}, history: {history}}}\n"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["varchar(20)", "text"])
@pytest.mark.parametrize("history", NEXT)
def test_a_column_comes_back(history: str, kind: str, engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", ONE)
    shop.sql("ALTER TABLE raw.customers DROP COLUMN city")
    shop.evolve(source(city=None) + snapshot(), "two")
    for statement in SINCE:
        shop.sql(statement)
    shop.run("history", TWO)
    whole = "SELECT id, email, score, valid_from, valid_to FROM snap.history ORDER BY id, valid_from"
    before = shop.rows(whole)
    shop.sql(f"ALTER TABLE raw.customers ADD COLUMN city {kind}")
    shop.sql(NOW)
    after = source(city=kind) + snapshot(columns=back(history))
    shop.write(after)
    assert "> snap.history.city: column brought back from city__retired_2: NULL in rows that came since" in shop.cli("plan")
    shop.cli("migrate", "--name", "three")
    shop.execute(shop.migration("dry_run.sql"))
    assert shop.rows(whole) == before
    shop.deploy()
    shop.execute(shop.migration("verify.sql"))
    assert shop.rows(LOOK) == (FILLED if history == "empty" else SEEN)
    assert shop.released().retired_columns == ()
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows(whole) == before
    shop.deploy()
    shop.run("history", THREE)
    assert shop.rows(LOOK) == NEXT[history]
    assert "nothing changed" in shop.cli("migrate", "--name", "again")
    assert shop.rows("SELECT * FROM snap.history_health") == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_comes_back_in_another_type(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Copied and checked, as every column that changes its type."""
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", ONE)
    shop.evolve(source(score=None) + snapshot(), "two")
    shop.write(source(score="date") + snapshot(columns=back("empty", "score__retired_2", "score")))
    assert "snap.history.score: integer cannot become date" in shop.cli("migrate", "--name", "three", fails=1)
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR")
    shop.evolve(source(score="text") + snapshot(columns=back("empty", "score__retired_2", "score")), "three")
    assert shop.rows("SELECT id, score FROM snap.history ORDER BY id") == [(1, "10"), (2, "20"), (3, None)]
    assert shop.run("history", TWO).counters["inserted_rows"] == 0
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT id, score__retired_2 FROM snap.history ORDER BY id") == [(1, 10), (2, 20), (3, None)]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_moved_while_nobody_looked_is_read_again(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """source_delta reads what lies beyond its watermark: the row of 2 was read, and its city was not looked at."""
    delta = snapshot(config=", source_delta: {deletes: anti_join}, on_unmoved_timestamp: ignore", columns="%s")
    shop = evolving(engine)
    shop.begin(source() + delta.replace("    columns:\n%s", ""))
    shop.sql(ROWS[0])
    shop.run("history", ONE)
    shop.evolve(source(city=None) + delta.replace("    columns:\n%s", ""), "two")
    shop.sql("UPDATE raw.customers SET city = 'Lima', updated_at = '2026-01-02 06:00:00+00' WHERE id = 2")
    shop.sql("UPDATE raw.customers SET email = 'q@x', updated_at = '2026-01-02 12:00:00+00' WHERE id = 1")
    shop.run("history", TWO)
    shop.evolve(source() + delta % back("empty"), "three")
    shop.run("history", THREE)
    assert shop.rows(LOOK) == [(1, "a@x", "Rome"), (1, "q@x", "Rome"), (2, "b@x", "Oslo"), (2, "b@x", "Lima"), (3, None, None)]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize("history", NEXT)
def test_a_column_comes_back_on_a_warehouse(history: str, engine: str, tmp_path: Path) -> None:
    """Whatever statement a session dies before."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + snapshot(), "baseline")
    world = shop.world()
    world.deploy()
    world.sql(ROWS[0])
    assert world.run("history", ONE) == ""
    shop.migrate(source(city=None) + snapshot(), "two")
    world.warehouse.migrate(shop.file("apply.sql"))
    between = shop.world()
    between.warehouse = world.warehouse
    for statement in SINCE:
        world.sql(statement)
    assert between.run("history", TWO) == ""
    world.sql(NOW)
    shop.migrate(source() + snapshot(columns=back(history)), "three")
    apply, rollback = (own(shop.file(name)) for name in ("apply.sql", "rollback.sql"))
    assert findings(engine, apply) == findings(engine, rollback) == []
    interrupted(world.warehouse, own(shop.file("apply.sql"), end=False))
    world.warehouse.migrate(apply)
    assert world.rows(LOOK) == (FILLED if history == "empty" else SEEN)
    world.warehouse.migrate(rollback)
    world.warehouse.migrate(shop.file("apply.sql"))
    after = shop.world()
    after.warehouse = world.warehouse
    assert after.run("history", THREE) == ""
    assert world.rows(LOOK) == NEXT[history]


def test_a_plan_says_which_values_could_come_back(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(source() + snapshot() + model())
    shop.evolve(source(city=None) + snapshot() + model("id, email, score, updated_at"), "two")
    shop.write(source() + snapshot() + model())
    said = shop.cli("plan", fails=1)
    assert "in the columns: of history; beside was: city__retired_2 its old values come back" in said
    shop.write(source() + snapshot(columns=back("new_version")) + model())
    assert "+ mart.people.city: column varchar(20): NULL in old rows; was: city__retired_2 would bring their values back" in shop.cli(
        "plan"
    )
    shop.write(source() + snapshot(columns="      - {name: city, was: city__retired_2}\n") + model())
    assert "say history: empty (no version is made where a row has no value) or new_version in the" in shop.cli("plan", fails=1)


def test_a_column_that_is_renamed_is_tracked_in_the_next_release(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(source() + snapshot(columns="      - {name: city, on_change: ignore}\n"))
    town = HEAD + source(city=None, town="varchar(20)").removeprefix(HEAD)
    shop.write(town + snapshot(columns="      - {name: town, was: city}\n"))
    assert "help: rename it in one release, and track it in the next" in shop.cli("plan", fails=1)
