"""Migrations of Snowflake and BigQuery: judged, and executed in the interpreter, to the end and killed before every statement."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen import dialects
from c360gen.cli.main import cli
from c360gen.dialects.bigquery.changes import BigQueryChanges
from c360gen.dialects.names import Address
from c360gen.emit.shell import text_of
from c360gen.judges import googlesql, sqlfluff
from c360gen.migrate import state
from c360gen.pipeline import build_below, load_project
from tests.migrate.changes import CHANGES, Change, model, source
from tests.slow import but_fast
from tests.warehouse.machine import Broken, Failure, Killed, Waits
from tests.warehouse.warehouse import Warehouse
from tests.worlds import Interpreted

ENGINES = ("snowflake", "bigquery")
IMPOSSIBLE = {
    ("schema_moved", "bigquery"): "cannot move", ("key_renamed", "bigquery"): "stores the rows by it",
    ("key_copied", "bigquery"): "stores the rows by it", ("interval_renamed", "bigquery"): "stores the rows by it",
    ("key_widened", "bigquery"): "stores the rows by it",
    ("model_key_widened", "bigquery"): "stores the rows by it",
}  # fmt: skip
BEYOND = {("schema_moved", "snowflake")}
"""What the interpreter cannot say: DuckDB moves no table to another schema."""


class Shop:
    """One warehouse with its files."""

    def __init__(self, folder: Path, engine: str, settings: str = ""):
        self.specs, self.out, self.engine = folder / "specs", folder / "generated", engine
        self.specs.mkdir(parents=True)
        (self.specs / "project.yml").write_text(
            f"project: {{name: shop, schema: mart}}\ntargets: {{{engine}: {{dialect: {engine}, database: c360{settings}}}}}\n",
            encoding="utf-8",
        )

    def migrate(self, specs: str, name: str, fails: int = 0) -> str:
        (self.specs / "nodes.yml").write_text(specs, encoding="utf-8")
        result = CliRunner().invoke(cli, ["migrate", "--name", name, "--specs", str(self.specs), "--out", str(self.out)])
        assert result.exit_code == fails, f"{result.output}\n{result.exception!r}"
        return result.output

    def world(self) -> Interpreted:
        return Interpreted(build_below(load_project(self.specs), self.engine, self.out))

    def file(self, name: str) -> str:
        last = state.read(self.out / self.engine).migrations[-1]  # type: ignore[union-attr]
        return (self.out / self.engine / f"migrations/{last.number:04}_{last.name}" / name).read_text(encoding="utf-8")


def sql_of(engine: str, statement: str) -> str:
    return statement if engine == "bigquery" else statement.replace("+00'", "'")


def watched(query: str, engine: str) -> str:
    return query if engine == "bigquery" else query.replace("+00'", "'")


CHOSEN = (
    "column_empty", "column_renamed", "type_copied", "markers_off", "node_retired", "column_backfill", "column_retired", "key_renamed",
    "markers_on", "several_at_once", "sentinel_on", "table_renamed", "table_moved", "schema_moved", "model_renamed_column",
    "model_other_key", "windows", "feed_renamed_column",
)  # fmt: skip
"""One of every operation. Parsing costs minutes where executing costs seconds: `make slow` plays all of them, the suite two."""
BY_NAME = {c.name: c for c in CHANGES}
CASES = but_fast([pytest.param(BY_NAME[name], id=name) for name in CHOSEN], ["column_empty", "markers_off"])
TWIN = """  - name: twin
    relation: source('raw', 'customers')
    config: {schema: snap, unique_key: id, strategy: timestamp, updated_at: updated_at, hard_deletes: invalidate}
