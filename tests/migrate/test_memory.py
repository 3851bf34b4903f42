"""What the control tables remember of a table goes when it is not true any more: digests of seeds, watermarks, windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migrate.changes import source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop

ENGINES = ("duckdb", "postgres")
SEED = "seeds:\n  - name: codes\n    config: {schema: mart}\n    columns: [{name: code, data_type: text}]\n"
VIEW = "models:\n  - name: seen\n    sql: select id from {{ source('raw', 'customers') }}\n"
TABLE = VIEW + "  - name: codes\n    config: {materialized: table}\n    sql: select email as code from {{ source('raw', 'customers') }}\n"
CODES = "SELECT code FROM mart.codes ORDER BY 1"


def seeded(specs: Path) -> None:
    (specs / "seeds").mkdir(exist_ok=True)
    (specs / "seeds" / "codes.csv").write_text("code\na\nb\n", encoding="utf-8")


def unseeded(specs: Path) -> None:
    (specs / "seeds" / "codes.csv").unlink()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_that_was_retired_is_loaded_when_it_comes_again(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    seeded(shop.specs)
    shop.begin(source() + SEED + VIEW)
    unseeded(shop.specs)
    shop.evolve(source() + VIEW, "without")
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows(CODES) == [("a",), ("b",)]
    shop.deploy()
    seeded(shop.specs)
    shop.evolve(source() + SEED + VIEW, "again")
    assert shop.rows(CODES) == [("a",), ("b",)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_whose_migration_was_rolled_back_is_loaded_by_the_next_deploy(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + VIEW)
    seeded(shop.specs)
    shop.evolve(source() + SEED + VIEW, "seed")
    shop.execute(shop.migration("rollback.sql"))
    shop.deploy()
    assert shop.rows(CODES) == [("a",), ("b",)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_that_was_a_table_meanwhile_has_its_own_rows_again(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    seeded(shop.specs)
    shop.begin(source() + SEED + VIEW)
    unseeded(shop.specs)
    shop.evolve(source() + TABLE, "as_table")
    shop.sql("INSERT INTO raw.customers (id, email) VALUES (1, 'x@x')")
    shop.run("codes", "2026-01-02 00:00:00")
    assert shop.rows(CODES) == [("x@x",)]
    seeded(shop.specs)
    shop.evolve(source() + SEED + VIEW, "as_seed")
    assert shop.rows(CODES) == [("a",), ("b",)]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_seed_that_comes_again_is_loaded_on_a_warehouse(engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    seeded(shop.specs)
    shop.migrate(source() + SEED + VIEW, "baseline")
    world = shop.world()
    world.deploy()
    unseeded(shop.specs)
    shop.migrate(source() + VIEW, "without")
    world.warehouse.migrate(shop.file("apply.sql"))
    seeded(shop.specs)
    shop.migrate(source() + SEED + VIEW, "again")
    world.warehouse.migrate(shop.file("apply.sql"))
    assert world.rows(CODES) == [("a",), ("b",)]
