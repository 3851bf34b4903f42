"""Manners of the command line: options that do what they say, one version, and errors that have a code and a way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from c360gen.cli import options
from c360gen.cli.main import cli


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert said("init", "shop").exit_code == 0
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_validate_takes_no_option_that_it_does_not_read(shop: Path) -> None:
    assert said("validate").exit_code == 0
    ended = said("validate", "--out", "elsewhere")
    assert ended.exit_code == 2 and "No such option" in ended.stderr


def test_there_is_one_version() -> None:
    code = "import c360gen; c360gen.__version__ = '9.9'; from c360gen.cli.main import cli; cli.main(['--version'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "c360gen 9.9\n"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the environment names a database."""
    for name in ("C360GEN_DATABASE", "DATABASE_URL", *options.LIBPQ):
        monkeypatch.delenv(name, raising=False)


def test_a_stray_variable_names_no_database(shop: Path, alone: None, monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    """DATABASE_URL belongs to whatever application left it there."""
    said("build")
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("PGHOST", str(shop / "nowhere"))
    ended = said("deploy", "--target", "postgres", "--retries", "0")
    assert ended.exit_code == 1 and "database: from PGHOST" in ended.stderr, ended.output


def test_who_names_the_database_is_said(shop: Path, alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said("build")
    assert "database:" not in said("deploy", "--target", "duckdb", "--database", "x.duckdb").stderr
    monkeypatch.setenv("C360GEN_DATABASE", "x.duckdb")
    ended = said("status", "--target", "duckdb", "--format", "json")
    assert ended.stderr == "database: from C360GEN_DATABASE\n" and ended.stdout.startswith("{")
    assert "C360GEN_DATABASE" not in said("status", "--target", "duckdb", "--database", "x.duckdb").stderr


def test_a_server_for_scenarios_is_named_too(shop: Path, alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", str(shop / "nowhere"))
    assert "database: from PGHOST" in said("test", "--target", "postgres", "--only", "scenarios").stderr
    assert "database:" not in said("test").stderr + said("test", "--target", "duckdb", "--only", "scenarios").stderr