"""
SECTION = "-- ===================="


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("change", CASES)
def test_change(change: Change, engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    shop.migrate(change.before, "baseline")
    world = shop.world()
    world.deploy()
    for statement in change.rows:
        world.sql(statement)
    for at in change.days:
        assert world.run(change.node, at) == ""
    if change.later:
        for statement in change.later:
            world.sql(statement)
        assert world.run(change.node, "2026-01-03 00:00:00") == ""
    before = world.rows(watched(change.watch, engine))
    for statement in change.source:
        world.sql(statement)
    if said := IMPOSSIBLE.get((change.name, engine)):
        assert said in shop.migrate(change.after, "step", fails=1)
        return
    shop.migrate(change.after, "step")
    for file in ("apply.sql", "verify.sql", "dry_run.sql", "rollback.sql"):
        assert findings(engine, own(shop.file(file))) == [], file
    if (change.name, engine) in BEYOND:
        return
    warehouse, apply, back = world.warehouse, shop.file("apply.sql"), shop.file("rollback.sql")
    wanted = change.expect if change.expect is not None else before
    looked = watched(change.watch_after or change.watch, engine)
    interrupted(warehouse, own(apply, end=False))
    warehouse.migrate(own(apply))
    assert world.rows(looked) == wanted
    warehouse.migrate(shop.file("verify.sql"))
    with pytest.raises(Failure, match="applied already"):
        warehouse.migrate(own(apply))
    interrupted(warehouse, own(back, end=False))
    warehouse.migrate(own(back))
    assert world.rows(watched(change.watch, engine)) == before, "the rollback lost something"
    warehouse.migrate(apply)
    assert world.rows(looked) == wanted
    after = shop.world()
    after.warehouse = warehouse
    assert after.run(change.node_after or change.node, "2026-01-05 00:00:00") == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_node_that_was_rolled_back_comes_back_with_its_history(engine: str, tmp_path: Path) -> None:
    """Twice over: what a rollback keeps is what the next apply goes on with, its log too, whatever statement a session dies before."""
    (change,) = [c for c in CHANGES if c.name == "column_empty"]
    shop = Shop(tmp_path, engine)
    shop.migrate(change.before, "baseline")
    world = shop.world()
    world.deploy()
    for statement in change.rows:
        world.sql(statement)
    shop.migrate(change.before.replace("snapshots:\n", "snapshots:\n" + TWIN), "twin")
    warehouse, apply, back = world.warehouse, shop.file("apply.sql"), shop.file("rollback.sql")
    for file in (apply, back):
        assert findings(engine, own(file)) == []
    after = shop.world()
    after.warehouse = warehouse
    for day in (5, 6, 7):
        if day == 6:
            interrupted(warehouse, own(apply, end=False))
        warehouse.migrate(apply)
        assert world.rows("SELECT count(*) FROM snap.twin WHERE id = 1") == [(day - 5,)], "what was kept is not there again"
        world.sql(sql_of(engine, f"UPDATE raw.customers SET email = 'day {day}', updated_at = '2026-01-0{day} 00:00:00+00' WHERE id = 1"))
        assert after.run("twin", f"2026-01-0{day} 12:00:00") == ""
        assert world.rows("SELECT count(*) FROM snap.twin WHERE id = 1") == [(day - 4,)]
        if day == 6:
            interrupted(warehouse, own(back, end=False))
        warehouse.migrate(own(back))
        assert world.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'twin'") == [(0,)]


def test_bigquery_gets_the_key_that_holds_now(tmp_path: Path) -> None:
    """It believes in one that it does not enforce: the old one goes before rows of the new one may come, there and back."""
    shop = Shop(tmp_path, "bigquery")
    (change,) = [c for c in CHANGES if c.name == "model_other_key"]
    shop.migrate(change.before, "baseline")
    shop.migrate(change.after, "step")
    for file, columns in {"apply.sql": "id, updated_at", "rollback.sql": "id"}.items():
        text = own(shop.file(file))
        drop = text.index("ALTER TABLE c360.mart.people DROP PRIMARY KEY IF EXISTS;")
        assert drop < text.index(f"PRIMARY KEY ({columns}) NOT ENFORCED;")
        assert findings("bigquery", text) == []
    shop.migrate(source() + model(strategy=", incremental_strategy: append, cursor: updated_at"), "append")
    assert "DROP PRIMARY KEY" in shop.file("apply.sql") and "ADD PRIMARY KEY" not in shop.file("apply.sql")


TWO_KEYS = ", incremental_strategy: merge, unique_key: [id, {}], cursor: updated_at"
POINTS = "      - {name: points, was: score}\n"
HELD = {
    "table": (BY_NAME["table_moved"].before, BY_NAME["table_moved"].after, "snap.history", "snap.people"),
    "retired": (source() + model(), source() + model(name="others", was="false"), "mart.people", None),
    "renamed": (
        source() + model(strategy=TWO_KEYS.format("score")),
        source() + model("id, email, city, score as points, updated_at", strategy=TWO_KEYS.format("points"), columns=POINTS),
        "mart.people", "mart.people",
    ),
    "retyped": (
        source() + model(strategy=TWO_KEYS.format("score")), source(score="numeric(20,0)") + model(strategy=TWO_KEYS.format("score")),
        "mart.people", "mart.people",
    ),
}  # fmt: skip
"""Before, after, and the table that has a key in either state."""


@pytest.mark.parametrize("name", HELD)
def test_bigquery_changes_no_name_that_a_primary_key_holds(name: str, tmp_path: Path) -> None:
    """Of a table or a column, nor a type: there, back and there again, killed before every statement."""
    before, after, was, now = HELD[name]
    shop = Shop(tmp_path, "bigquery")
    shop.migrate(before, "baseline")
    world = shop.world()
    world.deploy()
    keyed = "SELECT columns FROM catalog_.keys WHERE concat_ws('.', table_schema, table_name) = '{}'"
    (key,) = world.rows(keyed.format(was))
    shop.migrate(after, "step")
    for file, table in (("apply.sql", now), ("rollback.sql", was), ("apply.sql", now)):
        text = own(shop.file(file))
        assert findings("bigquery", text) == []
        interrupted(world.warehouse, own(shop.file(file), end=False))
        world.warehouse.migrate(text)
        if table is None:
            assert world.rows(keyed.format(was)) == [], "what is retired is believed by nobody"
        else:
            found = ["points" if name == "renamed" and file == "apply.sql" and c == "score" else c for c in key[0]]
            assert world.rows(keyed.format(table)) == [(found,)]


def test_bigquery_relaxes_a_column_whatever_its_name() -> None:
    dialect = dialects.get("bigquery")
    assert isinstance(dialect.changes, BigQueryChanges)
    (piece,) = dialect.changes.relax(Address("c360", "mart", "people"), "it's")
    asked = " ".join(text_of(piece, dialect).split())
    assert r"WHERE c.table_name = 'people' AND c.column_name = 'it\'s' AND c.is_nullable = 'NO'" in asked


def test_snowflake_declares_the_key_that_holds_now(tmp_path: Path) -> None:
    """It enforces none, but tools read it: there, back, and a session that dies in between."""
    shop = Shop(tmp_path, "snowflake")
    (change,) = [c for c in CHANGES if c.name == "model_other_key"]
    shop.migrate(change.before, "baseline")
    world = shop.world()
    world.deploy()
    shop.migrate(change.after, "step")
    keys = "SELECT table_name FROM catalog_.keys WHERE table_name = 'people'"
    for file, columns in {"apply.sql": "id, updated_at", "rollback.sql": "id"}.items():
        text = own(shop.file(file))
        assert text.index("DROP PRIMARY KEY") < text.index(f"ADD CONSTRAINT people_pk PRIMARY KEY ({columns}) NOT ENFORCED")
        assert findings("snowflake", text) == []
        interrupted(world.warehouse, own(shop.file(file), end=False))
        world.warehouse.migrate(text)
        assert world.rows(keys) == [("people",)]


@pytest.mark.parametrize("name", ["several_at_once", "type_copied", "markers_off", "model_other_key", "model_append"])
def test_a_database_is_called_as_the_target_says_in_every_statement(name: str, tmp_path: Path) -> None:
    """MyDb is MYDB on Snowflake, and "MyDb" another one."""
    shop = Shop(tmp_path, "snowflake")
    project = shop.specs / "project.yml"
    project.write_text(project.read_text(encoding="utf-8").replace("database: c360", "database: MyDb"), encoding="utf-8")
    shop.migrate(BY_NAME[name].before, "baseline")
    shop.migrate(BY_NAME[name].after, "step")
    assert [f.name for f in shop.out.rglob("*.sql") if '"MyDb"' in f.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_first_key_is_declared_once(engine: str, tmp_path: Path) -> None:
    """An attempt that died behind it begins with it again, and neither engine takes a second one."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + model(strategy=", incremental_strategy: append, cursor: updated_at"), "baseline")
    world = shop.world()
    world.deploy()
    shop.migrate(source() + model(), "merge")
    interrupted(world.warehouse, own(shop.file("apply.sql"), end=False))
    world.warehouse.migrate(own(shop.file("apply.sql")))
    assert world.rows("SELECT table_name FROM catalog_.keys WHERE table_name = 'people'") == [("people",)]
    assert "UPPER(" not in shop.file("apply.sql"), "a function around its columns keeps Snowflake from narrowing what it reads"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_is_under_way_is_waited_for(engine: str, tmp_path: Path) -> None:
    """The migration stands at the run's lock, and changes nothing before the run has committed."""
    (change,) = (c for c in CHANGES if c.name == "column_empty")
    shop = Shop(tmp_path, engine)
    shop.migrate(change.before, "baseline")
    world = shop.world()
    world.deploy()
    for statement in change.rows:
        world.sql(statement)
    for statement in change.source:
        world.sql(statement)
    shop.migrate(change.after, "step")
    waited = []

    def migrate() -> None:
        other = world.warehouse.session()
        try:
            other.migrate(own(shop.file("apply.sql")))
        except Waits as at:
            waited.append(str(at))
        other.connection.close()

    arguments = world.arguments(change.node, "2026-01-02 00:00:00", False)
    world.warehouse.call(f"c360_control.run_{change.node}", *arguments)
    last = world.warehouse.statements
    world.warehouse.machine.pauses = {last - 1: migrate}
    world.warehouse.call(f"c360_control.run_{change.node}", *world.arguments(change.node, "2026-01-03 00:00:00", False))
    world.warehouse.machine.pauses = {}
    assert len(waited) == 1 and "lock_" in waited[0], waited
    world.warehouse.migrate(own(shop.file("apply.sql")))


