"""How fresh sources are: the view, the procedure that fails, and what `c360gen status` says. Rows are dated by the real clock."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
from c360gen.pipeline import build, load_project
from tests.conftest import CASES, ENGINES
from tests.warehouse.machine import Failure
from tests.worlds import Interpreted, World, text_of

SPECS = CASES / "freshness" / "specs"


def ago(**age: float) -> str:
    return f"'{dt.datetime.now(dt.UTC) - dt.timedelta(**age):%Y-%m-%d %H:%M:%S}+00'"


def check(world: Any) -> str:
    """ "" when check_freshness succeeded, else its message."""
    task = world.manifest["freshness"]
    if isinstance(world, Interpreted):
        try:
            if task["script"]:
                world.warehouse.script(text_of(world.build, task["script"]))
            else:
                world.warehouse.call("c360_control.check_freshness")
        except Failure as failure:
            return str(failure)
        return ""
    script = text_of(world.build, task["script"]) if task["script"] else None
    node = {"name": "freshness", "schema": "c360_control", "identifier": "source_freshness"}
    return str(world.session.task(node, task, script, {}, True).message)


def status(world: World) -> dict[str, str]:
    return dict(world.rows("SELECT source, status FROM c360_control.source_freshness"))  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_view_and_the_procedure(engine: str, world: Callable[[Path, str], World]) -> None:
    found = world(SPECS, engine)
    assert status(found) == {"raw.inherits": "error", "raw.differs": "error", "quiet.by_config": "warn"}, "no row is as old as can be"
    message = check(found)
    assert "ZC019" in message and "2 sources" in message and "raw.differs (no row); raw.inherits (no row)" in message

    found.sql(f"INSERT INTO raw.inherits VALUES (1, {ago(hours=11)}), (2, {ago(days=9)}), (3, NULL)")
    found.sql(f"INSERT INTO raw.differs VALUES (CAST({ago(days=29)[:11]}' AS DATE), 'real'), (CAST({ago(days=1)[:11]}' AS DATE), 'test')")
    found.sql(f"INSERT INTO raw.by_config VALUES (CAST({ago(minutes=80)[:20]}' AS TIMESTAMP))")
    assert status(found) == {"raw.inherits": "pass", "raw.differs": "pass", "quiet.by_config": "pass"}
    assert check(found) == ""

    found.sql(f"UPDATE raw.inherits SET loaded_at = {ago(hours=13)} WHERE id = 1")
    found.sql(f"UPDATE raw.by_config SET seen = CAST({ago(minutes=95)[:20]}' AS TIMESTAMP)")
    assert (status(found)["raw.inherits"], status(found)["quiet.by_config"]) == ("warn", "warn")
    assert check(found) == "", "a warning fails nothing"

    found.sql("UPDATE raw.differs SET day = day - 2")
    assert status(found)["raw.differs"] == "error"
    assert "raw.differs (" in check(found)
    logged = found.rows("SELECT status FROM c360_control.run_log WHERE node = 'c360_control.source_freshness' AND action = 'check'")
    assert sorted({s for (s,) in logged} - {"running"}) == ["failed", "succeeded"]
    assert found.rows("SELECT 1 FROM c360_control.node_status WHERE node LIKE '%freshness%'") == [], "it is no node"


@pytest.mark.parametrize("engine", ["postgres", "snowflake", "bigquery"])
def test_the_check_as_a_script(engine: str, world: Callable[[Path, str], World], tmp_path: Path) -> None:
    spec = (SPECS / "p.yml").read_text(encoding="utf-8")
    spec = spec.replace(f"{engine}: {{dialect: {engine}", f"{engine}: {{form: scripts, dialect: {engine}")
    (tmp_path / "p.yml").write_text(spec, encoding="utf-8")
    found = world(tmp_path, engine)
    assert "ZC019" in check(found)
    found.sql(f"INSERT INTO raw.inherits VALUES (1, {ago(hours=11)})")
    found.sql(f"INSERT INTO raw.differs VALUES (CAST({ago(days=1)[:11]}' AS DATE), 'real')")
    assert check(found) == ""


@pytest.mark.parametrize("engine", ["postgres", "bigquery"])
def test_nothing_where_nothing_is_watched(engine: str) -> None:
    made = build(load_project(CASES / "merge" / "specs"), engine)
    assert not [f.path for f in made.files if "freshness" in f.path or "freshness" in f.text]


def test_status_shows_it(tmp_path: Path, world: Callable[[Path, str], World]) -> None:
    import duckdb

    database = str(tmp_path / "x.duckdb")
    with duckdb.connect(database) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE TABLE raw.inherits (id BIGINT, loaded_at TIMESTAMPTZ)")
        connection.execute("CREATE TABLE raw.differs (day DATE, kind TEXT); CREATE TABLE raw.by_config (seen TIMESTAMP)")
    options = ["--target", "duckdb", "--database", database, "--specs", str(SPECS)]
    options += ["--out", str(tmp_path)]
    run = CliRunner().invoke
    assert run(cli, ["build", "--specs", str(SPECS), "--out", str(tmp_path)]).exit_code == 0
    made = run(cli, ["deploy", *options])
    assert made.exit_code == 0, made.output
    assert run(cli, ["run", *options]).exit_code == 0
    shown = run(cli, ["status", *options])
    assert shown.exit_code == 1 and "raw.inherits     error      never" in shown.stdout, shown.stdout
    found = json.loads(run(cli, ["status", *options, "--format", "json"]).stdout)
    assert {s["source"]: s["status"] for s in found["sources"]}["quiet.by_config"] == "warn"
