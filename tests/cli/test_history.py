"""What a person does from the command line to a history that is there: status, check, rewind, erase."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from c360gen.cli.main import cli
from tests.conftest import CASES

SOURCES = (
    "CREATE SCHEMA raw; CREATE TABLE raw.customers (id BIGINT, email TEXT, city TEXT, updated_at TIMESTAMPTZ)",
    "CREATE TABLE raw.orders (order_id BIGINT, customer_id BIGINT, ordered_at TIMESTAMPTZ)",
    "INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00')",
)


class Shop:
    """The case `maintenance`, deployed to a DuckDB file."""

    target = "duckdb"

    def __init__(self, folder: Path):
        self.database, self.folder = str(folder / "x.duckdb"), folder

    def sql(self, text: str) -> list[tuple[object, ...]]:
        with duckdb.connect(self.database) as connection:
            return connection.execute(text).fetchall()

    def __call__(self, *arguments: str) -> Result:
        specs = ["--specs", str(CASES / "maintenance" / "specs"), "--out", str(self.folder / "generated")]
        where = [] if arguments[0] == "build" else ["--database", self.database]
        return CliRunner().invoke(cli, [*arguments, "--target", self.target, *where, *specs])


class Server(Shop):
    """The same on Postgres."""

    target = "postgres"

    def __init__(self, folder: Path, database: str):
        self.database, self.folder = database, folder

    def sql(self, text: str) -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute(text.encode())
        return []


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    for statement in SOURCES:
        found.sql(statement)
    assert found("build").exit_code == 0
    yield found


def test_before_it_is_deployed(shop: Shop) -> None:
    result = shop("status")
    assert result.exit_code == 1 and "c360gen deploy --target duckdb" in result.output


def test_status(shop: Shop) -> None:
    assert shop("deploy").exit_code == 0
    result = shop("status")
    assert result.exit_code == 1 and "never run" in result.output
    assert shop("run").exit_code == 0
    assert shop("status").exit_code == 0
    shop.sql("INSERT INTO raw.customers VALUES (NULL, 'x', 'y', '2026-01-01 10:00:00+00')")
    assert shop("run", "--select", "history").exit_code == 1
    assert shop("run", "--select", "history").exit_code == 1
    result = shop("status")
    assert result.exit_code == 1 and "have no id" in result.output
    (entry,) = (n for n in json.loads(shop("status", "--format", "json").stdout)["nodes"] if n["node"] == "snap.history")
    assert (entry["last_status"], entry["failures"]) == ("failed", 2)


def test_a_run_of_another_time(shop: Shop) -> None:
    """What is repeated in order helps who is late, and not who is early."""
    assert shop("deploy").exit_code == 0
    ended = shop("run", "--select", "history", "--as-of", "2999-01-01")
    assert "is in the future. Nothing was written." in ended.stderr and "ascending order" not in ended.stderr
    assert shop("run", "--select", "history", "--as-of", "2026-01-02").exit_code == 0
    ended = shop("run", "--select", "history", "--as-of", "2026-01-01")
    assert "is before that of the last run" in ended.stderr and "Repeat runs in ascending order of as_of." in ended.stderr


def test_status_says_when_the_last_run_was(shop: Shop) -> None:
    """Not how far its `as_of` lies back: a run of today that loads a day of last year has just ended."""
    assert shop("deploy").exit_code == 0
    assert shop("run", "--select", "history", "--as-of", "2026-01-02").exit_code == 0
    header, *rows = shop("status").stdout.splitlines()
    (row,) = (line for line in rows if line.startswith("snap.history "))
    assert header.index("ago") + len("ago") == row.index("now") + len("now"), header + "\n" + row


def test_a_selection_in_two_options(shop: Shop) -> None:
    assert shop("deploy").exit_code == 0
    result = shop("run", "-s", "history", "--select", "orders", "--as-of", "2026-01-02")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["node", "history", "orders"], result.output


def test_a_run_says_what_it_did(shop: Shop) -> None:
    """A column per number that there is, and where rows that were kept back are."""
    assert shop("deploy").exit_code == 0
    shop.sql("INSERT INTO raw.customers VALUES (3, 'z', 'Zug', '2026-01-01 10:00:00+00')")

    def run(at: str, *names: str) -> list[list[str]]:
        result = shop("run", "-s", " ".join(names), "--as-of", at)
        assert "warning" not in result.stderr
        return [line.split()[:-1] for line in result.stdout.splitlines()]

    assert run("2026-01-02", "history") == [["node", "inserted", "closed", "unchanged"], ["history", "2", "0", "0"]]
    shop.sql("DELETE FROM raw.customers WHERE id = 1")
    deleted = ["inserted", "closed", "deleted", "unchanged"]
    assert run("2026-01-03", "history") == [["node", *deleted], ["history", "0", "1", "1", "1"]]
    shop.sql("INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00')")
    revived = ["inserted", "closed", "revived", "unchanged"]
    assert run("2026-01-04", "history") == [["node", *revived], ["history", "1", "0", "1", "1"]]
    shop.sql("INSERT INTO raw.customers VALUES (2, 'b', 'Bern', NULL)")
    result = shop("run", "-s", "history", "--as-of", "2026-01-05")
    assert result.exit_code == 0 and "quarantined" in result.stdout
    assert result.stderr == "warning: history kept back 1 row in snap.history_quarantine, where c360_reason says why\n"
    shop.sql("INSERT INTO raw.customers VALUES (NULL, 'c', 'Bonn', NULL)")
    result = shop("run", "-s", "history", "--as-of", "2026-01-06")
    assert result.exit_code == 1 and [line.split() for line in result.stdout.splitlines()] == [["node", "seconds"], ["history", "failed"]]


def test_rewind_and_check(shop: Shop) -> None:
    assert shop("deploy").exit_code == 0
    assert shop("run", "--select", "history", "--as-of", "2026-01-02").exit_code == 0
    shop.sql("UPDATE raw.customers SET email = 'b', updated_at = '2026-01-02 10:00:00+00'")
    assert shop("run", "--select", "history", "--as-of", "2026-01-03").exit_code == 0
    assert shop("history", "check", "history").output == "history is sound\n"
    result = shop("history", "rewind", "history", "--to", "2026-01-02T12:00")
    assert result.output == "history: 1 versions would go, 1 would be open again; --apply does it\n"
    assert len(shop.sql("SELECT * FROM snap.history")) == 2
    result = shop("history", "rewind", "history", "--to", "2026-01-02T12:00", "--apply")
    assert result.output == "history: 1 versions removed, 1 opened again\n"
    assert shop.sql("SELECT email, valid_to FROM snap.history") == [("a", None)]
    assert shop("history", "rewind", "history", "--to", "2025-01-01", "--apply").exit_code == 1


def test_all_histories_are_checked(shop: Shop) -> None:
    """One that is damaged does not keep the others from being looked at."""
    assert shop("deploy").exit_code == 0
    assert shop("history", "check").stderr == "history is sound\nlate is sound\nmarked is sound\n"
    twice = "INSERT INTO snap.history SELECT * REPLACE (valid_from + INTERVAL 1 DAY AS valid_from) FROM snap.history"
    assert shop("run", "--select", "history", "--as-of", "2026-01-02").exit_code == 0
    shop.sql("DROP INDEX IF EXISTS snap.history_open")
    shop.sql(twice)
    result = shop("history", "check")
    assert (
        result.exit_code == 1 and "error[ZC016]: snap.history: " in result.stderr and "late is sound\nmarked is sound\n" in result.stderr
    ), result.output


def test_erase(shop: Shop) -> None:
    assert shop("deploy").exit_code == 0
    assert shop("run", "--select", "history", "--as-of", "2026-01-02").exit_code == 0
    assert "Erase the person in the source first" in shop("history", "erase", "history", "--key", "1", "--apply").output
    shop.sql("UPDATE raw.customers SET email = NULL, updated_at = '2026-01-02 10:00:00+00'")
    assert shop("history", "erase", "history", "--key", "1").output == "history: 0 rows would be deleted, 1 redacted; --apply does it\n"
    assert shop("history", "erase", "history", "--key", "1", "--apply").exit_code == 0
    assert shop.sql("SELECT email FROM snap.history") == [(None,)]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_key_of_another_type(engine: str, shop: Shop, request: pytest.FixtureRequest) -> None:
    target = shop if engine == "duckdb" else Server(shop.folder, request.getfixturevalue("database"))
    for statement in SOURCES if engine == "postgres" else ():
        target.sql(statement)
    for command in ("build", "deploy"):
        assert target(command).exit_code == 0
    result = target("history", "erase", "history", "--key", "three")
    assert result.exit_code == 1 and "error[C805]" in result.stderr and "three" in result.stderr, result.exception


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["history", "rewind", "history"], 2, "rewind needs --to"),
        (["history", "rewind", "--to", "2026-01-01"], 2, "rewind needs a node: known nodes: history, "),
        (["history", "check", "history", "--key", "1"], 2, "check takes no --key"),
        (["history", "rewind", "history", "--to", "soon"], 2, "is not a time"),
        (["history", "rewind", "histroy", "--to", "2026-01-01"], 1, "did you mean 'history'?"),
        (["history", "erase", "marked", "--key", "1"], 1, "known nodes: history, orders"),
    ],
)
def test_called_wrongly(arguments: list[str], code: int, said: str, shop: Shop) -> None:
    result = shop(*arguments)
    text = result.output or str(result.exception)
    assert said in text and result.exit_code == code