WIDER = {
    "bigquery": ("score", "numeric(10,2)", "numeric(20,2)", "CAST(123456789012 AS DECIMAL(20, 2))", "DECIMAL(10,2)"),
    "snowflake": ("city", "varchar(20)", "text", "'a city of more than twenty letters'", "VARCHAR"),
}
"""Column, its types before and after, a value that only the second one holds, and what DuckDB calls the first."""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wider_type_goes_back_where_the_engine_only_widens(engine: str, tmp_path: Path) -> None:
    """Through a column of the old type; a value that it cannot hold stops the way back before its first step."""
    name, narrow, wide, large, stored = WIDER[engine]
    shop = Shop(tmp_path, engine)
    shop.migrate(source(**{name: narrow}) + model(), "baseline")
    world = shop.world()
    world.deploy()
    at = "'2026-01-01 00:00:00+00'" if engine == "bigquery" else "'2026-01-01 00:00:00'"
    world.sql(f"INSERT INTO mart.people (id, email, city, score, updated_at) VALUES (1, 'a', 'x', 7, {at}), (2, 'b', NULL, NULL, {at})")
    rows = "SELECT id, email, city, score FROM mart.people ORDER BY id"
    before = world.rows(rows)
    shop.migrate(source(**{name: wide}) + model(), "step")
    apply, back = own(shop.file("apply.sql")), own(shop.file("rollback.sql"))
    assert "SET DATA TYPE" in apply and "SET DATA TYPE" not in back and findings(engine, back) == []
    world.warehouse.migrate(apply)
    world.sql(f"UPDATE mart.people SET {name} = {large} WHERE id = 2")
    held = world.rows(rows)
    with pytest.raises(Failure, match=r"mart\.people.* has values that .* cannot hold"):
        world.warehouse.migrate(back)
    columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'people'"
    assert world.rows(rows) == held and len(world.rows(columns)) == 5
    world.sql(f"UPDATE mart.people SET {name} = NULL WHERE id = 2")
    interrupted(world.warehouse, own(shop.file("rollback.sql"), end=False))
    world.warehouse.migrate(back)
    assert world.rows(rows) == before and (name, stored) in world.rows(columns) and len(world.rows(columns)) == 5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_value_that_changes_between_two_attempts_is_copied_as_it_is(engine: str, tmp_path: Path) -> None:
    """The first one died behind the copy; then a value went, another came, and one is another."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source(city="text") + model(), "baseline")
    world = shop.world()
    world.deploy()
    at = "'2026-01-01 00:00:00+00'" if engine == "bigquery" else "'2026-01-01 00:00:00'"
    rows = ", ".join(f"({n}, '{n}', {city}, 1, {at})" for n, city in ((1, "'11'"), (2, "NULL"), (3, "'33'")))
    world.sql(f"INSERT INTO mart.people (id, email, city, score, updated_at) VALUES {rows}")
    shop.migrate(source(city="bigint") + model(), "step")
    apply = own(shop.file("apply.sql"))
    copied, at_ = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'c360_next_city'", 0
    while True:  # until one dies with all values in both columns
        at_ += 1
        with pytest.raises(Killed):
            world.warehouse.migrate(apply, kill_at=at_)
        if world.rows(copied) == [(1,)] and world.rows("SELECT count(c360_next_city) FROM mart.people") == [(2,)]:
            break
    for statement in ("city = NULL WHERE id = 1", "city = '22' WHERE id = 2", "city = '44' WHERE id = 3"):
        world.sql(f"UPDATE mart.people SET {statement}")
    world.sql("DELETE FROM c360_control.migration_check")  # what a run has changed is no loss
    world.warehouse.migrate(apply)
    assert world.rows("SELECT id, city FROM mart.people ORDER BY id") == [(1, None), (2, 22), (3, 44)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_value_that_would_not_survive_stops_before_the_first_step(engine: str, tmp_path: Path) -> None:
    """Nothing goes back where DDL commits by itself: a column of another name would break the runs that are there."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source(city="text") + model(), "baseline")
    world = shop.world()
    world.deploy()
    at = "'2026-01-01 00:00:00+00'" if engine == "bigquery" else "'2026-01-01 00:00:00'"
    world.sql(f"INSERT INTO mart.people (id, email, city, score, updated_at) VALUES (1, 'a', '12', 7, {at}), (2, 'b', 'many', NULL, {at})")
    shop.migrate(source(city="bigint") + model("id, email, city, score as points, updated_at", columns=POINTS), "step")
    apply = own(shop.file("apply.sql"))
    with pytest.raises(Failure, match=r"mart\.people\.city has values that bigint cannot hold"):
        world.warehouse.migrate(apply)
    assert world.rows("SELECT id, score, city FROM mart.people ORDER BY id") == [(1, 7, "12"), (2, None, "many")]
    world.sql("UPDATE mart.people SET city = '13' WHERE id = 2")
    interrupted(world.warehouse, own(shop.file("apply.sql"), end=False))
    world.warehouse.migrate(apply)
    assert world.rows("SELECT id, points, city FROM mart.people ORDER BY id") == [(1, 7, 12), (2, None, 13)]


