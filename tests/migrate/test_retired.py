"""What is retired stays, whatever happens to its table, and is there in every database of the released state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
from tests.conftest import new_database
from tests.migrate.changes import ROWS, model, snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop
from tests.worlds import source_tables

ENGINES = ("duckdb", "postgres")
DAY = "2026-01-02 00:00:00"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_that_is_copied_while_its_table_moves_is_kept_where_it_goes(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Recorded where the table was, it would be nobody's: the next migration that writes the table anew would leave it out."""
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    kept = "SELECT score__retired_2 FROM snap2.history ORDER BY id"
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR")
    moved = snapshot().replace("schema: snap,", "schema: snap2,")
    shop.evolve(source(score="text") + moved, "two")
    assert [c.path for c in shop.released().retired_columns] == ["snap2.history.score__retired_2"]
    shop.evolve(source(score="text") + moved.replace("}", ", dbt_valid_to_current: '9999-12-31'}"), "three")
    assert shop.rows(kept) == [(10,), (20,), (None,)]
    shop.execute(shop.migration("rollback.sql"))
    shop.execute((shop.root / "migrations/0002_two/rollback.sql").read_text(encoding="utf-8"))
    assert shop.rows("SELECT score FROM snap.history ORDER BY id") == [(10,), (20,), (None,)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_database_that_was_empty_has_what_is_retired(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """deploy.sql contains the migrations: what they have left behind is there for later ones, for approvals and for rollbacks."""

    def database(name: str) -> str:
        if engine == "duckdb":
            return str(tmp_path / f"{name}.duckdb")
        return new_database(request.getfixturevalue("server"), f"retired_{name}_{tmp_path.parent.name.replace('-', '_')}")

    def drift() -> str:
        words = ["drift", "--target", engine, "--database", shop.database, "--specs", str(shop.specs), "--out", str(shop.out)]
        return CliRunner().invoke(cli, words).output

    marked = snapshot().replace("invalidate", "new_record")
    people = model(config=", schema: alone")
    shop = Evolving(tmp_path, engine, database("first"))
    shop.begin(source() + marked + people)
    shop.evolve(source(city=None, score="text") + snapshot(), "two")
    assert drift() == "as released\n"
    shop.close()
    shop.database = database("fresh")
    shop.open()
    for statement in source_tables(shop.manifest(), "TIMESTAMPTZ"):
        shop.sql(statement)
    shop.deploy()
    assert drift() == "as released\n"
    shop.deploy()
    shop.execute(shop.migration("verify.sql"))
    approved = "approvals:\n  - {drop: snap.history.city__retired_2, by: Olga, on: 2026-06-01}\n"
    until = snapshot(config=", dbt_valid_to_current: '9999-12-31'")
    shop.evolve(source(city=None, score="text") + until + approved, "three")
    assert drift() == "as released\n"
    shop.execute(shop.migration("rollback.sql"))
    shop.execute((shop.root / "migrations/0002_two/rollback.sql").read_text(encoding="utf-8"))
    assert shop.rows("SELECT count(*) FROM alone.people") == [(0,)]
    assert shop.rows("SELECT count(score + 1) FROM snap.history WHERE is_deleted") == [(0,)]
    shop.close()


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_an_empty_warehouse_has_what_is_retired(engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + snapshot() + model(), "baseline")
    assert "retired" not in (shop.out / engine / "deploy.sql").read_text(encoding="utf-8")
    shop.migrate(source(city=None) + snapshot(), "two")
    world = shop.world()
    world.deploy()
    for kept in ("city__retired_2) FROM snap.history", "email) FROM mart.people__retired_2"):
        assert world.rows(f"SELECT count({kept}") == [(0,)]


def test_what_an_older_version_has_retired_is_read(evolving: Callable[[str], Evolving]) -> None:
    """It did not write down the columns of a table: such a table cannot be made."""
    shop = evolving("duckdb")
    shop.begin(source() + snapshot() + model())
    shop.evolve(source() + snapshot(), "two")
    found = json.loads((shop.root / "released.json").read_text(encoding="utf-8"))
    (table,) = found["retired_tables"]
    assert next(iter(table["columns"].items())) == ("id", "bigint not null") and table["primary_key"] == ["id"]
    for word in ("columns", "primary_key", "ordered"):
        del table[word]
    (shop.root / "released.json").write_text(json.dumps(found), encoding="utf-8")
    assert shop.released().retired_tables[0].columns == () and shop.released().release.retired == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_plan_from_older_files_says_so_as_a_deploy_does(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    at = str(tmp_path / "shop.duckdb") if engine == "duckdb" else request.getfixturevalue("database")
    shop = Evolving(tmp_path, engine, at)
    shop.begin(source() + snapshot())
    older = (shop.root / "released.json").read_text(encoding="utf-8")
    shop.evolve(source(city=None) + snapshot(), "two")
    shop.close()
    assert "every released migration" in shop.cli("plan", "--target", engine, "--database", at)
    (shop.root / "released.json").write_text(older, encoding="utf-8")
    shop.write(source() + snapshot())
    said = shop.cli("plan", "--target", engine, "--database", at, fails=1)
    assert "error[C806]: the database has seen migration 2, which these files do not know" in said
