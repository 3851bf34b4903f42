"""What can go wrong around a migration: it dies, it is run twice, two run at once, a run is at work, a file was edited."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from c360gen.engines import EngineBusy, EngineError, connect
from tests.migrate.changes import LATER, PHONE, ROWS, WATCH, model, snapshot, source
from tests.migrate.evolving import Evolving
from tests.worlds import task_of

ENGINES = ("duckdb", "postgres")
BEFORE = source() + snapshot() + model()
AFTER = (
    source(phone="text", city=None) + snapshot(columns="      - {name: phone, history: empty}\n") + model("id, email, score, updated_at")
)
MARKS = re.compile(r"^-- (Step \d+|Before|After|Views and procedures|Every row|=====|Both)", re.M)


@pytest.fixture
def shop(evolving: Callable[[str], Evolving], request: pytest.FixtureRequest) -> Evolving:
    made = evolving(request.param)
    made.begin(BEFORE)
    for statement in ROWS:
        made.sql(statement)
    made.run("history", "2026-01-02 00:00:00")
    made.run("people", "2026-01-02 00:00:00")
    for statement in LATER:
        made.sql(statement)
    made.run("history", "2026-01-03 00:00:00")
    return made


on_both = pytest.mark.parametrize("shop", ENGINES, indirect=True)
on_postgres = pytest.mark.parametrize("shop", ["postgres"], indirect=True)


def grow(shop: Evolving) -> None:
    """Only a column more, which the procedures of the state before do not mind."""
    for statement in PHONE:
        shop.sql(statement)
    shop.write(source(phone="text") + snapshot(columns="      - {name: phone, history: empty}\n") + model())
    shop.cli("migrate", "--name", "step")


def evolve(shop: Evolving) -> None:
    for statement in (*PHONE, "ALTER TABLE raw.customers DROP COLUMN city"):
        shop.sql(statement)
    shop.write(AFTER)
    shop.cli("migrate", "--name", "step")


@pytest.mark.parametrize("engine", ENGINES)
def test_names_with_capitals_are_found_again(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Postgres compares names letter by letter; both sides of what is verified must be spelled alike."""
    capitals = source().replace(
        "}\n", "}\n          - {name: Größe, data_type: text}\n          - {name: Mixed, data_type: text, quote: true}\n", 1
    )
    shop = evolving(engine)
    shop.begin(capitals + snapshot())
    shop.run("history", "2026-01-02 00:00:00")
    for statement in PHONE:
        shop.sql(statement)
    grown = "          - {name: phone, data_type: text}\n"
    shop.write(capitals + grown + snapshot(columns="      - {name: phone, history: empty}\n"))
    shop.cli("migrate", "--name", "step")
    shop.deploy()
    shop.execute(shop.migration("verify.sql"))
    shop.run("history", "2026-01-03 00:00:00")


@on_both
def test_a_node_that_was_rolled_back_comes_back_with_its_history(shop: Evolving) -> None:
    """Applied, run, rolled back, twice over: what a rollback keeps is what the next apply goes on with, log and watermark too."""
    more = "  - name: twin\n    relation: source('raw', 'customers')\n    config: {schema: snap, unique_key: id, strategy: timestamp, "
    more += "updated_at: updated_at, hard_deletes: invalidate, on_null_updated_at: quarantine}\n"
    shop.write(source() + snapshot() + more + model())
    shop.cli("migrate", "--name", "twin")
    for day in (5, 6, 7):
        shop.deploy()
        assert shop.rows("SELECT count(*) FROM snap.twin WHERE id = 1") == [(day - 5,)], "what was kept is not there again"
        shop.sql(f"UPDATE raw.customers SET email = 'day {day}', updated_at = '2026-01-0{day} 00:00:00+00' WHERE id = 1")
        shop.run("twin", f"2026-01-0{day} 12:00:00")
        assert shop.rows("SELECT count(*) FROM snap.twin WHERE id = 1") == [(day - 4,)]
        assert shop.rows("SELECT count(*) FROM snap.twin_health") == [(0,)]
        assert shop.rows("SELECT count(*) FROM c360_control.run_log WHERE node = 'snap.twin'") == [(day - 4,)]
        shop.execute(shop.migration("verify.sql"))
        shop.execute(shop.migration("rollback.sql"))
        assert shop.rows("SELECT count(*) FROM information_schema.tables WHERE table_name IN ('twin', 'twin_quarantine')") == [(0,)]