LAGGING = ("column_renamed", "type_copied", "table_renamed", "model_renamed_column", "column_retired", "several_at_once")


@pytest.mark.parametrize("name", but_fast([pytest.param(name, id=name) for name in LAGGING], ["type_copied"]))
def test_a_catalog_that_lags_is_waited_for_or_told(name: str, tmp_path: Path) -> None:
    """Whenever it catches up: a migration that says that it is applied is, and one that fails is finished by the next attempt."""
    change, shop = BY_NAME[name], Shop(tmp_path, "bigquery")
    shop.migrate(change.before, "baseline")
    old = shop.world().build
    shop.migrate(change.after, "step")
    apply = own(shop.file("apply.sql"))
    failed, at, last = 0, 0, 1
    while at < last:
        at += 1
        world = Interpreted(old)
        world.deploy()
        for statement in change.rows:
            world.sql(statement)
        for day in change.days:
            assert world.run(change.node, day) == ""
        for statement in change.later:
            world.sql(statement)
        if change.later:
            assert world.run(change.node, "2026-01-03 00:00:00") == ""
        wanted = change.expect if change.expect is not None else world.rows(watched(change.watch, "bigquery"))
        for statement in change.source:
            world.sql(statement)
        warehouse = world.warehouse
        warehouse.lag()
        warehouse.machine.pauses = {at: warehouse.catch_up}
        try:
            last = warehouse.migrate(apply)
        except (Failure, Broken):
            failed += 1
            warehouse.catch_up()
            warehouse.machine.pauses = {}
            last = max(last, warehouse.migrate(apply))
        assert world.rows(watched(change.watch_after or change.watch, "bigquery")) == wanted, at
        warehouse.machine.pauses = {}
        warehouse.migrate(shop.file("verify.sql"))
    assert failed and last > 5, "it lags to the end, at least"


