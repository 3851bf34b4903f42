"""Keys that rows must have after a migration: checked on every engine, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.engines import EngineError
from tests.migrate.changes import model, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop, findings, own
from tests.warehouse.machine import Failure

KEYED = {
    "delete_insert": ", incremental_strategy: delete+insert, unique_key: id, cursor: updated_at",
    "append": ", incremental_strategy: append, cursor: updated_at",
    "merge": ", incremental_strategy: merge, unique_key: id, cursor: updated_at",
    "windows": ", incremental_strategy: microbatch, event_time: updated_at, batch_size: day, begin: '2026-01-01'",
    "keyed_windows": ", incremental_strategy: microbatch, unique_key: id, event_time: updated_at, batch_size: day, begin: '2026-01-01'",
}
TWICE = [
    "INSERT INTO raw.customers (id, email, updated_at) VALUES (1, 'a', '2026-01-01 00:00:00+00'), (1, 'b', '2026-01-01 01:00:00+00')",
    "INSERT INTO mart.people (id, email, updated_at) SELECT id, email, updated_at FROM raw.customers",
]
CHANGES = [("delete_insert", "merge"), ("append", "merge"), ("windows", "keyed_windows")]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_rows_that_share_a_key(before: str, after: str, engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + model(strategy=KEYED[before]))
    for statement in TWICE:
        shop.sql(statement)
    shop.write(source() + model(strategy=KEYED[after]))
    assert "fails, before anything is changed, where rows share" in shop.cli("plan")
    shop.cli("migrate", "--name", "step")
    with pytest.raises(EngineError, match="rows of people share id, or have none"):
        shop.execute(shop.migration())
    shop.sql("DELETE FROM mart.people WHERE email = 'b'")
    shop.deploy()


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_rows_that_share_a_key_on_a_warehouse(before: str, after: str, engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + model(strategy=KEYED[before]), "baseline")
    world = shop.world()
    world.deploy()
    for statement in TWICE:
        world.sql(statement)
    shop.migrate(source() + model(strategy=KEYED[after]), "step")
    text = own(shop.file("apply.sql"))
    assert findings(engine, text) == []
    with pytest.raises(Failure, match="rows of people share id, or have none"):
        world.warehouse.migrate(text)
    assert text.index("rows of people share id") < text.index("PRIMARY KEY"), "the key is declared before it is looked at"
    world.sql("DELETE FROM mart.people WHERE email = 'b'")
    world.warehouse.migrate(text)


BACK = r"rows of people share id, or have none, which was the key: mend that, then roll back"


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_rows_that_came_since_share_the_key_of_the_way_back(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + model(strategy=KEYED["merge"]))
    shop.evolve(source() + model(strategy=KEYED["append"]), "step")
    assert f"It fails, before anything is changed, where {BACK}" in shop.migration("PLAN.md")
    for statement in TWICE:
        shop.sql(statement)
    with pytest.raises(EngineError, match=BACK):
        shop.execute(shop.migration("rollback.sql"))
    shop.sql("DELETE FROM mart.people WHERE email = 'b'")
    shop.execute(shop.migration("rollback.sql"))


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_way_back_declares_no_key_that_does_not_hold(engine: str, tmp_path: Path) -> None:
    """A warehouse plans joins by it: rows that share it would be counted once, or twice."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + model(strategy=KEYED["merge"]), "baseline")
    world = shop.world()
    world.deploy()
    shop.migrate(source() + model(strategy=KEYED["append"]), "step")
    world.warehouse.migrate(own(shop.file("apply.sql")))
    for statement in TWICE:
        world.sql(statement)
    text = own(shop.file("rollback.sql"))
    assert findings(engine, text) == []
    with pytest.raises(Failure, match=BACK):
        world.warehouse.migrate(text)
    world.sql("DELETE FROM mart.people WHERE email = 'b'")
    world.warehouse.migrate(text)
