"""Data tests of a table with many failing rows: the database counts them, and a few are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from c360gen import engines
from c360gen.pipeline import load_project, names_of
from c360gen.testing import data_tests
from tests.conftest import new_database

SPECS = """
sources:
  - name: raw
    schema: raw
    tables:
      - name: things
        columns:
          - {name: id, data_type: bigint, data_tests: [unique, not_null]}
          - {name: kind, data_type: text, data_tests: [accepted_values: {values: [a]}]}
          - {name: amount, data_type: bigint, data_tests: [expression_is_true: {expression: ">= 0"}]}
          - {name: parent, data_type: bigint, data_tests: [relationships: {to: "source('raw', 'parents')", field: id}]}
      - name: parents
        columns: [{name: id, data_type: bigint}]
models:
  - name: whole
    config: {materialized: ephemeral}
    sql: select id, amount from {{ source('raw', 'things') }}
    data_tests: [expression_is_true: {expression: "amount >= 0"}]
  - {name: reads, sql: "select id from {{ ref('whole') }}"}
"""
FILL = (
    "CREATE SCHEMA raw",
    "CREATE TABLE raw.things (id BIGINT, kind TEXT, amount BIGINT, parent BIGINT)",
    "CREATE TABLE raw.parents (id BIGINT)",
)
ROWS = "INSERT INTO raw.things SELECT CASE WHEN g > 990 THEN NULL ELSE (g - g % 2) / 2 END, CAST(g AS TEXT), -g, g FROM {} AS r(g)"


@pytest.fixture(params=["duckdb", "postgres"])
def session(request: pytest.FixtureRequest) -> Iterator[tuple[str, engines.Session]]:
    database = ":memory:" if request.param == "duckdb" else new_database(request.getfixturevalue("server"), "data_tests")
    found = engines.connect(request.param, database, "c360_control")
    yield request.param, found
    found.close()


def test_failing_rows_are_counted_there_and_a_few_are_read(
    session: tuple[str, engines.Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, connection = session
    (tmp_path / "p.yml").write_text(SPECS, encoding="utf-8")
    names = names_of(load_project(tmp_path), engine)
    for statement in FILL:
        connection.execute(statement)
    everything = {"source:raw.things", "ref:whole"}
    assert {(r.status, r.message, r.detail) for r in data_tests.run(names, connection, everything)} == {("ok", "", "")}
    connection.execute(ROWS.format("range(1, 1001)" if engine == "duckdb" else "generate_series(1, 1000)"))
    read: list[int] = []
    ask = connection.query

    def counted(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        columns, rows = ask(sql)
        read.append(len(rows))
        return columns, rows

    monkeypatch.setattr(connection, "query", counted)
    found = {r.message: r.detail for r in data_tests.run(names, connection, everything)}
    assert list(found) == [
        "988 rows of raw.things fail: unique raw.things.id",
        "10 rows of raw.things fail: not_null raw.things.id",
        "1000 rows of raw.things fail: accepted_values raw.things.kind",
        "1000 rows of raw.things fail: expression_is_true raw.things.amount",
        "1000 rows of raw.things fail: relationships raw.things.parent",
        "1000 rows of whole fail: expression_is_true whole",
    ]
    unique, missing, kinds, amounts, *_ = found.values()
    assert [line.split() for line in unique.splitlines()[:3]] == [["id", "failures"], ["1", "2"], ["2", "2"]], "the same each time"
    assert (
        unique.endswith("\n  … and 489 more") and missing == "" and len(kinds.splitlines()) == 7 and amounts.endswith("\n  … and 995 more")
    )
    assert max(read) == data_tests.SAMPLE
