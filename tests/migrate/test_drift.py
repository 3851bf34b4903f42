"""A database that somebody changed by hand, and one that nobody did."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen import dialects
from c360gen.cli.drift import _printed
from c360gen.cli.main import cli
from c360gen.emit.sql import print_sql
from c360gen.migrate import catalog, drift
from c360gen.pipeline import build, load_project, names_of, state_of, wanted
from tests.conftest import CASES
from tests.migrate.changes import PHONE, model, snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop
from tests.worlds import Embedded

SHIPPED = Path(__file__).parents[2] / "specs"
FRESH = ("constraints", "feeds", "freshness", "hostile_names", "kinds", "language", "menu", "nullable_keys")
BY_HAND = {
    "duckdb": [
        ("ALTER TABLE snap.history ADD COLUMN note VARCHAR", "snap.history.note: column is not ours"),
        ("DROP VIEW mart.people_seen", "mart.people_seen: view is missing"),
        ("CREATE OR REPLACE VIEW snap.history_current AS SELECT h.* FROM snap.history AS h WHERE h.valid_to IS NULL OR h.id = 7",
         "snap.history_current: view has another text than the generated one"),
        ("CREATE OR REPLACE TABLE mart.people AS SELECT p.* FROM mart.people AS p",
         "mart.people: constraint PRIMARY KEY(id) is missing", "mart.people.id: may be NULL", "mart.people.updated_at: may be NULL"),
        ("DROP MACRO TABLE snap.history_as_of", "snap.history_as_of: function is missing"),
        ("CREATE UNIQUE INDEX people_uq ON mart.people (email)",
         "mart.people: index people_uq, UNIQUE INDEX [email], is not ours"),
        ("DROP INDEX snap.history_city_ix; CREATE INDEX history_city_ix ON snap.history (email)",
         "snap.history: index history_city_ix is INDEX [email], not INDEX [city]"),
    ],
    "postgres": [
        ("ALTER TABLE snap.history ADD COLUMN note VARCHAR", "snap.history.note: column is not ours"),
        ("DROP VIEW snap.history_health", "snap.history_health: view is missing",
         "snap.history_health: SELECT is not granted to drift_reader"),
        ("CREATE OR REPLACE VIEW mart.people_seen AS SELECT p.id, p.email FROM mart.people AS p WHERE p.id <> 7",
         "mart.people_seen: view has another text than the generated one"),
        ("ALTER TABLE mart.people ALTER COLUMN updated_at TYPE DATE", "mart.people.updated_at: type is DATE, not TIMESTAMPTZ"),
        ("ALTER TABLE mart.people ALTER COLUMN updated_at DROP NOT NULL", "mart.people.updated_at: may be NULL"),
        ("ALTER TABLE snap.history DROP CONSTRAINT history_pk, ADD CONSTRAINT history_pk PRIMARY KEY (valid_from, id)",
         "snap.history: constraint history_pk is PRIMARY KEY (valid_from, id), not PRIMARY KEY (id, valid_from)"),
        ("ALTER TABLE snap.history DROP CONSTRAINT history_interval_ck",
         "snap.history: constraint history_interval_ck, CHECK ((valid_from < valid_to)), is missing"),
        ("ALTER TABLE mart.people ADD CONSTRAINT sane CHECK (id > 0) NOT VALID",
         "mart.people: constraint sane, CHECK ((id > 0)) NOT VALID, is not ours"),
        ("DROP INDEX snap.history_open_uq",
         "snap.history: index history_open_uq, UNIQUE INDEX USING btree (id) WHERE (valid_to IS NULL), is missing"),
        ("DROP INDEX snap.history_city_ix; CREATE INDEX history_city_ix ON snap.history (city) WHERE city <> 'Rome'",
         "snap.history: index history_city_ix is INDEX USING btree (city) WHERE ((city)::text <> 'Rome'::text), not INDEX USING btree "
         "(city)"),
        ("CREATE OR REPLACE PROCEDURE c360_control.run_people(p_as_of TIMESTAMPTZ DEFAULT NULL, p_full_refresh BOOLEAN DEFAULT false) "
         "LANGUAGE plpgsql AS $$ BEGIN NULL; END; $$",
         "c360_control.run_people: procedure has another text than the generated one"),
        ("CREATE OR REPLACE FUNCTION c360_control.run_is_alive(p_pid INTEGER, p_started_at TIMESTAMPTZ) RETURNS BOOLEAN LANGUAGE sql "
         "STABLE AS 'SELECT false'",
         "c360_control.run_is_alive: routine is not ours, or has another text than the generated one"),
        ("DROP FUNCTION snap.history_as_of", "snap.history_as_of: function is missing",
         "snap.history_as_of: EXECUTE is not granted to drift_reader"),
        ("REVOKE SELECT ON snap.history FROM drift_reader", "snap.history: SELECT is not granted to drift_reader"),
        ("REVOKE EXECUTE ON PROCEDURE c360_control.run_history(TIMESTAMPTZ) FROM drift_runner",
         "c360_control.run_history: EXECUTE is not granted to drift_runner"),
        ("GRANT INSERT ON snap.history TO drift_intern", "snap.history: INSERT is granted to drift_intern, which no spec says"),
        ("GRANT SELECT (email) ON mart.people TO drift_intern",
         "mart.people: SELECT (email) is granted to drift_intern, which no spec says"),
        ("GRANT USAGE ON SCHEMA snap TO drift_intern", "schema snap: USAGE is granted to drift_intern, which no spec says"),
        ("GRANT SELECT ON mart.people TO drift_reader WITH GRANT OPTION",
         "mart.people: SELECT is granted to drift_reader with the right to grant it on"),
        ("GRANT EXECUTE ON PROCEDURE c360_control.apply_history(BIGINT, TIMESTAMPTZ) TO PUBLIC",
         "c360_control.apply_history: EXECUTE is granted to PUBLIC, which no spec says"),
        ("GRANT UPDATE ON c360_control.run_log TO drift_intern",
         "c360_control.run_log: UPDATE is granted to drift_intern, which no spec says"),
        ("GRANT ALL ON snap.history, mart.people TO drift_boss", ),  # a superuser may do it anyway
        ("GRANT SELECT ON snap.history_current TO drift_owner", ),  # as its owner may
    ],
}  # fmt: skip
ROLES = ", owner: drift_owner, runner: drift_runner, reader: drift_reader"


def changed(shop: Evolving, words: list[str]) -> list[str]:
    """What drift says, line by line."""
    found = json.loads(shop.cli(*words, "--format", "json", fails=1).rpartition("]")[0] + "]")
    return sorted(f"{d['object']}: {d['what']}" for d in found)


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_everything_that_somebody_changed_is_named(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """And nothing else, neither in a database that was deployed nor in one that was migrated, there and back."""
    database = str(tmp_path / "shop.duckdb") if engine == "duckdb" else request.getfixturevalue("database")
    shop = Evolving(tmp_path / "shop", engine, database, ROLES if engine == "postgres" else "")
    words = ["drift", "--target", engine, "--database", database]
    indexed = ", indexes: [{columns: city}]"

    def is_released() -> None:
        shop.close()
        assert "as released" in shop.cli(*words)
        shop.open()

    shop.begin(source() + snapshot(config=indexed) + model())
    is_released()
    for statement in PHONE:
        shop.sql(statement)
    phone = snapshot(config=indexed, columns="      - {name: phone, history: empty}\n")
    shop.evolve(source(phone="text", score=None) + phone + model("id, email, city, updated_at"), "step")
    is_released()
    shop.execute(shop.migration("rollback.sql"))
    shop.deploy()
    is_released()
    if engine == "postgres":
        shop.sql("CREATE ROLE drift_intern; CREATE ROLE drift_boss SUPERUSER")
    expected = []
    for statement, *said in BY_HAND[engine]:
        shop.sql(statement)
        expected += said
    shop.close()
    assert changed(shop, words) == sorted(expected)


def test_a_database_in_which_nothing_is(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.write(source() + snapshot())
    shop.cli("migrate", "--name", "baseline")
    found = changed(shop, ["drift", "--target", "duckdb", "--database", ":memory:"])
    assert found[0].startswith("c360_control: holds nothing of ours")
    assert {"snap.history: table is missing", "snap.history_current: view is missing", "snap.history_as_of: function is missing"} < {*found}


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.parametrize("specs", [SHIPPED, *(CASES / c / "specs" for c in FRESH)], ids=lambda p: p.parent.name)
def test_what_was_just_deployed_is_as_released(specs: Path, engine: str, request: pytest.FixtureRequest) -> None:
    """Whatever an engine makes of our text: names that must be quoted, constraints, views over views, rights."""
    project = load_project(specs)
    if engine not in project.resolved.targets:
        pytest.skip(f"no target {engine}")
    made, names, dialect = build(project, engine), names_of(project, engine), dialects.get(engine)
    world = Embedded(made, ":memory:" if engine == "duckdb" else request.getfixturevalue("database"))
    world.deploy()
    rows = world.session.look([], print_sql(dialect.inspector.query(names), dialect))
    known, ours = catalog.of_rows(rows, dialect.inspector, dialect.inspector.kinds), wanted(project, made)
    found = drift.compare(state_of(project, made), ours, known, names, dialect, _printed(world.session, ours, dialect))
    world.close()
    assert found == []
    assert ours.tables and all(at in known.columns for at in ours.tables)


def test_a_dump_of_an_engine_that_prints_anew_is_compared_by_name(database: str, tmp_path: Path) -> None:
    """Keys by their columns, checks and views by whether they are there."""
    shop = Evolving(tmp_path / "shop", "postgres", database)
    shop.begin(source() + snapshot(config=", indexes: [{columns: city}]") + model())
    query = shop.cli("drift", "--target", "postgres", "--query")

    def dumped() -> Path:
        cursor = shop.connection.execute(query.encode())
        at = tmp_path / "dump.csv"
        with at.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([d.name for d in cursor.description])
            writer.writerows(cursor.fetchall())
        return at

    words = ["drift", "--target", "postgres", "--catalog"]
    assert "as released" in shop.cli(*words, str(dumped()))
    shop.sql("ALTER TABLE mart.people DROP CONSTRAINT people_pk; ALTER TABLE mart.people ADD CONSTRAINT people_pk PRIMARY KEY (email, id)")
    shop.sql("ALTER TABLE snap.history DROP CONSTRAINT history_interval_ck; DROP INDEX snap.history_city_ix; DROP VIEW snap.history_health")
    shop.sql("DROP PROCEDURE c360_control.run_history")
    assert changed(shop, [*words, str(dumped())]) == [
        "c360_control.run_history: procedure is missing",
        "mart.people.email: may not be NULL",
        "mart.people: primary key is over email, id, not over id",
        "snap.history: check constraint history_interval_ck is missing",
        "snap.history: index history_city_ix is missing",
        "snap.history_health: view is missing",
    ]
    shop.close()


def test_who_may_make_no_temporary_objects_is_told_why_they_are_needed(database: str, tmp_path: Path) -> None:
    shop = Evolving(tmp_path / "shop", "postgres", database)
    shop.begin(source() + snapshot())
    shop.sql(f"CREATE ROLE drift_poor; REVOKE TEMPORARY ON DATABASE {shop.connection.info.dbname} FROM PUBLIC")
    shop.sql("GRANT USAGE ON SCHEMA c360_control, snap TO drift_poor")
    there = f"{database}{'&' if '?' in database else '?'}options=-c%20role%3Ddrift_poor"
    said = shop.cli("drift", "--target", "postgres", "--database", there, fails=1)
    assert "drift makes temporary objects, which it rolls back: permission denied" in said
    shop.close()


# --- warehouses: what their documentation says that INFORMATION_SCHEMA returns ------------------------------------------------

HEADER = (
    "table_schema", "table_name", "column_name", "data_type", "is_nullable", "character_maximum_length", "numeric_precision",
    "numeric_scale", "kind", "definition",
)  # fmt: skip
SETTINGS = {
    "snowflake": ", runner: c360_runner, reader: c360_reader",
    "bigquery": ", runner: 'serviceAccount:run@acme.iam.gserviceaccount.com', reader: 'group:analysts@acme.com', location: EU",
}


def dump(shop: Shop) -> list[list[str]]:
    """The rows of --query in a warehouse in which the shop was just deployed."""
    snowflake = shop.engine == "snowflake"
    up = str.upper if snowflake else str
    number, text, time = ("NUMBER", "TEXT", "TIMESTAMP_NTZ") if snowflake else ("INT64", "STRING", "TIMESTAMP")
    columns = {"id": number, "email": text, "city": text, "score": number, "updated_at": time, "valid_from": time, "valid_to": time,
               "opened_run_id": text, "closed_run_id": text}  # fmt: skip
    must = ("id", "updated_at", "valid_from", "opened_run_id")
    rows = []
    for name, kind in columns.items():
        size = ["", "38", "0"] if kind == "NUMBER" else ["", "", ""]
        rows.append([up("snap"), up("history"), up(name), kind, "NO" if name in must else "YES", *size, "column", ""])

    def row(kind: str, schema: str, name: str, part: str = "", what: str = "", definition: str = "", grantable: str = "") -> None:
        rows.append([up(schema), up(name), part, what, grantable, "", "", "", kind, definition])

    if snowflake:
        row("constraint", "snap", "history", "HISTORY_PK", "PRIMARY KEY")
    else:
        row("constraint", "snap", "history", "history.pk$", "PRIMARY KEY", "id, valid_from")
    views = (shop.out / shop.engine / "views/history.sql").read_text(encoding="utf-8")
    for statement in re.findall(r"^CREATE OR REPLACE VIEW .*?;$", views, re.M | re.S):
        name = re.search(r"VIEW \S*?snap\.(\w+)", statement)
        assert name is not None
        query = statement.partition("\nAS\n")[2] or statement.partition(" AS\n")[2]
        row("view", "snap", name[1], definition=statement if snowflake else query.rstrip(";"))
    granted = (shop.out / shop.engine / "grants.sql").read_text(encoding="utf-8")
    for privilege, kind, path, to in re.findall(r"^GRANT (\S+) ON (\w+) (.*) TO (?:ROLE )?(.*);$", granted, re.M):
        schema, _, name = path.partition(".")[2].partition(".")
        if schema and schema != "raw":
            assert not name or "(" not in name or kind in ("PROCEDURE", "FUNCTION")  # whose signature is a part of the name
            row("grant", schema, name, up(to.strip("'")), privilege.strip("`"), grantable="NO" if snowflake else "")
    owner = ("SYSADMIN", "OWNERSHIP") if snowflake else ("projectOwner:c360", "roles/bigquery.dataOwner")
    for name in ("", "history"):
        row("grant", "snap", name, *owner)
    return rows


def drifted(shop: Shop, rows: Iterable[list[str]], header: Iterable[str] = HEADER, fails: int = 1) -> str:
    """What drift says of a dump."""
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    at = shop.specs.parent / "catalog.csv"
    at.write_text(text.getvalue(), encoding="utf-8")
    words = ["drift", "--target", shop.engine, "--catalog", str(at), "--specs", str(shop.specs), "--out", str(shop.out)]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == fails, result.output
    return result.output


@pytest.fixture
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    made = Shop(tmp_path, request.param, SETTINGS[request.param])
    made.migrate(source() + snapshot(), "baseline")
    return made


on_warehouses = pytest.mark.parametrize("shop", ["snowflake", "bigquery"], indirect=True)


@on_warehouses
def test_a_dumped_catalog(shop: Shop) -> None:
    """Of a warehouse that is as it was deployed, and of one that is not."""
    rows = dump(shop)
    assert "as released" in drifted(shop, rows, fails=0)
    snowflake = shop.engine == "snowflake"
    to = "C360_READER" if snowflake else "group:analysts@acme.com"
    reads = "SELECT" if snowflake else "roles/bigquery.dataViewer"
    up = str.upper if snowflake else str

    def without(kind: str, part: str) -> list[list[str]]:
        return [r for r in rows if not (r[8] == kind and part in (r[1].lower(), r[2].lower()))]

    assert "snap.history.closed_run_id: column is missing" in drifted(shop, without("column", "closed_run_id"))
    assert "snap.history: primary key (id, valid_from) is missing" in drifted(shop, without("constraint", "history"))
    assert "snap.history_health: view is missing" in drifted(shop, without("view", "history_health"))
    other = [[*r[:9], r[9].replace("IS NULL", "IS NOT NULL")] if r[8] == "view" and r[1].lower() == "history_current" else r for r in rows]
    assert "snap.history_current: view has another text than the generated one" in drifted(shop, other)
    spaced = [[*r[:9], r[9].replace("\n", "\r\n  ")] for r in rows]
    assert "as released" in drifted(shop, spaced, fails=0)
    hidden = [[*r[:9], "" if r[8] == "view" else r[9]] for r in rows]
    assert "hides the text of" in drifted(shop, hidden, fails=0)
    at = "snap.history" if snowflake else "schema snap"
    fewer = [r for r in rows if not (r[8] == "grant" and r[2] == to and (not snowflake or r[1] == "HISTORY"))]
    shown = "c360_reader" if snowflake else to
    assert f"{at}: {reads} is not granted to {shown}" in drifted(shop, fewer)
    intern = [up("snap"), up("history"), up("user:intern"), reads, "", "", "", "", "grant", ""]
    assert f"snap.history: {reads} is granted to {up('user:intern')}, which no spec says" in drifted(shop, [*rows, intern])
    if not snowflake:
        keyed = [[*r[:9], "valid_from"] if r[8] == "constraint" else r for r in rows]
        assert "snap.history: primary key is over valid_from, not over id, valid_from" in drifted(shop, keyed)
    foreign = [up("snap"), up("history"), "history.other_fk", "FOREIGN KEY", "", "", "", "", "constraint", "city"]
    assert "foreign key constraint" in drifted(shop, [*rows, foreign]) and "is not ours" in drifted(shop, [*rows, foreign])


@on_warehouses
def test_an_older_dump_is_compared_as_far_as_it_goes(shop: Shop) -> None:
    """It has the columns of tables only, and that is said."""
    old = [r[:8] for r in dump(shop) if r[8] == "column"]
    said = drifted(shop, old, HEADER[:8], fails=0)
    assert "has no constraints, no views, no grants: they are not compared" in said and "as released" in said
    assert "column is missing" in drifted(shop, old[:-1], HEADER[:8])
    assert "has no column table_schema" in drifted(shop, [["1", "2"]], ["a", "b"])
    assert "has no column definition" in drifted(shop, [], HEADER[:9])
    no_rights = [r for r in dump(shop) if r[8] != "grant"]  # of a role that may not see them
    assert "has no grants: they are not compared" in drifted(shop, no_rights, fails=0)
    assert "a row of the kind wish" in drifted(shop, [["", "", "", "", "", "", "", "", "wish", ""]])


@on_warehouses
def test_the_query_of_a_dump_asks_information_schema(shop: Shop) -> None:
    shown = CliRunner().invoke(cli, ["drift", "--target", shop.engine, "--query", "--specs", str(shop.specs)]).output.upper()
    for view in ("COLUMNS", "TABLE_CONSTRAINTS", "VIEWS", "OBJECT_PRIVILEGES"):
        assert f"INFORMATION_SCHEMA.{view} " in shown
    assert shop.engine != "bigquery" or "`REGION-EU`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES" in shown


def test_a_role_with_capitals_is_created_once(database: str, tmp_path: Path) -> None:
    shop = Evolving(tmp_path / "shop", "postgres", database, ", reader: Drift_Mixed")
    shop.begin(source() + snapshot())
    shop.execute((shop.root / "roles.sql").read_text(encoding="utf-8"))  # safe to run again
    assert shop.rows("SELECT rolname FROM pg_roles WHERE rolname ILIKE 'drift_mixed'") == [("drift_mixed",)]
    assert "as released" in shop.cli("drift", "--target", "postgres", "--database", database)
    shop.close()


def test_a_role_is_called_as_the_catalog_folds_it() -> None:
    for engine, named in {
        "postgres": {"reader": "reader", "Reader": "reader", "public": "PUBLIC", "the reader": "the reader"},
        "snowflake": {"reader": "READER", "the reader": "the reader"},
        "bigquery": {"group:a@b.com": "group:a@b.com"},
    }.items():
        inspector = dialects.get(engine).inspector
        assert {name: inspector.role(name) for name in named} == named


def test_drift_needs_a_release(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.write(source() + snapshot())
    assert "no released state" in shop.cli("drift", "--target", "duckdb", "--database", ":memory:", fails=1)
