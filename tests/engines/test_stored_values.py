"""What a column makes of a value when it stores it: nothing may differ from its own copy, and nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.pipeline import LoadedProject
from tests.conftest import ENGINES, TARGETS
from tests.worlds import World

SPECS = (
    TARGETS
    + """
sources:
  - name: raw
    schema: raw
    tables:
      - name: items
        columns: [{name: id, data_type: varchar(3)}, {name: note, data_type: varchar(3)}, {name: at, data_type: timestamp}]
      - name: days
        columns: [{name: id, data_type: bigint}, {name: day, data_type: date}, {name: share, data_type: double}]
snapshots:
  - name: history
    relation: source('raw', 'items')
    config: {schema: kept, unique_key: id, strategy: check, check_cols: [note], hard_deletes: invalidate}
models:
  - name: merged
    config: {schema: kept, materialized: incremental, unique_key: id}
    sql: &all select id, note, at from {{ source('raw', 'items') }}
  - name: replaced
    config: {schema: kept, materialized: incremental, incremental_strategy: delete+insert, unique_key: id}
    sql: *all
  - name: appended
    config: {schema: kept, materialized: incremental, incremental_strategy: append, cursor: at}
    sql: *all
  - name: windows
    config:
      {schema: kept, materialized: incremental, incremental_strategy: microbatch, event_time: at, batch_size: day, begin: 2026-01-01,
       lookback: 3}
    sql: *all
  - name: texts
    config: {schema: kept, materialized: incremental, unique_key: day}
    sql:
      duckdb: &texts select cast(day as text) as day, cast(share as text) as share from {{ source('raw', 'days') }}
      postgres: *texts
      snowflake: *texts
      bigquery: *texts
    columns: [{name: day, data_type: text}, {name: share, data_type: text}]
  - name: declared
    config: {schema: kept, materialized: table}
    sql: select id, note || '' as note from {{ source('raw', 'items') }}
    columns: [{name: note, data_type: varchar(2)}]
"""
)
NODES = ("history", "merged", "replaced", "appended")


@pytest.fixture
def made(tmp_path: Path, project: Callable[[Path], LoadedProject], world: Callable[[Path, str], World]) -> Callable[[str], World]:
    (tmp_path / "p.yml").write_text(SPECS, encoding="utf-8")
    return lambda engine: world(tmp_path, engine)


def run(found: World, nodes: tuple[str, ...], at: str) -> None:
    for node in nodes:
        assert found.run(node, at) == "", node


def written(found: World, at: str) -> list[tuple[object, ...]]:
    columns = "COALESCE(inserted_rows, 0) + COALESCE(updated_rows, 0) + COALESCE(deleted_rows, 0) + COALESCE(closed_rows, 0)"
    return found.rows(
        f"SELECT node, {columns} FROM c360_control.run_log WHERE status = 'succeeded' AND as_of = '{at}+00' AND {columns} > 0"
    )


def test_blanks_that_postgres_cuts(made: Callable[[str], World]) -> None:
    """A varchar(3) takes 'abc  ' and keeps 'abc', by the SQL standard; compared with all five it would change on every run."""
    found = made("postgres")
    found.sql("ALTER TABLE raw.items ALTER COLUMN id TYPE text, ALTER COLUMN note TYPE text")
    found.sql("INSERT INTO raw.items VALUES ('ab   ', 'abc  ', '2026-01-01 10:00:00'), ('b', 'b ', '2026-01-01 10:00:00')")
    run(found, NODES, "2026-01-02 00:00:00")
    assert found.rows("SELECT id, note FROM kept.history ORDER BY id") == [("ab ", "abc"), ("b", "b ")]
    run(found, NODES, "2026-01-03 00:00:00")
    assert written(found, "2026-01-03 00:00:00") == []


@pytest.mark.parametrize("engine", ["postgres", "snowflake"])
def test_a_text_that_is_too_long_is_cut_by_nobody(engine: str, made: Callable[[str], World]) -> None:
    found = made(engine)
    found.sql("INSERT INTO raw.items VALUES ('a', 'abc', '2026-01-01 10:00:00')")
    said = found.run("declared", "2026-01-02 00:00:00")
    if engine == "postgres":
        assert "too long" in said
        assert found.rows("SELECT * FROM kept.declared") == []
    else:  # the interpreter has no widths: what reaches the table is whole
        assert found.rows("SELECT note FROM kept.declared") == [("abc",)]


@pytest.mark.parametrize("engine", ["snowflake"])
def test_a_cursor_that_is_finer_than_a_watermark(engine: str, made: Callable[[str], World]) -> None:
    """Nine decimals are Snowflake's default: the row of the watermark itself would lie beyond it for ever."""
    found = made(engine)
    found.sql('ALTER TABLE raw.items ALTER COLUMN "at" TYPE TIMESTAMP_NS')
    found.sql("INSERT INTO raw.items VALUES ('a', 'x', '2026-01-01 10:00:00.1234564'), ('b', 'y', '2026-01-01 10:00:00.1234561')")
    run(found, ("appended",), "2026-01-02 00:00:00")
    run(found, ("appended",), "2026-01-03 00:00:00")
    assert found.rows("SELECT COUNT(*) FROM kept.appended") == [(2,)]


def test_duckdb_keeps_no_nanoseconds(made: Callable[[str], World]) -> None:
    found = made("duckdb")
    found.sql('ALTER TABLE raw.items ALTER COLUMN "at" TYPE TIMESTAMP_NS')
    said = found.run("appended", "2026-01-02 00:00:00")
    assert "ZC011" in said
    assert "at" in said


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.parametrize("time", ["infinity", "-infinity"])
def test_an_infinite_time_is_none(engine: str, time: str, made: Callable[[str], World]) -> None:
    """It would carry a watermark to the end of time, lie before every one, or fall into no window."""
    found = made(engine)
    found.sql(f"INSERT INTO raw.items VALUES ('a', 'x', '2026-01-01 10:00:00'), ('b', 'y', '{time}')")
    assert "ZC003" in found.run("windows", "2026-01-02 00:00:00")
    if time == "-infinity":  # the other one lies beyond every run, and is not read
        assert "ZC003" in found.run("appended", "2026-01-02 00:00:00")


def test_what_is_cast_to_text_is_the_same_in_every_session(made: Callable[[str], World], database: str) -> None:
    import psycopg

    found = made("postgres")
    found.sql("INSERT INTO raw.days VALUES (1, '2026-02-01', 0.1::double precision + 0.2)")
    run(found, ("texts",), "2026-02-02 00:00:00")
    with psycopg.connect(database, autocommit=True, options="-c datestyle=German -c extra_float_digits=-10") as somebody:
        somebody.execute("CALL c360_control.run_texts('2026-02-03 00:00:00+00')")
    assert found.rows("SELECT day, share FROM kept.texts") == [("2026-02-01", "0.30000000000000004")]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_in_the_future_says_nothing_of_its_window(engine: str, made: Callable[[str], World]) -> None:
    found = made(engine)
    found.sql("INSERT INTO raw.items VALUES ('a', 'x', '2026-01-01 10:00:00')")
    run(found, ("windows",), "2026-01-02 00:00:00")
    before = found.rows("SELECT window_start, status FROM c360_control.windows ORDER BY 1")
    assert "ZC005" in found.run("windows", "2199-01-01 00:00:00")
    assert found.rows("SELECT window_start, status FROM c360_control.windows ORDER BY 1") == before
