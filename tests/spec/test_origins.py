"""What generated text says of the files that it comes from does not depend on how their folder was named, nor from where."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from c360gen.pipeline import build, lint, load_project
from tests.cli.test_manners import said

SPECS = """
lint: {paths: [{path: specs/sub, rules: {L403: off}}]}
targets: {duckdb: {dialect: duckdb}}
sources:
  - name: shop
    tables:
      - name: customers
        columns: [{name: id, data_type: bigint, data_tests: [unique]}, {name: email, data_type: text}]
schedules:
  - {name: nightly, cron: "0 3 * * *", select: "path:specs/sub"}
"""
SNAPSHOT = """
snapshots:
  - name: history
    relation: source('shop', 'customers')
    config: {unique_key: id, strategy: check, check_cols: all, hard_deletes: ignore}
models:
  - {name: mart, config: {materialized: table}, sql_file: mart.sql}
"""


@pytest.fixture
def x(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and the user in it."""
    root = tmp_path / "x"
    (root / "specs" / "sub").mkdir(parents=True)
    (root / "specs" / "p.yml").write_text(SPECS, encoding="utf-8")
    (root / "specs" / "sub" / "history.yml").write_text(SNAPSHOT, encoding="utf-8")
    (root / "specs" / "sub" / "mart.sql").write_text("select id, email from {{ ref('history') }}\n", encoding="utf-8")
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize("written", ["ABSOLUTE/specs", "./specs", "specs/", "../x/specs", "specs/sub/.."])
def test_however_the_folder_is_written(written: str, x: Path) -> None:
    given = written.replace("ABSOLUTE", x.as_posix())
    expected = {f.path: f.text for f in build(load_project("specs"), "duckdb").files}
    assert "from specs/sub/history.yml" in expected["scripts/run_history.sql"] and '"specs/sub/history.yml:' in expected["manifest.json"]
    assert {f.path: f.text for f in build(load_project(given), "duckdb").files} == expected


def test_from_inside_of_it(x: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {f.path: f.text for f in build(load_project("specs"), "duckdb").files}
    monkeypatch.chdir(x / "specs")
    assert {f.path: f.text for f in build(load_project("."), "duckdb").files} == expected


def test_check_from_another_directory(x: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said("build").exit_code == 0
    monkeypatch.chdir(x.parent)
    for place in ("x", x.as_posix()):
        ended = said("check", "--specs", f"{place}/specs", "--out", f"{place}/generated")
        assert ended.exit_code == 0, ended.output


def test_a_migration_made_elsewhere_names_the_same_files(x: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said("migrate", "--name", "baseline").exit_code == 0
    at = x / "specs" / "p.yml"
    at.write_text(SPECS.replace("{name: email,", "{name: born, data_type: date}, {name: email,"), encoding="utf-8")
    where = x / "specs" / "sub" / "history.yml"
    where.write_text(SNAPSHOT.replace("models:", "    columns: [{name: born, history: empty}]\nmodels:"), encoding="utf-8")
    shutil.copytree(x, x.parent / "y")
    assert said("migrate", "--name", "born").exit_code == 0
    monkeypatch.chdir(x.parent)
    ended = said("migrate", "--name", "born", "--specs", f"{x.parent.as_posix()}/y/specs", "--out", "y/generated")
    assert ended.exit_code == 0, ended.output
    here, there = ((x.parent / one / "generated/duckdb/migrations/0002_born/PLAN.md").read_text(encoding="utf-8") for one in "xy")
    assert here == there and "`specs/sub/history.yml:" in here


def test_settings_that_name_a_path_hold_from_anywhere(x: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = dt.date(2026, 1, 1)
    here = lint(load_project("specs"), today)
    assert [d.code for d in lint(load_project(x / "specs"), today)] == [d.code for d in here]
    monkeypatch.chdir("/")
    ended = said("ls", "--specs", str(x / "specs"), "--select", "path:specs/sub", "--output", "path")
    assert ended.exit_code == 0 and ended.stdout == "specs/sub/history.yml\n", ended.output


def test_a_diagnostic_names_the_file_as_the_user_sees_it(x: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (x / "specs" / "sub" / "mart.sql").write_text("select nothing from {{ ref('history') }}\n", encoding="utf-8")
    monkeypatch.chdir(x.parent)
    ended = said("validate", "--specs", "x/specs")
    assert ended.exit_code == 1 and "--> x/specs/sub/mart.sql:1:8" in ended.stderr, ended.stderr
