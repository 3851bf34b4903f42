"""A database that somebody changed by hand, and one that nobody did."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migrate.changes import PHONE, model, snapshot, source
from tests.migrate.evolving import Evolving


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_drift(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    database = str(tmp_path / "shop.duckdb") if engine == "duckdb" else request.getfixturevalue("database")
    shop = Evolving(tmp_path / "shop", engine, database)
    before = source() + snapshot(config=", indexes: [{columns: city}]") + model()
    shop.begin(before)
    for statement in PHONE:
        shop.sql(statement)
    specs = (
        source(phone="text", score=None)
        + snapshot(columns="      - {name: phone, history: empty}\n")
        + model("id, email, city, updated_at")
    )
    shop.evolve(specs, "step")
    words = ["drift", "--target", engine, "--database", database]
    if engine == "duckdb":
        shop.close()
    assert "as released" in shop.cli(*words)
    if engine == "duckdb":
        shop = Evolving(tmp_path / "shop", engine, database)
    shop.sql("ALTER TABLE snap.history ADD COLUMN note VARCHAR")
    shop.sql("DROP VIEW mart.people_seen" + (" CASCADE" if engine == "postgres" else ""))
    if engine == "postgres":
        shop.sql("ALTER TABLE mart.people ALTER COLUMN updated_at TYPE DATE")
        shop.sql("ALTER TABLE mart.people ALTER COLUMN updated_at DROP NOT NULL")
        shop.sql(
            "CREATE OR REPLACE PROCEDURE c360_control.run_people(p_as_of TIMESTAMPTZ DEFAULT NULL, p_full_refresh BOOLEAN DEFAULT false) "
            "LANGUAGE plpgsql AS $$ BEGIN NULL; END; $$"
        )
        shop.sql("DROP PROCEDURE c360_control.run_history")
        shop.sql("DROP INDEX snap.history_open_uq")
    shop.close()
    found = {d["object"]: d["what"] for d in json.loads(shop.cli(*words, "--format", "json", fails=1).rpartition("]")[0] + "]")}
    assert found["snap.history.note"] == "column is not ours"
    if engine == "postgres":
        assert found["c360_control.run_people"] == "procedure has another text than the generated one"
        assert found["c360_control.run_history"] == "procedure is missing"
        assert "history_open_uq is missing" in found["snap.history"]
        assert "DATE" in found["mart.people.updated_at"] or "NULL" in found["mart.people.updated_at"]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_dumped_catalog(engine: str, tmp_path: Path) -> None:
    """What a warehouse says of itself, as a file."""
    from tests.migrate.test_warehouses import Shop

    shop = Shop(tmp_path, engine)
    shop.migrate(source() + snapshot(), "baseline")
    words = {"snowflake": ("NUMBER", "TEXT", "TIMESTAMP_NTZ"), "bigquery": ("INT64", "STRING", "TIMESTAMP")}[engine]
    number, text, time = words
    columns = {"id": number, "email": text, "city": text, "score": number, "updated_at": time, "valid_from": time, "valid_to": time,
               "opened_run_id": text, "closed_run_id": text}  # fmt: skip
    must = ("id", "updated_at", "valid_from", "opened_run_id")
    up = str.upper if engine == "snowflake" else str
    lines = ["table_schema,table_name,column_name,data_type,is_nullable,character_maximum_length,numeric_precision,numeric_scale"]
    size = {"NUMBER": ",38,0"}
    for name, kind in columns.items():
        null = "NO" if name in must else "YES"
        lines.append(f"{up('snap')},{up('history')},{up(name)},{kind},{null},{size.get(kind, ',,')}")
    dump = tmp_path / "catalog.csv"
    dump.write_text("\n".join(lines), encoding="utf-8")
    from click.testing import CliRunner

    from c360gen.cli.main import cli

    arguments = ["drift", "--target", engine, "--catalog", str(dump), "--specs", str(shop.specs), "--out", str(shop.out)]
    result = CliRunner().invoke(cli, arguments)
    assert (result.exit_code, "as released" in result.output) == (0, True), result.output
    dump.write_text("\n".join(lines[:-1]), encoding="utf-8")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1 and "closed_run_id: column is missing" in result.output
    dump.write_text("a,b\n1,2\n", encoding="utf-8")
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1 and "has no column table_schema" in result.output
    shown = CliRunner().invoke(cli, ["drift", "--target", engine, "--query", "--specs", str(shop.specs)]).output
    assert "INFORMATION_SCHEMA" in shown.upper()


def test_drift_needs_a_release(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.write(source() + snapshot())
    assert "no released state" in shop.cli("drift", "--target", "duckdb", "--database", ":memory:", fails=1)
