"""What `run` does after a failure, and what it says of it, to people and to machines."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from c360gen.engines import Run, Session
from tests.cli.conftest import said
from tests.cli.test_what_is_run import execute

SPECS = """version: 2
project: {name: shop, control_schema: ctl, schema: marts, vars: {a: 0}}
targets:
  duckdb: {dialect: duckdb}
  postgres: {dialect: postgres}
sources:
  - name: raw
    tables:
      - name: orders
        columns: [{name: id, data_type: bigint}, {name: amount, data_type: text}, {name: moved_at, data_type: timestamptz}]
models:
  - name: amounts
    config: {materialized: table}
    columns: [{name: amount, data_type: bigint}]
    sql: select id, cast(amount as bigint) as amount from {{ source('raw', 'orders') }}
  - {name: seen, config: {materialized: view}, sql: "select id, amount from {{ ref('amounts') }}"}
  - {name: top, config: {materialized: table}, sql: "select id, amount from {{ ref('seen') }}"}
  - name: loaded
    config: {materialized: incremental, incremental_strategy: append, cursor: moved_at}
    sql: select id, moved_at from {{ source('raw', 'orders') }}
"""
LOAD = (
    "CREATE SCHEMA raw; CREATE TABLE raw.orders (id BIGINT, amount TEXT, moved_at TIMESTAMPTZ); "
    "INSERT INTO raw.orders VALUES (1, 'many', '2026-01-01 10:00:00+00')"
)


class Shop:
    def __init__(self, target: str, database: str):
        self.target, self.database = target, database

    def __call__(self, *arguments: str) -> Result:
        return said(*arguments, "--target", self.target, "--database", self.database)


@pytest.fixture(params=["duckdb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()
    Path("specs/shop.yml").write_text(SPECS, encoding="utf-8")
    said("build")
    found = Shop(request.param, "x.duckdb" if request.param == "duckdb" else request.getfixturevalue("database"))
    execute(found.target, found.database, LOAD)
    assert found("deploy").exit_code == 0
    return found


def test_what_does_not_depend_on_a_failure_goes_on(shop: Shop) -> None:
    """`top` reads the table that failed through a view; `loaded` reads nothing of it."""
    ended = shop("run", "--keep-going")
    assert ended.exit_code == 1 and [line.split()[0] for line in ended.stdout.splitlines()] == ["node", "amounts", "loaded"]
    assert "error[C805]: amounts: " in ended.stderr and "many" in ended.stderr
    assert "skipped: top, because amounts failed\n\n1 succeeded, 1 failed, 1 skipped\n" in ended.stderr, ended.stderr


def test_the_first_failure_stops_the_run(shop: Shop) -> None:
    ended = shop("run")
    assert ended.exit_code == 1 and [line.split()[0] for line in ended.stdout.splitlines()] == ["node", "amounts"]
    assert "2 nodes behind it not run; --keep-going runs what does not depend on it\n" in ended.stderr


def test_the_command_that_is_named_runs_what_is_left(shop: Shop) -> None:
    said_before = shop("run", "--keep-going", "--as-of", "2026-01-02").stderr.splitlines()[-1]
    assert said_before.endswith("--select 'amounts top' --as-of '2026-01-02 00:00:00+00:00' --keep-going runs them again"), said_before
    execute(shop.target, shop.database, "UPDATE raw.orders SET amount = '3'")
    ended = shop(*shlex.split(said_before.partition(" ")[2].removesuffix(" runs them again")), "--format", "json")
    assert ended.exit_code == 0 and [r["node"] for r in json.loads(ended.stdout)["runs"]] == ["amounts", "top"], ended.output


@pytest.mark.parametrize("shop", ["duckdb"], indirect=True)
def test_the_command_that_is_named_is_for_the_same_project(shop: Shop) -> None:
    Path("specs").rename("our specs")
    elsewhere = ["--specs", "our specs", "--out", "built", "--vars", "{a: 1}"]
    expected = "--specs 'our specs' --out built --vars '{a: 1}'"
    assert said("check", *elsewhere).stderr.endswith(f"; mend with: c360gen build {expected}\n")
    ended = shop("run", *elsewhere)
    assert f"c360gen build --target duckdb {expected} mends it" in ended.stderr, ended.stderr
    said("build", *elsewhere)
    ended = shop("run", *elsewhere)
    assert ended.stderr.endswith(f"c360gen run --target duckdb --database x.duckdb {expected} runs them again\n"), ended.stderr


def test_machines_read_one_document(shop: Shop) -> None:
    ended = shop("run", "--keep-going", "--format", "json")
    rows = {row["node"]: row for row in json.loads(ended.stdout)["runs"]}
    assert ended.exit_code == 1 and [(name, row["status"]) for name, row in rows.items()] == [
        ("amounts", "failed"), ("loaded", "succeeded"), ("top", "skipped"),
    ]  # fmt: skip
    assert rows["amounts"]["code"] == "C805" and "many" in rows["amounts"]["message"] and rows["top"]["because"] == ["amounts"]
    assert rows["loaded"]["watermark"] == "2026-01-01 10:00:00+00:00" and rows["loaded"]["counts"]["inserted_rows"] == 1
    assert rows["loaded"]["run_id"] > rows["amounts"]["run_id"] > 0 and rows["top"]["run_id"] is None
    assert "error[" not in ended.stderr


def test_an_interrupted_run_says_how_far_it_came(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from c360gen.engines import duckdb, postgres

    session: type[Session] = duckdb.Session if shop.target == "duckdb" else postgres.Session
    run = session.run

    def interrupted(self: Session, node: Mapping[str, Any], script: str | None, as_of: str | None, refresh: bool) -> Run:
        if node["name"] == "loaded":
            raise KeyboardInterrupt
        return run(self, node, script, as_of, refresh)

    execute(shop.target, shop.database, "UPDATE raw.orders SET amount = '3'")
    monkeypatch.setattr(session, "run", interrupted)
    ended = shop("run")
    assert [line.split()[0] for line in ended.stdout.splitlines()] == ["node", "amounts"]
    assert "interrupted in loaded: what it had not committed is rolled back\n" in ended.stderr and ended.exit_code != 0


@pytest.mark.parametrize("shop", ["duckdb"], indirect=True)
def test_duckdb_hears_of_an_interruption(shop: Shop) -> None:
    """Inside of a statement it let Ctrl-C wait for its end, be that an hour."""
    execute(shop.target, shop.database, "ALTER TABLE raw.orders RENAME TO kept")
    endless = (
        "SELECT a.range AS id, '1' AS amount, now() AS moved_at FROM range(10000000) AS a, range(1000000) AS b WHERE a.range + b.range < 0"
    )
    execute(shop.target, shop.database, f"CREATE VIEW raw.orders AS {endless}")
    command = [sys.executable, "-m", "c360gen.cli.main", "run", "--target", "duckdb", "--database", shop.database]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hears_signals) as running:
        try:
            time.sleep(5)
            running.send_signal(signal.SIGINT)
            _, ended = running.communicate(timeout=30)
        finally:
            running.kill()  # the end of `with` waits for it
    assert running.returncode == 130 and "interrupted in amounts" in ended, ended


def hears_signals() -> None:
    """A shell lets what it runs in the background ignore Ctrl-C, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("shop", ["postgres"], indirect=True)
def test_where_the_server_is_gone_nothing_else_is_tried(shop: Shop) -> None:
    """Each node would fail with a message about a connection that is closed."""
    ends = "LANGUAGE sql AS 'SELECT pg_terminate_backend(pg_backend_pid())::text'"
    execute(shop.target, shop.database, f"ALTER TABLE raw.orders RENAME TO kept; CREATE FUNCTION raw.gone() RETURNS text {ends}")
    execute(shop.target, shop.database, "CREATE VIEW raw.orders AS SELECT id, raw.gone() AS amount, moved_at FROM raw.kept")
    ended = shop("run", "--keep-going", "--format", "json")
    rows = json.loads(ended.stdout)["runs"]
    assert ended.exit_code == 1 and [(r["node"], r["status"], r["because"]) for r in rows] == [
        ("amounts", "failed", []), ("loaded", "skipped", ["amounts"]), ("top", "skipped", ["amounts"]),
    ]  # fmt: skip
