"""`run` and `history`: only what was reviewed, only where it is deployed; and what they say otherwise."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pytest

from tests.cli.conftest import said

COMMANDS = (["run"], ["history", "check", "customer_snapshot"])


def execute(target: str, database: str, statement: str) -> None:
    if target == "duckdb":
        with duckdb.connect(database) as connection:
            connection.execute(statement)
    else:
        with psycopg.connect(database, autocommit=True) as server:
            server.execute(statement.encode())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_is_run_that_was_not_built(command: list[str], shop: Path) -> None:
    duckdb.connect("x.duckdb").close()
    ended = said(*command, "--target", "duckdb", "--database", "x.duckdb")
    assert ended.exit_code == 1 and "error[C501]" in ended.stderr and "c360gen build --target duckdb mends it" in ended.stderr
    said("build")
    text = Path("specs/mart_customers.sql").read_text(encoding="utf-8")
    Path("specs/mart_customers.sql").write_text(text.replace("c.email", "lower(c.email) as email"), encoding="utf-8")
    project = Path("specs/project.yml").read_text(encoding="utf-8")
    count = "      - {name: version_count, data_type: bigint}"
    Path("specs/project.yml").write_text(project.replace(count, f"{count}\n      - {{name: email, data_type: text}}"), encoding="utf-8")
    ended = said(*command, "--target", "duckdb", "--database", "x.duckdb")
    assert ended.exit_code == 1 and "error[C501]" in ended.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("target", ["duckdb", "postgres"])
def test_a_database_in_which_nothing_is_deployed(command: list[str], target: str, shop: Path, request: pytest.FixtureRequest) -> None:
    said("build")
    database = "x.duckdb" if target == "duckdb" else request.getfixturevalue("database")
    if target == "duckdb":
        duckdb.connect(database).close()
    ended = said(*command, "--target", target, "--database", database)
    assert ended.exit_code == 1 and f"is it deployed? `c360gen deploy --target {target}` does that" in ended.stderr, ended.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("target", ["duckdb", "postgres"])
def test_nothing_is_run_while_a_migration_is_pending(command: list[str], target: str, shop: Path, request: pytest.FixtureRequest) -> None:
    database = "x.duckdb" if target == "duckdb" else request.getfixturevalue("database")
    where = ("--target", target, "--database", database)
    said("migrate", "--name", "baseline")
    create = "CREATE SCHEMA raw_data; CREATE TABLE raw_data.customers (customer_id BIGINT, email TEXT, updated_at TIMESTAMPTZ)"
    execute(target, database, create)
    assert said("deploy", *where).exit_code == 0 and said("run", *where).exit_code == 0
    project = Path("specs/project.yml").read_text(encoding="utf-8")
    more = "  - {name: more, config: {schema: marts}, sql: select 1 as one}\n\nschedules:"
    Path("specs/project.yml").write_text(project.replace("schedules:", more), encoding="utf-8")
    ended = said("migrate", "--name", "more")
    assert ended.exit_code == 0, ended.output
    ended = said(*command, *where)
    name = "x.duckdb" if target == "duckdb" else "the database"
    assert ended.exit_code == 1 and f"error[C806]: {name} is at 0001, generated/{target} is at 0002" in ended.stderr, ended.output
    assert f"`c360gen deploy --target {target}` brings it there" in ended.stderr
    assert said("deploy", *where).exit_code == 0 and said(*command, *where).exit_code == 0


def test_data_tests_are_not_left_out_in_silence(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("C360GEN_DATABASE", raising=False)
    assert said("test", "--target", "duckdb").exit_code == 2
    assert said("test", "--target", "duckdb", "--only", "scenarios").exit_code == 0
    ended = said("test", "--only", "data-tests")
    assert ended.exit_code == 2 and "name it with --target and --database" in ended.stderr


@pytest.mark.parametrize("target", ["duckdb", "postgres"])
def test_a_source_that_a_view_reads_is_not_loaded_yet(target: str, shop: Path, request: pytest.FixtureRequest) -> None:
    """DuckDB has a message of its own where the schema is there."""
    view = "models:\n  - {name: seen, sql: \"select customer_id from {{ source('raw_data', 'customers') }}\"}\n"
    Path("specs/seen.yml").write_text(view, encoding="utf-8")
    said("build")
    database = "x.duckdb" if target == "duckdb" else request.getfixturevalue("database")
    help = "help: source raw_data.customers is not in this database; c360gen reads sources and never creates them: load it first"
    for statement in (None, "CREATE SCHEMA raw_data"):
        if statement is not None:
            execute(target, database, statement)
        ended = said("deploy", "--target", target, "--database", database)
        assert ended.exit_code == 1 and "error[C803]" in ended.stderr and help in ended.stderr, ended.output


def test_a_role_that_is_missing(shop: Path, database: str) -> None:
    project = Path("specs/project.yml").read_text(encoding="utf-8")
    targets = project.replace("postgres: {dialect: postgres}", "postgres: {dialect: postgres, owner: nobody_made_it}")
    Path("specs/project.yml").write_text(targets, encoding="utf-8")
    said("build")
    ended = said("deploy", "--target", "postgres", "--database", database)
    assert ended.exit_code == 1 and "generated/postgres/roles.sql creates it" in ended.stderr, ended.output


def test_a_broken_file_is_the_only_one_to_blame(shop: Path) -> None:
    """Others miss what it declares; that is no mistake of theirs."""
    more = "models:\n  - {name: more, sql: \"select customer_id from {{ ref('customer_snapshot') }}\"}\n"
    Path("specs/more.yml").write_text(more, encoding="utf-8")
    project = Path("specs/project.yml").read_text(encoding="utf-8")
    Path("specs/project.yml").write_text(project.replace("strategy: timestamp", "strategy: timestmp"), encoding="utf-8")
    ended = said("validate")
    assert ended.exit_code == 1 and "did you mean 'timestamp'?" in ended.stderr and "C201" not in ended.stderr, ended.stderr
