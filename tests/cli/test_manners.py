"""Manners of the command line: options that do what they say, one version, and errors that have a code and a way out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from c360gen.cli import options
from tests.cli.conftest import said


def test_validate_takes_no_option_that_it_does_not_read(shop: Path) -> None:
    assert said("validate").exit_code == 0
    ended = said("validate", "--out", "elsewhere")
    assert ended.exit_code == 2 and "No such option" in ended.stderr


def test_there_is_one_version() -> None:
    code = "import c360gen; c360gen.__version__ = '9.9'; from c360gen.cli.main import cli; cli.main(['--version'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "c360gen 9.9\n"


def test_words_of_dbt_lead_to_ours() -> None:
    from c360gen.cli.main import COMMANDS, FROM_DBT

    assert "`c360gen run --select resource_type:snapshot`" in said("snapshot").stderr
    assert "Did you mean 'status'?" in said("staus").stderr
    assert not {*FROM_DBT} & {*COMMANDS} and {word.split()[0] for word in FROM_DBT.values()} <= {*COMMANDS}


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


DUCKDB = ("--target", "duckdb", "--database")
FINDINGS = [
    (["init", "."], "C504", "name a new one"),
    (["drift", *DUCKDB, "empty.duckdb"], "C607", "c360gen migrate --name baseline begins"),
    (["deploy", *DUCKDB, "nowhere/x.duckdb", "--retries", "0"], "C801", "a folder that exists"),
    (["run", *DUCKDB, "specs/project.yml"], "C801", "name a DuckDB file"),
    (["adopt", "--table", "a.b", *DUCKDB, "specs/project.yml"], "C801", "name a DuckDB file"),
    (["test", "--only", "data-tests", *DUCKDB, "specs/project.yml"], "C801", "name a DuckDB file"),
    (["run", *DUCKDB, "empty.duckdb"], "C802", "is it deployed? `c360gen deploy --target duckdb` does that"),
    (["status", *DUCKDB, "empty.duckdb"], "C802", "is it deployed?"),
    (["history", "check", "customer_snapshot", *DUCKDB, "empty.duckdb"], "C802", "is it deployed?"),
    (["deploy", *DUCKDB, "taken.duckdb"], "C803", ""),
    (["run", *DUCKDB, "deployed.duckdb"], "ZC011", ""),
    (["adopt", "--table", "a.b", *DUCKDB, "empty.duckdb"], "C809", "no table that this user may see"),
]


@pytest.mark.parametrize(("arguments", "code", "help"), FINDINGS, ids=lambda x: " ".join(x) if isinstance(x, list) else "")
def test_every_error_has_a_code_and_a_way_out(arguments: list[str], code: str, help: str, shop: Path) -> None:
    said("build", "--dialect", "duckdb")
    duckdb.connect("empty.duckdb").close()
    with duckdb.connect("taken.duckdb") as taken:
        taken.execute("CREATE SCHEMA c360_control; CREATE VIEW c360_control.run_log AS SELECT 1 AS other")
    if "deployed.duckdb" in arguments:
        said("deploy", *DUCKDB, "deployed.duckdb")
    ended = said(*arguments)
    assert ended.exit_code == 1, ended.output
    lines = ended.stderr.splitlines()
    (error,) = [i for i, line in enumerate(lines) if line.startswith("error")]
    assert lines[error].startswith(f"error[{code}]: "), ended.stderr
    assert f"c360gen explain {code} says more" in ended.stderr and said("explain", code).exit_code == 0
    assert not help or any(line.startswith("  help: ") and help in line for line in lines[error:]), ended.stderr


def test_a_file_that_is_open_elsewhere(shop: Path) -> None:
    said("build", "--dialect", "duckdb")
    script = "import duckdb; c = duckdb.connect('x.duckdb'); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        ended = said("deploy", *DUCKDB, "x.duckdb", "--retries", "0")
        other.communicate(b"\n")
    assert ended.exit_code == 1 and "error[C804]: " in ended.stderr and "one process at a time" in ended.stderr


def test_a_finding_of_a_database_is_in_the_document(shop: Path) -> None:
    """It was said beside it, so that a machine read an empty list."""
    ended = said("test", "--only", "data-tests", *DUCKDB, "specs/project.yml", "--format", "json")
    assert ended.exit_code == 1 and [d["code"] for d in json.loads(ended.stdout)["diagnostics"]] == ["C801"]


def test_who_may_not_read_the_ledger_is_told_so(shop: Path, database: str) -> None:
    """It was a traceback, and exit code 70."""
    import psycopg

    said("build", "--dialect", "postgres")
    assert said("deploy", "--target", "postgres", "--database", database).exit_code == 0
    said("migrate", "--name", "baseline", "--dialect", "postgres")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE nobody_much LOGIN")
    stranger = psycopg.conninfo.make_conninfo(database, user="nobody_much")
    ended = said("deploy", "--target", "postgres", "--database", stranger)
    assert ended.exit_code == 1 and "error[C803]: permission denied" in ended.stderr and "USAGE" in ended.stderr, ended.output


@pytest.mark.parametrize("command", [["run"], ["status"], ["deploy"], ["drift"], ["history", "check", "customer_snapshot"]], ids=" ".join)
def test_what_cannot_be_run_from_here_is_called_wrongly(command: list[str], shop: Path) -> None:
    text = Path("specs/project.yml").read_text(encoding="utf-8")
    Path("specs/project.yml").write_text(text.replace("postgres: {dialect: postgres}", "snowflake: {dialect: snowflake}"), encoding="utf-8")
    said("migrate", "--name", "baseline", "--dialect", "snowflake")
    ended = said(*command, "--target", "snowflake")
    assert ended.exit_code == 2 and "its own client" in ended.stderr, ended.output


def test_what_cannot_be_written_is_no_bug_of_ours(shop: Path) -> None:
    """It was a traceback, and exit code 70."""
    command = [sys.executable, "-m", "c360gen.cli.main", "init", "specs/project.yml/below"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1 and "error[C505]: specs/project.yml/below" in ended.stderr, ended.stderr
    assert "cannot be written: not a directory" in ended.stderr


def test_who_forgets_a_step_is_told_which(shop: Path) -> None:
    assert "Targets: duckdb, postgres" in said("deploy").stderr
    ended = said("deploy", *DUCKDB, "x.duckdb")
    assert "error[C501]: there is no generated/duckdb: nothing is built yet" in ended.stderr and "c360gen build" in ended.stderr
    assert "cd 'my shop' && c360gen build" in said("init", "my shop").stderr


def test_duckdb_prints_no_progress_into_a_document() -> None:
    """Its bar is drawn on stdout, even where that is a pipe, once a statement takes two seconds."""
    from c360gen import engines

    _, rows = engines.connect("duckdb", ":memory:", "ctl").query("SELECT current_setting('enable_progress_bar')")
    assert rows == [(False,)]
