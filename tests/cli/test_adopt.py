"""`c360gen adopt`: what a person is told of the other tool's table, before and after."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml
from click.testing import CliRunner, Result

from c360gen.cli.main import cli
from c360gen.pipeline import build, load_project
from tests.conftest import CASES
from tests.test_adoption import SPECS
from tests.worlds import manifest_of, source_tables

CASE = CASES / "adoption"


class Shop:
    """The case `adoption` in a folder, with a DuckDB file."""

    def __init__(self, folder: Path):
        self.database, self.folder = folder / "x.duckdb", folder

    def begin(self) -> None:
        """Its damaged tables; built and deployed."""
        tables = source_tables(manifest_of(build(load_project(CASE / "specs"), "duckdb")), "TIMESTAMPTZ")
        rows = yaml.safe_load((CASE / "scenario.yml").read_text(encoding="utf-8"))["steps"][0]["sql"]
        for statement in (*tables, *rows):
            self.sql(statement)
        for command in ("build", "deploy"):
            assert self(command).exit_code == 0

    def sql(self, text: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self.database)) as connection:
            return connection.execute(text).fetchall()

    def __call__(self, *arguments: str) -> Result:
        specs = ["--specs", str(CASE / "specs"), "--out", str(self.folder / "generated")]
        where = [] if arguments[0] == "build" else ["--database", str(self.database)]
        return CliRunner().invoke(cli, [*arguments, "--target", "duckdb", *where, *specs])


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop that is deployed once, for others to be copies of it."""
    folder = tmp_path_factory.mktemp("begun")
    Shop(folder).begin()
    return folder


@pytest.fixture
def shop(begun: Path, tmp_path: Path) -> Shop:
    return Shop(shutil.copytree(begun, tmp_path / "shop"))


def test_damage_is_listed_with_what_would_be_done(shop: Shop) -> None:
    result = shop("adopt", "careful")
    assert result.exit_code == 1
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("inverted"))
    assert line.split("  ")[0] == "inverted" and "5; 6" in line and "it is left out" in line
    assert "ZC016" in result.stderr
    assert shop.sql("SELECT COUNT(*) FROM snap.careful") == [(0,)]


def test_a_dry_run_and_the_adoption(shop: Shop) -> None:
    dry = shop("adopt", "mended")
    assert dry.exit_code == 0 and "9 versions would be adopted of 14, 2 of them mended; --apply does it" in dry.stderr
    assert shop.sql("SELECT COUNT(*) FROM snap.mended") == [(0,)]
    done = shop("adopt", "mended", "--apply", "--format", "json")
    said = json.loads(done.stdout)
    assert (said["applied"], said["source_rows"], said["inserted_rows"], said["updated_rows"]) == (True, 14, 9, 2)
    assert {p["problem"]: p["found"] for p in said["problems"]}["two_open"] == 1
    again = shop("adopt", "mended", "--apply")
    assert again.exit_code == 1 and "the history has 9 versions already" in again.stderr and again.stdout == ""


def test_what_is_no_adoption(shop: Shop) -> None:
    unknown = shop("adopt", "carful")
    assert unknown.exit_code == 1 and "did you mean 'careful'?" in unknown.stderr
    assert shop("adopt").exit_code == 2
    assert shop("adopt", "careful", "--table", "dbt.customers").exit_code == 2
    shop.sql("DROP TABLE dbt.customers")
    gone = shop("adopt", "careful")
    assert gone.exit_code == 1 and "does the source of adopt: stand where it is declared?" in gone.stderr


@pytest.mark.parametrize(("table", "source"), [("dbt.customers", "dbt"), ("mesh.customers", "sqlmesh")])
def test_a_table_as_specs(shop: Shop, table: str, source: str) -> None:
    """What is printed is a file of specs that declares the table as it is."""
    result = shop("adopt", "--table", table)
    assert result.exit_code == 0
    (found,) = yaml.safe_load(result.stdout)["sources"]
    declared = load_project(CASE / "specs").resolved.sources[table]
    assert found["name"] == source and found["schema"] == table.split(".")[0]
    assert [c["name"] for c in found["tables"][0]["columns"]] == [c.name for c in declared.columns]
    assert f"relation: source('{source}', 'customers')" in result.stdout


def test_a_table_with_hostile_names_and_types(shop: Shop) -> None:
    shop.sql('CREATE TABLE dbt."On Off" ("Id" BIGINT, "on" DECIMAL(12, 2), "it\'s" JSON, dbt_valid_from TIMESTAMPTZ)')
    result = shop("adopt", "--table", "dbt.On Off")
    columns = yaml.safe_load(result.stdout)["sources"][0]["tables"][0]["columns"]
    assert columns == [
        {"name": "Id", "data_type": "bigint", "quote": True}, {"name": "on", "data_type": "numeric(12,2)"},
        {"name": "dbt_valid_from", "data_type": "timestamptz"},
    ]  # fmt: skip
    assert "#   On Off.it's is JSON\n" in result.stdout
    assert "snapshot_meta_column_names: {dbt_valid_to: …}" in result.stdout
    assert shop("adopt", "--table", "dbt.nothing").exit_code == 1
    assert shop("adopt", "--table", "nothing").exit_code == 2


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/p.yml").write_text(SPECS, encoding="utf-8")
    for command in (["status"], ["drift"], ["run"], ["history", "check", "h"], ["adopt", "h"], ["adopt", "--table", "a.b"]):
        where = ["--target", "duckdb", "--database", str(tmp_path / "mistyped"), "--out", str(tmp_path / "o")]
        result = CliRunner().invoke(cli, [*command, *where, "--specs", str(tmp_path / "specs")])
        assert result.exit_code != 0, command
        assert not (tmp_path / "mistyped").exists(), command


def test_a_column_of_the_old_table_that_goes_is_missed(tmp_path: Path) -> None:
    said = CliRunner().invoke(cli, ["impact", "dbt.customers.dbt_valid_to", "--specs", str(CASE / "specs")])
    assert said.exit_code == 0 and said.stdout.count("adopt") >= 2, said.output


def test_who_adopts_is_told_that_the_old_table_keeps_a_person(tmp_path: Path) -> None:
    text = (CASE / "specs" / "p.yml").read_text(encoding="utf-8")
    changed = text.replace("config: {schema: snap, unique_key: id,", "config: {schema: snap, erasure: {by: id}, unique_key: id,", 1)
    (tmp_path / "p.yml").write_text(changed, encoding="utf-8")
    made = build(load_project(tmp_path), "postgres")
    (erase,) = (f.text for f in made.files if f.path == "procedures/erase_careful.sql")
    assert "dbt.customers, which was adopted, is not touched" in erase