def migrated(name: str, tmp_path: Path) -> tuple[Shop, Interpreted]:
    """A history on Snowflake that runs have written, and a migration of it."""
    change = BY_NAME[name]
    shop = Shop(tmp_path, "snowflake")
    shop.migrate(change.before, "baseline")
    world = shop.world()
    world.deploy()
    for statement in change.rows:
        world.sql(statement)
    for at in change.days:
        assert world.run(change.node, at) == ""
    for statement in change.source:
        world.sql(statement)
    shop.migrate(change.after, "step")
    return shop, world


def test_a_session_in_which_autocommit_is_off(tmp_path: Path) -> None:
    """A migration says that its session commits what it does: otherwise a block that begins or ends a transaction fails, half-way."""
    shop, world = migrated("column_renamed", tmp_path)
    text = own(shop.file("apply.sql"))
    world.warehouse.migrate(text, autocommit=False)
    assert world.rows("SELECT action FROM c360_control.migration ORDER BY number, applied_at")[-2:] == [("started",), ("applied",)]
    world.warehouse.migrate(shop.file("rollback.sql"), autocommit=False)
    with pytest.raises(Failure, match="90232"):
        world.warehouse.migrate(text.replace("ALTER SESSION SET AUTOCOMMIT = TRUE;", ""), autocommit=False)


