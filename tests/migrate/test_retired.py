"""What is retired stays, whatever happens to its table, and is there in every database of the released state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
from c360gen.engines import EngineError
from tests.conftest import new_database
from tests.migrate.changes import ROWS, model, snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop, findings, own
from tests.worlds import source_tables

ENGINES = ("duckdb", "postgres")
DAY = "2026-01-02 00:00:00"
APPROVED = "approvals:\n  - {drop: %s, by: Olga, on: 2026-06-01}\n"


def columns(shop: Evolving, table: str) -> set[str]:
    return {name for (name,) in shop.rows(f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'")}


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


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_that_is_brought_back_while_its_table_moves_is_retired_no_more(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Recorded as retired, deploy.sql would make an empty one of its name, and the way back would find it taken."""
    shop = evolving(engine)
    shop.begin(source() + model())
    shop.sql(ROWS[0])
    shop.run("people", DAY)
    shop.evolve(source() + model("id, email, score, updated_at"), "two")
    back = "      - {name: city, was: city__retired_2}\n"
    shop.evolve(source() + model(name="persons", was="people", columns=back), "three")
    assert shop.released().retired_columns == ()
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT city__retired_2 FROM mart.people ORDER BY id") == [("Rome",), ("Oslo",), (None,)]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_approval_holds_while_its_table_moves(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Dropped without a word, no gate would have held it, and released.json would go on speaking of it."""
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    shop.evolve(source(city=None) + snapshot(), "two")
    approved = APPROVED % "snap.history.city__retired_2"
    shop.write(source(city=None) + snapshot(name="people", was="history") + approved)
    assert "- snap.history.city__retired_2: column dropped; it was city" in shop.cli("plan", "--fail-on", "destructive", fails=1)
    shop.cli("migrate", "--name", "three")
    shop.deploy()
    assert shop.released().retired_columns == ()
    assert "city__retired_2" not in columns(shop, "people")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_of_a_retired_table_goes_with_its_approval(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """PLAN.md says that it is dropped, which may be what somebody has to answer for."""
    shop = evolving(engine)
    shop.begin(source() + snapshot() + model())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    left = source(city=None) + model("id, email, score, updated_at")
    shop.evolve(left + snapshot(), "two")
    shop.write(left + APPROVED % "snap.history.city__retired_2")
    said = shop.cli("migrate", "--name", "three", fails=1)
    assert "cannot be dropped by the migration that retires its table" in said and "snap.history__retired_3.city__retired_2 can be" in said
    shop.evolve(left, "three")
    before = shop.rows("SELECT id, email, score FROM snap.history__retired_3 ORDER BY id")
    shop.evolve(left + APPROVED % "snap.history__retired_3.city__retired_2", "four")
    assert "city__retired_2" not in columns(shop, "history__retired_3")
    assert shop.rows("SELECT id, email, score FROM snap.history__retired_3 ORDER BY id") == before
    shop.execute(shop.migration("verify.sql"))
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT count(*), count(city__retired_2) FROM snap.history__retired_3") == [(3, 0)]


def test_a_column_of_a_table_that_an_older_version_has_retired(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(source() + snapshot() + model())
    left = source(city=None) + model("id, email, score, updated_at")
    shop.evolve(left + snapshot(), "two")
    shop.evolve(left, "three")
    at = shop.root / "released.json"
    found = json.loads(at.read_text(encoding="utf-8"))
    for word in ("columns", "primary_key", "ordered"):
        del found["retired_tables"][0][word]
    at.write_text(json.dumps(found), encoding="utf-8")
    shop.write(left + APPROVED % "snap.history__retired_3.city__retired_2")
    said = shop.cli("migrate", "--name", "four", fails=1)
    assert "cannot be dropped alone" in said and "help: approve snap.history__retired_3 as a whole" in said


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_column_of_a_retired_table_goes_on_a_warehouse(engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + snapshot() + model(), "baseline")
    world = shop.world()
    world.deploy()
    left = source(city=None) + model("id, email, score, updated_at")
    for name, specs in (("two", left + snapshot()), ("three", left), ("four", left + APPROVED % "snap.history__retired_3.city__retired_2")):
        shop.migrate(specs, name)
        text = own(shop.file("apply.sql"))
        assert findings(engine, text) == []
        world.warehouse.migrate(text)
    with pytest.raises(Exception, match="city__retired_2"):
        world.rows("SELECT city__retired_2 FROM snap.history__retired_3")
    assert world.rows("SELECT count(email) FROM snap.history__retired_3") == [(0,)]


TAKEN = {
    "a column that is released": (
        source(city__retired_2="text") + snapshot(), source(city=None, city__retired_2="text") + snapshot(), "snap.history.city",
    ),
    "a column that is new": (
        source() + snapshot(),
        source(city=None, city__retired_2="text") + snapshot(columns="      - {name: city__retired_2, history: empty}\n"),
        "snap.history.city",
    ),
    "a column beside one that is copied": (
        source(score__retired_2="text") + snapshot(), source(score="text", score__retired_2="text") + snapshot(), "snap.history.score",
    ),
    "a node": (
        source() + model() + model(name="people__retired_2").removeprefix("models:\n"), source() + model(name="people__retired_2"),
        "mart.people",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TAKEN)
def test_a_name_that_is_taken_is_told_before_a_migration_is_released(case: str, evolving: Callable[[str], Evolving]) -> None:
    """It would fail in every database, or, where statements ask the catalog whether they are done, be taken for done."""
    before, after, said = TAKEN[case]
    shop = evolving("duckdb")
    shop.begin(before)
    shop.write(after)
    told = shop.cli("migrate", "--name", "two", fails=1)
    assert f"error[C604]: {said} cannot be retired as {said.rpartition('.')[2]}__retired_2: a" in told, told


def test_a_node_that_was_retired_begins_anew_and_says_so(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(source() + snapshot() + model())
    shop.evolve(source() + snapshot(), "two")
    shop.write(source() + snapshot() + model())
    assert "+ mart.people: incremental, without the rows of mart.people__retired_2\n" in shop.cli("plan")


def test_columns_that_somebody_has_added_are_not_lost_in_a_copy(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    shop.sql("ALTER TABLE snap.history ADD COLUMN Note VARCHAR")
    shop.sql("UPDATE snap.history SET note = 'mine'")
    shop.write(source(city=None) + snapshot())
    shop.cli("migrate", "--name", "two")
    with pytest.raises(EngineError, match=r"snap\.history has columns that are not released"):
        shop.deploy()
    assert shop.rows("SELECT note FROM snap.history") == [("mine",)] * 3
    shop.sql("CREATE TABLE notes AS SELECT id, valid_from, note FROM snap.history")
    shop.sql("ALTER TABLE snap.history DROP COLUMN note")
    shop.deploy()


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