@on_both
def test_another_node_of_that_name_takes_nothing_of_one_that_was_rolled_back(shop: Evolving) -> None:
    """A migration that was rolled back, thrown away and written again: rows of another meaning stay where they are."""
    baseline = (shop.root / "released.json").read_text(encoding="utf-8")
    twin = "  - name: twin\n    config: {materialized: incremental, incremental_strategy: merge, unique_key: id, cursor: updated_at}\n"
    for text, ids in (("select id, email, updated_at", [1, 2]), ("select id + 10 as id, email, updated_at", [11, 12])):
        sql = f"    sql: {text} from {{{{ source('raw', 'customers') }}}} where id < 3\n"
        shop.write(source() + snapshot() + model() + twin + "    columns:\n      - {name: id, data_type: bigint}\n" + sql)
        shop.cli("migrate", "--name", "twin")
        shop.deploy()
        assert shop.rows("SELECT count(*) FROM mart.twin") == [(0,)]
        shop.run("twin", "2026-01-05 00:00:00")
        assert shop.rows("SELECT id FROM mart.twin ORDER BY 1") == [(i,) for i in ids]
        shop.execute(shop.migration("rollback.sql"))
        shutil.rmtree(shop.root / "migrations/0002_twin")
        (shop.root / "released.json").write_text(baseline, encoding="utf-8")


@on_both
def test_a_crash_between_any_two_steps_changes_nothing(shop: Evolving) -> None:
    """Every step may be the last that a session sees; then the same file goes through."""
    evolve(shop)
    text, before = shop.migration(), shop.rows(WATCH)
    places = [m.start() for m in MARKS.finditer(text)]
    assert len(places) >= 6
    for at in places:
        dies = "DO $$ BEGIN RAISE EXCEPTION 'it died'; END; $$;\n" if shop.engine == "postgres" else "SELECT error('it died');\n"
        with pytest.raises(EngineError, match="it died"):
            shop.execute(text[:at] + dies + text[at:])
        assert shop.rows(WATCH) == before
        assert list(shop.session.ledger().applied) == [1]
    shop.deploy()
    assert list(shop.session.ledger().applied) == [1, 2]
    shop.run("history", "2026-01-05 00:00:00")