def test_a_run_sees_what_a_migration_has_renamed(tmp_path: Path) -> None:
    """The lock of the new name names the last run, and the log has to show it under that name."""
    shop, world = migrated("table_renamed", tmp_path)
    label = "snap.client_history"
    world.warehouse.execute("CREATE SCHEMA old; CREATE TABLE old.run_log AS SELECT * FROM c360_control.run_log")
    world.warehouse.migrate(shop.file("apply.sql"))
    [(last,)] = world.rows(
        f"SELECT run_id FROM c360_control.run_log WHERE node = '{label}' AND status = 'succeeded' ORDER BY logged_at DESC LIMIT 1"
    )
    assert world.rows("SELECT run_id FROM c360_control.lock_client_history") == [(last,)]
    after = shop.world()
    after.warehouse = world.warehouse.session()
    after.warehouse.machine.behind, after.warehouse.machine.lag = {"c360_control.run_log": "old.run_log"}, 10**9
    assert "ZC024" in after.run("client_history", "2026-01-05 00:00:00")
    after.warehouse.machine.behind = {}
    assert after.run("client_history", "2026-01-05 00:00:00") == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_several_columns_are_filled_at_once(engine: str, tmp_path: Path) -> None:
    """One UPDATE for all, and on BigQuery, which takes few changes of a table in ten seconds, one ALTER."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + model(), "baseline")
    world = shop.world()
    world.deploy()
    at = "'2026-01-01 00:00:00+00'"
    world.sql(f"INSERT INTO mart.people (id, email, updated_at) VALUES (1, 'a', {at}), (2, NULL, {at})")
    values = {"phone": "'+' || email", "fax": "city"}
    listed = "".join(f'      - {{name: {n}, history: {{backfill: "{said}"}}}}\n' for n, said in values.items())
    wide = model("id, email, city, score, phone, fax, updated_at", columns=listed)
    shop.migrate(source(phone="text", fax="text") + wide, "step")
    text = own(shop.file("apply.sql"), end=False)
    assert findings(engine, text) == []
    assert (text.count("ALTER TABLE"), text.count("UPDATE c360.mart.people")) == (1 if engine == "bigquery" else 2, 1)
    interrupted(world.warehouse, text)
    world.warehouse.migrate(text)
    assert world.rows("SELECT id, phone, fax FROM mart.people ORDER BY 1") == [(1, "+a", None), (2, None, None)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_between_two_attempts_is_no_loss(engine: str, tmp_path: Path) -> None:
    """It changes what was counted; the second attempt ends. Without a run, what is missing is still told."""
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + model(), "baseline")
    world = shop.world()
    world.deploy()
    world.sql("INSERT INTO raw.customers (id, email, updated_at) VALUES (1, 'a', '2026-01-01 00:00:00+00')")
    world.sql("INSERT INTO raw.customers (id, email, updated_at) VALUES (2, 'b', '2026-01-01 00:00:00+00')")
    assert world.run("people", "2026-01-02 00:00:00") == ""
    deployed = world.warehouse.machine.procedures
    wide = model("id, email, city, score, phone, updated_at", columns="      - {name: phone, history: {backfill: email}}\n")
    shop.migrate(source(phone="text") + wide, "step")
    text = own(shop.file("apply.sql"), end=False)
    at = 0
    while world.rows("SELECT COUNT(*) FROM c360_control.migration_check") == [(0,)]:
        at += 1
        with pytest.raises(Killed):
            world.warehouse.migrate(text, kill_at=at)
    world.sql("UPDATE mart.people SET email = NULL WHERE id = 2")
    with pytest.raises(Failure, match="people has lost rows or values"):
        world.warehouse.migrate(text)
    world.sql("INSERT INTO raw.customers (id, email, updated_at) VALUES (3, 'c', '2026-01-03 00:00:00+00')")
    world.warehouse.machine.procedures = deployed  # which a migration's own blocks have put aside
    assert world.run("people", "2026-01-04 00:00:00") == ""
    world.warehouse.migrate(text)
    assert world.rows("SELECT id, phone FROM mart.people ORDER BY 1") == [(1, "a"), (2, "b"), (3, "c")]


def own(text: str, end: bool = True) -> str:
    """A migration without the sections of deploy.sql that it repeats: those are CREATE OR REPLACE, and proven elsewhere."""
    head, marker, rest = text.partition(SECTION)
    tail = rest[rest.rindex("-- Both or neither.") :] if marker else ""
    if not marker and not end:
        head = head[: head.rindex("-- Both or neither.")]
    return head + (tail if end else "")


def interrupted(warehouse: Warehouse, text: str) -> None:
    """The session dies before every statement, each time a little later, and begins again."""
    at = 0
    while True:
        at += 1
        try:
            warehouse.migrate(text, kill_at=at)
        except Killed:
            continue
        break
    assert at > text.count("\n-- Step ") + 1, "it died less often than it has steps"


def findings(engine: str, text: str) -> list[tuple[int, str]]:
    """What the judge of a dialect does not take."""
    return list(sqlfluff.check(text)) if engine == "snowflake" else googlesql.Catalog(googlesql.library()).parse(text)


@pytest.mark.parametrize(("owner", "said"), [("shop_owner", "shop_owner"), ("shop-owner", '"shop-owner"')])
def test_whatever_snowflake_makes_belongs_to_the_owner(tmp_path: Path, owner: str, said: str) -> None:
    """Tasks too: a migration suspends them as the owner, which may do it to its own alone."""
    shop = Shop(tmp_path, "snowflake", f', owner: "{owner}"')
    schedule = 'schedules:\n  - {name: daily, cron: "0 0 * * *", select: "*"}\n'
    shop.migrate(source() + model() + schedule, "baseline")
    shop.migrate(
        source(phone="text") + model("id, email, city, score, phone, updated_at", ", on_schema_change: append_new_columns") + schedule,
        "more",
    )
    root = shop.out / "snowflake"
    more = root / "migrations/0002_more"
    for file in (root / "deploy.sql", root / "schedules/tasks_daily.sql", more / "apply.sql", more / "rollback.sql"):
        statements = [s for s in file.read_text(encoding="utf-8").splitlines() if s and not s.startswith(("--", "ALTER SESSION"))]
        assert statements[0] == f"USE ROLE {said};", file.name
