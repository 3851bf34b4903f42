"""`c360gen import`: what a person sees of it, and what is never overwritten."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pytest
import yaml
from click.testing import CliRunner, Result

from c360gen.cli.main import cli
from c360gen.importers import database
from tests.importers.trim import SHOP


def call(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, arguments)], catch_exceptions=False)


def test_a_project_is_written_once(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    result = call("dbt", ours, "--project", SHOP)
    assert result.exit_code == 0
    assert result.stderr.endswith("0 to be decided, 6 left out, 0 mistakes: read IMPORT.md there first\n")
    assert "models/marts/marts.yml:12 | `fct_orders` | post_hook" in (ours / "IMPORT.md").read_text(encoding="utf-8")
    there = {p: p.read_bytes() for p in ours.rglob("*") if p.is_file()}
    again = call("dbt", ours, "--project", SHOP)
    assert again.exit_code == 1 and "C504" in again.stderr
    assert there == {p: p.read_bytes() for p in ours.rglob("*") if p.is_file()}


def test_what_has_to_be_decided_is_a_finding(tmp_path: Path) -> None:
    result = call(
        "dbt", tmp_path / "ours", "--project", SHOP, "--manifest", SHOP / "target" / "manifest.json", "--catalog", _empty(tmp_path)
    )
    assert result.exit_code == 1
    report = (tmp_path / "ours" / "IMPORT.md").read_text(encoding="utf-8")
    assert "## To be decided" in report and "no column of it is declared" in report
    assert "## What `c360gen validate` says" in report and "C3" in report
    assert str(tmp_path) not in report


def _empty(folder: Path) -> Path:
    (folder / "catalog.json").write_text('{"nodes": {"x": {"columns": {}}}, "sources": {}}', encoding="utf-8")
    return folder / "catalog.json"


def test_what_is_no_dbt_project(tmp_path: Path) -> None:
    result = call("dbt", tmp_path / "ours", "--project", tmp_path)
    assert result.exit_code == 1 and "error[C808]" in result.stderr and "has no dbt_project.yml" in result.stderr
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    result = call("dbt", tmp_path / "ours", "--project", tmp_path)
    assert result.exit_code == 1 and "error[C808]" in result.stderr and "dbt parse" in result.stderr
    assert not (tmp_path / "ours").exists()


TABLES = """
    CREATE SCHEMA raw;
    CREATE TABLE raw.customers (id BIGINT, "Mixed" VARCHAR(20), amount NUMERIC(12, 2), notes JSON, seen_at TIMESTAMPTZ);
    CREATE VIEW raw.emails AS SELECT "Mixed" FROM raw.customers;
"""
CUSTOMERS = [
    {"name": "id", "data_type": "bigint"}, {"name": "Mixed", "data_type": "varchar(20)", "quote": True},
    {"name": "amount", "data_type": "numeric(12,2)"}, {"name": "seen_at", "data_type": "timestamptz"},
]  # fmt: skip


def test_tables_of_postgres(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES)
    result = call("database", "raw", "--dialect", "postgres", "--database", database)
    assert result.exit_code == 0
    (source,) = yaml.safe_load(result.stdout)["sources"]
    assert (source["name"], source["schema"]) == ("raw", "raw")
    assert source["tables"][0] == {"name": "customers", "columns": CUSTOMERS}
    assert [t["name"] for t in source["tables"]] == ["customers", "emails"]
    assert "#   customers.notes is json\n" in result.stdout


def test_tables_of_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(TABLES)
    asked = ("--dialect", "duckdb", "--database", tmp_path / "x.duckdb")
    result = call("database", "raw.customers", "raw.customers", *asked)
    (source,) = yaml.safe_load(result.stdout)["sources"]
    assert [t["name"] for t in source["tables"]] == ["customers"]
    assert source["tables"][0]["columns"][1] == {"name": "Mixed", "data_type": "text", "quote": True}  # DuckDB forgets lengths


@pytest.mark.parametrize(("place", "said"), [
    ("raw.customer", "there is no table raw.customer\n  help: did you mean 'raw.customers'?"),
    ("raw.", "there is no table raw.\n"),
    ("rw", "there is no table in a schema 'rw'\n  help: did you mean 'raw'?"),
    ("shop", "there is no table in a schema 'shop'\n  help: known schemas with tables: raw"),
    ("shop.items", "there is no table shop.items\n  help: known tables: raw.customers, raw.emails"),
    ("", "there is no table in a schema ''\n"),
])  # fmt: skip
def test_a_table_that_is_not_there(tmp_path: Path, place: str, said: str) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(TABLES)
    missing = call("database", place, "--dialect", "duckdb", "--database", tmp_path / "x.duckdb")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert f"error[C809]: {said}" in missing.stderr


def test_a_database_without_tables(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "x.duckdb")).close()
    missing = call("database", "raw", "--dialect", "duckdb", "--database", tmp_path / "x.duckdb")
    assert missing.exit_code == 1 and "no table that this user may see" in missing.stderr


@pytest.mark.parametrize("name", ["a\n- injected: 1", "it's", 'say "on"', "on", "{{ x }}", "ünïcode", "# no comment"])
def test_names_stay_names(name: str) -> None:
    table = database.Table("raw", name, ((name, "bigint"), (f"{name}?", "json")))
    text = database.sources([table], "duckdb")
    (source,) = yaml.safe_load(text)["sources"]
    assert source["tables"] == [{"name": name, "columns": source["tables"][0]["columns"]}]
    assert source["tables"][0]["columns"][0]["name"] == name