@on_postgres
def test_two_deploys_at_once(shop: Evolving, request: pytest.FixtureRequest) -> None:
    """One applies, the other finds that done; both end well."""
    evolve(shop)
    ends: list[object] = []

    def deploy() -> None:
        from click.testing import CliRunner

        from c360gen.cli.main import cli

        words = ["deploy", "--target", "postgres", "--database", shop.database, "--specs", str(shop.specs), "--out", str(shop.out)]
        result = CliRunner().invoke(cli, words)
        ends.append((result.exit_code, result.output))

    threads = [threading.Thread(target=deploy) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [code for code, _ in ends] == [0, 0], ends  # type: ignore[misc]
    assert shop.rows("SELECT number, action FROM c360_control.migration ORDER BY entry_id") == [(1, "contained"), (2, "applied")]


@on_postgres
def test_a_migration_leaves_no_settings_in_a_session(shop: Evolving) -> None:
    """Of a pooled connection, or of the tool that executes what lies beside it: a timeout that stays is somebody else's error."""
    asked = "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name <> 'TimeZone' ORDER BY 1"
    before = shop.rows(asked)
    evolve(shop)
    for file in ("dry_run.sql", "apply.sql", "verify.sql", "rollback.sql"):
        shop.execute(shop.migration(file))
        assert shop.rows(asked) == before, file


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_with_dollars_ends_no_body(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    column = "          - {name: 'paid$$', data_type: %s}\n"
    view = "models:\n  - name: seen\n    sql: select id, email from {{ ref('history') }}\n"
    shop.begin(source() + column % "text" + snapshot() + view)
    shop.sql("INSERT INTO raw.customers (id, \"paid$$\", updated_at) VALUES (1, '10', '2026-01-01 00:00:00+00')")
    shop.run("history", "2026-01-02 00:00:00")
    shop.evolve(source() + column % "integer" + snapshot() + view, "paid")
    assert shop.rows('SELECT "paid$$" FROM snap.history') == [(10,)]
    shop.execute(shop.migration("verify.sql"))
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows('SELECT "paid$$" FROM snap.history') == [("10",)]
    assert shop.rows("SELECT count(*) FROM mart.seen") == [(1,)]


@on_postgres
def test_a_run_that_is_at_work_is_waited_for(shop: Evolving) -> None:
    grow(shop)
    other = connect("postgres", shop.database, "c360_control")
    other.connection.autocommit = False  # type: ignore[attr-defined]
    other.connection.execute("CALL c360_control.apply_history()")  # type: ignore[attr-defined]
    text = shop.migration().replace("SET LOCAL lock_timeout = '5s'", "SET LOCAL lock_timeout = '200ms'")
    with pytest.raises(EngineBusy):
        shop.execute(text)
    other.connection.commit()  # type: ignore[attr-defined]
    other.close()
    shop.deploy()
    assert list(shop.session.ledger().applied) == [1, 2]


@on_postgres
def test_a_run_that_waits_for_a_migration_is_not_let_through(shop: Evolving) -> None:
    """It has begun with the procedure as it was: the migration gives way."""
    grow(shop)
    head, _, tail = shop.migration().partition("-- Guard: nobody waits")
    shop.connection.execute(head.encode(), prepare=False)  # up to its last guard, the transaction still open
    waiting = connect("postgres", shop.database, "c360_control")
    ends: list[str] = []

    def run() -> None:
        try:
            waiting.connection.execute("CALL c360_control.apply_history()")  # type: ignore[attr-defined]
        except psycopg.Error as error:
            ends.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    watcher = connect("postgres", shop.database, "c360_control")
    for _ in range(200):
        (found,) = watcher.connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()  # type: ignore[attr-defined]
        if found:
            break
    with pytest.raises(EngineBusy, match="waits for this migration"):
        shop.execute("-- Guard: nobody waits" + tail)
    thread.join()
    watcher.close()
    waiting.close()
    assert ends == []
    shop.deploy()


@on_both
def test_specs_that_moved_are_refused_until_there_is_a_migration(shop: Evolving) -> None:
    shop.write(AFTER)
    said = shop.cli("build", fails=1)
    assert "error[C605]" in said and "c360gen migrate" in said and "nodes.yml:" in said
    shop.cli("check", fails=1)
    shop.write(BEFORE)
    shop.cli("build")
    shop.cli("check")


@on_both
def test_a_released_migration_never_changes(shop: Evolving) -> None:
    evolve(shop)
    shop.cli("check")
    path = shop.root / "migrations/0002_step/apply.sql"
    text = path.read_text(encoding="utf-8")
    path.write_bytes(text.replace("\n", "\r\n").replace("    ", "\t").encode())
    assert "C606" not in shop.cli("check"), "line endings and white space are no change"
    path.write_text(text.replace("phone", "fax"), encoding="utf-8", newline="\n")
    assert "error[C606]" in shop.cli("check", fails=1)
    assert "C606" in shop.cli("migrate", "--name", "other", fails=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dry_run_shows_what_it_counts(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    at = str(tmp_path / "shop.duckdb") if engine == "duckdb" else request.getfixturevalue("database")
    shop = Evolving(tmp_path, engine, at)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", "2026-01-02 00:00:00")
    for statement in (*PHONE, "UPDATE raw.customers SET phone = NULL WHERE id = 3"):
        shop.sql(statement)
    shop.write(source(phone="text") + snapshot(columns="      - {name: phone, history: new_version}\n"))
    shop.cli("migrate", "--name", "phone")
    shop.close()
    said = shop.cli("deploy", "--dry-run", "--target", engine, "--database", at)
    assert "snap.history: rows: 3\n" in said and "history.phone: keys of which the next run makes a version: 2\n" in said
    assert "migration 0002 phone went through, and was rolled back" in said
    shop.cli("deploy", "--target", engine, "--database", at)
    shop.open()
    assert shop.run("history", "2026-01-03 00:00:00").counters["inserted_rows"] == 2
    shop.close()


def of_two_branches(shop: Evolving) -> tuple[dict[str, Any], dict[str, Any]]:
    """One adds a phone, the other a fax: released.json of either; the files are those of the second, the specs have both."""
    begun = {p: p.read_bytes() for p in shop.root.rglob("*") if p.is_file()}
    found = []
    for name in ("phone", "fax"):
        for path, content in begun.items():
            path.write_bytes(content)
        shop.write(source(**{name: "text"}) + snapshot(columns=f"      - {{name: {name}, history: empty}}\n") + model())
        shop.cli("migrate", "--name", name)
        found.append(json.loads((shop.root / "released.json").read_text(encoding="utf-8")))
    both = "      - {name: fax, history: empty}\n      - {name: phone, history: empty}\n"
    shop.write(source(phone="text", fax="text") + snapshot(columns=both) + model())
    return found[0], found[1]


@pytest.mark.parametrize("shop", ["duckdb"], indirect=True)
def test_two_branches_that_have_migrated(shop: Evolving) -> None:
    """Whatever a merge makes of their files is told, and one of them goes on under the next number."""
    one, other = of_two_branches(shop)
    at = shop.root / "released.json"
    assert "migrations/0002_phone is not in released.json, and no deploy will run it" in shop.cli("check", fails=1)
    second = one["migrations"][1]
    at.write_text(json.dumps({**other, "migrations": [*other["migrations"], second]}), encoding="utf-8")
    assert "fax and phone are both migration 2: take one branch's file and migrations" in shop.cli("check", fails=1)
    moved = (shop.root / "migrations/0002_phone").rename(shop.root / "migrations/0003_phone")
    at.write_text(json.dumps({**other, "migrations": [*other["migrations"], {**second, "number": 3}]}), encoding="utf-8")
    said = shop.cli("check", fails=1)
    assert "0003_phone/apply.sql does not begin where" in said and "help: two branches have migrated" in said
    at.write_text(json.dumps({**other, "shape": one["shape"]}), encoding="utf-8")
    assert "is not the state that" in shop.cli("migrate", "--name", "phone", fails=1)
    at.write_text(json.dumps(other), encoding="utf-8")
    shutil.rmtree(moved)
    shop.cli("migrate", "--name", "phone")
    assert [m.name for m in shop.released().migrations] == ["baseline", "fax", "phone"]
    shop.cli("check")
    for name in ("phone", "fax"):
        shop.sql(f"ALTER TABLE raw.customers ADD COLUMN {name} VARCHAR")
    shop.deploy()


@pytest.mark.parametrize("shop", ["duckdb"], indirect=True)
def test_a_way_back_is_not_written_without_what_it_needs(shop: Evolving) -> None:
    """It executes released sections again, and takes them from where they lie."""
    shop.write(AFTER)
    for path, said in (("views/history.sql", "is missing"), ("tables/people.sql", "was edited since it was built")):
        at = shop.root / path
        text = at.read_text(encoding="utf-8")
        at.write_text(text.replace("CREATE", "create"), encoding="utf-8", newline="\n")
        if said == "is missing":
            at.unlink()
        told = shop.cli("migrate", "--name", "step", fails=1)
        assert f"error[C606]: {at.as_posix()} {said}" in told and "version control" in told
        at.write_text(text, encoding="utf-8", newline="\r\n")
    shop.cli("migrate", "--name", "step")


@on_both
def test_what_is_retired_goes_with_an_approval_only(shop: Evolving) -> None:
    evolve(shop)
    shop.deploy()
    kept = "SELECT count(city__retired_2) FROM snap.history"
    assert shop.rows(kept) == [(3,)]
    shop.write(AFTER + "approvals:\n  - {drop: snap.history.city__retired_2, by: Olga, on: 2026-06-01}\n")
    assert "loses data" in shop.cli("plan")
    shop.cli("plan", "--fail-on", "destructive", fails=1)
    shop.cli("migrate", "--name", "cleared")
    shop.deploy()
    with pytest.raises(Exception, match="city__retired_2"):
        shop.rows(kept)
    assert not any(c.table == "history" for c in shop.released().retired_columns)
    shop.run("history", "2026-01-06 00:00:00")


@on_both
def test_an_empty_database_gets_everything_at_once(shop: Evolving, evolving: Callable[[str], Evolving]) -> None:
    """deploy.sql contains every migration, and says so in the ledger."""
    evolve(shop)
    text = (shop.root / "deploy.sql").read_text(encoding="utf-8")
    if shop.engine == "postgres":
        shop.connection.execute("DROP SCHEMA c360_control CASCADE; DROP SCHEMA snap CASCADE; DROP SCHEMA mart CASCADE")
    else:
        shop = evolving("duckdb")
    shop.execute(text)
    assert shop.rows("SELECT number, action FROM c360_control.migration ORDER BY number") == [(1, "contained"), (2, "contained")]
    shop.execute(text)


REFUSED = {
    "a tracked column without a history": (source(phone="text") + snapshot(), "C602"),
    "a drop and an add of one type": (source(email=None, mail="text") + snapshot(), "C601"),
    "another key": (source() + snapshot(key="[id, city]"), "C604"),
    "a feed": (source() + snapshot(strategy="strategy: changelog, updated_at: updated_at, lookback: 1 day").replace(
        ", hard_deletes: invalidate", ""), "C604"),
    "a snapshot that becomes a model": (source() + model(name="history"), "C604"),
    "no cast": (source(score="date") + snapshot(), "C604"),
    "a past that was not": (source() + snapshot(columns="      - {name: city, was: town}\n") + "", ""),
    "a renamed column that was never there": (source(phone="text") + snapshot(columns="      - {name: phone, was: fax}\n"), "C603"),
    "a renamed node that was never there": (source() + snapshot() + model(name="other", was="nobody"), "C603"),
    "compat switched on": (source() + snapshot(config=", compat: dbt"), "C604"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_meaning_is_refused_with_a_way_out(case: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.write(source() + snapshot())
    shop.cli("migrate", "--name", "baseline")
    specs, code = REFUSED[case]
    shop.write(specs)
    said = shop.cli("migrate", "--name", "step", fails=1 if code else 0)
    assert (f"error[{code}]" if code else "nothing changed") in said, said
    assert not code or "help:" in said
    assert shop.released().number == 1


def test_on_schema_change_fail_asks_what_old_rows_have(evolving: Callable[[str], Evolving]) -> None:
    """Without it, or with append_new_columns, they have NULL; history: is an answer to either."""
    shop = evolving("duckdb")
    shop.write(source(phone="text") + model("id, email, updated_at"))
    shop.cli("migrate", "--name", "baseline")
    wide = source(phone="text") + model("id, email, phone, updated_at")
    strict = source(phone="text") + model("id, email, phone, updated_at", config=", on_schema_change: fail")
    shop.write(strict)
    said = shop.cli("migrate", "--name", "phone", fails=1)
    assert "error[C604]" in said and "what do old rows have?" in said and "say history: empty" in said
    shop.write(wide)
    assert "NULL in old rows" in shop.cli("plan")
    said = source(phone="text") + model(
        "id, email, phone, updated_at", config=", on_schema_change: fail", columns="      - {name: phone, history: empty}\n"
    )
    shop.write(said)
    shop.cli("migrate", "--name", "phone")
    assert shop.released().number == 2


def test_a_plan_in_every_format(evolving: Callable[[str], Evolving]) -> None:
    import json

    shop = evolving("duckdb")
    shop.write(BEFORE + "exposures:\n  - {name: dash, type: dashboard, owner: {name: O}, depends_on: [ref('history')]}\n")
    shop.cli("migrate", "--name", "baseline")
    shop.write(AFTER + "exposures:\n  - {name: dash, type: dashboard, owner: {name: O}, depends_on: [ref('history')]}\n")
    text = shop.cli("plan")
    assert "- snap.history.city: column retired as city__retired_2" in text and "exposure dash reads it" in text
    assert "nodes.yml:" in text
    shop.cli("plan", "--exit-code", fails=3)
    shop.cli("plan", "--fail-on", "breaking", fails=1)
    shop.cli("plan", "--fail-on", "destructive")
    found = json.loads(shop.cli("plan", "--format", "json"))
    assert {s["object"] for s in found[0]["steps"]} >= {"snap.history.city", "snap.history.phone", "mart.people.city"}
    log = json.loads(shop.cli("plan", "--format", "sarif"))
    assert {r["ruleId"] for r in log["runs"][0]["results"]} >= {"P002", "P004"}
    assert shop.cli("plan", "--format", "github").startswith("::")
    assert "| `-` | `snap.history.city` |" in shop.cli("plan", "--format", "markdown")
    old = shop.folder / "old"
    old.mkdir()
    (old / "project.yml").write_text((shop.specs / "project.yml").read_text(encoding="utf-8"), encoding="utf-8")
    (old / "nodes.yml").write_text(BEFORE, encoding="utf-8")
    assert "column retired as city__retired_1" in shop.cli("plan", "--against", str(old))


def test_a_question_of_one_column_does_not_hide_that_of_another(evolving: Callable[[str], Evolving]) -> None:
    """my_snap.history.town and snap.history.town: what is asked of one is found by what it is, not by its words."""
    shop = evolving("duckdb")
    other = snapshot(name="a_history", config=", alias: history").replace("schema: snap", "schema: my_snap")
    both = other + snapshot().removeprefix("snapshots:\n")
    shop.begin(source() + both)
    said = other + "    columns:\n      - {name: town, was: false}\n" + snapshot().removeprefix("snapshots:\n")
    shop.write(source(city=None, town="varchar(20)") + said)
    told = shop.cli("plan", fails=1)
    assert "error[C602]: my_snap.history.town is new and tracked" in told
    assert "error[C601]: snap.history.city is gone, and town of the same type is new" in told and told.count("error[") == 2


def test_views_go_readers_first_whatever_they_are_called(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("postgres")
    views = "models:\n  - name: seen_point_in_time\n    sql: select id, score from {{ ref('history') }}\n"
    views += "  - name: readers\n    sql: select id, score from {{ ref('seen_point_in_time') }}\n"
    shop.begin(source() + snapshot() + views)
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE BIGINT")
    shop.evolve(source(score="bigint") + snapshot() + views, "wider")
    assert shop.rows("SELECT count(*) FROM mart.readers") == [(0,)]
    shop.execute(shop.migration("rollback.sql"))


def test_vars_of_a_call_hold_on_both_sides_of_a_plan(evolving: Callable[[str], Evolving]) -> None:
    """Else a var shows as a change; one that the other side does not declare is none of its mistakes."""
    shop = evolving("duckdb")
    model_of = "models:\n  - name: people\n    sql: select id from {{ source('raw', 'customers') }} where score > {{ var('least') }}\n"
    project = (shop.specs / "project.yml").read_text(encoding="utf-8")
    for folder, declared in {"specs": "least: 1, other: 2", "old": "least: 1"}.items():
        (shop.folder / folder).mkdir(exist_ok=True)
        text = project.replace("schema: mart", f"schema: mart, vars: {{{declared}}}")
        (shop.folder / folder / "project.yml").write_text(text, encoding="utf-8")
        (shop.folder / folder / "nodes.yml").write_text(source() + model_of, encoding="utf-8")
    said = shop.cli("plan", "--against", str(shop.folder / "old"), "--vars", "{least: 5, other: 3}")
    assert said == "duckdb: nothing changes since what it is compared with\n"


def test_a_plan_says_instants_as_far_as_they_differ(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(source() + snapshot(config=", dbt_valid_to_current: '9999-12-31'"))
    shop.write(source() + snapshot(config=", dbt_valid_to_current: '9999-12-31 23:59:59.999999'"))
    assert "open versions end at 9999-12-31 23:59:59.999999 instead of 9999-12-31\n" in shop.cli("plan")
    shop.write(source() + snapshot())
    assert "open versions end at NULL instead of 9999-12-31\n" in shop.cli("plan")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_marker_whose_deletion_was_taken_back_stops_a_rollback(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Markers leave with hard_deletes: invalidate, and a rewind reopens what one of them followed: it cannot come back beside that."""
    shop = evolving(engine)
    shop.begin(source() + snapshot().replace("invalidate", "new_record"))
    for statement in (*ROWS, "DELETE FROM raw.customers WHERE id = 1"):
        shop.sql(statement)
    shop.run("history", "2026-01-02 00:00:00")
    shop.sql("DELETE FROM raw.customers WHERE id = 2")
    shop.run("history", "2026-01-03 00:00:00")
    shop.sql("DELETE FROM raw.customers WHERE id = 3")
    shop.sql("INSERT INTO raw.customers (id, updated_at) VALUES (4, '2026-01-01 00:00:00+00')")
    shop.run("history", "2026-01-04 00:00:00")
    shop.evolve(source() + snapshot(), "without_markers")
    entry, task = task_of(shop.manifest(), "rewind", "history")
    script = (shop.root / task["script"]).read_text(encoding="utf-8") if task["script"] else None
    assert shop.session.task(entry, task, script, {"to": "2026-01-03 12:00:00+00"}, True).message == ""
    before = shop.rows("SELECT * FROM snap.history ORDER BY id, valid_from")
    assert len(before) == 2
    with pytest.raises(EngineError, match="whose deletion was taken back since, by a rewind"):
        shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT * FROM snap.history ORDER BY id, valid_from") == before
    assert shop.rows("SELECT problem FROM snap.history_health") == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rollback_to_markers_knows_what_happened_meanwhile(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """A key that went and one that came back while there were no markers; one that was gone stays as it was kept."""
    shop = evolving(engine)
    kept = source(score="bigint") + snapshot().replace("invalidate", "new_record")
    shop.begin(kept)
    for statement in (*ROWS, "INSERT INTO raw.customers (id, updated_at) VALUES (4, '2026-01-01 00:00:00+00')"):
        shop.sql(statement)
    shop.run("history", "2026-01-02 00:00:00")
    shop.sql("DELETE FROM raw.customers WHERE id IN (1, 2)")
    shop.run("history", "2026-01-03 00:00:00")
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR")
    shop.evolve(source(score="text", city=None) + snapshot(), "without_markers")
    shop.sql("DELETE FROM raw.customers WHERE id = 3")
    shop.sql("INSERT INTO raw.customers (id, score, updated_at) VALUES (1, '7', '2026-01-03 12:00:00+00')")
    shop.run("history", "2026-01-04 00:00:00")
    shop.execute(shop.migration("rollback.sql"))
    days = ", ".join(f"CAST(CAST({bound} AS DATE) AS VARCHAR)" for bound in ("valid_from", "valid_to"))
    assert shop.rows(f"SELECT id, {days}, email, city, score FROM snap.history WHERE is_deleted ORDER BY id") == [
        (1, "2026-01-03", "2026-01-03", "a@x", "Rome", 10),
        (2, "2026-01-03", None, "b@x", "Oslo", 20),
        (3, "2026-01-04", None, None, None, None),
    ]
    assert shop.rows("SELECT count(*) FROM snap.history WHERE NOT is_deleted") == [(5,)]
    assert shop.rows("SELECT score FROM snap.history WHERE id = 1 AND valid_to IS NULL") == [(7,)]
    assert shop.rows("SELECT problem FROM snap.history_health") == []
