"""The time zone of a session decides nothing: the same days in three zones, two of them with a fold at that hour (S37)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from c360gen.pipeline import build, load_project
from tests.conftest import ENGINES, TARGETS
from tests.warehouse.warehouse import Warehouse
from tests.worlds import NOW, Embedded, Interpreted, World, plain, source_tables

SPECS = (
    TARGETS
    + """
sources:
  - name: raw
    tables:
      - name: t
        columns:
          - {name: id, data_type: bigint}
          - {name: v, data_type: text}
          - {name: d, data_type: date}
          - {name: ts, data_type: timestamp}
          - {name: tz, data_type: timestamptz}
snapshots:
  - {name: by_date, relation: "source('raw', 't')", config: {updated_at: d, CONFIG}}
  - {name: by_clock, relation: "source('raw', 't')", config: {updated_at: ts, CONFIG}}
  - {name: by_instant, relation: "source('raw', 't')", config: {updated_at: tz, CONFIG}}
""".replace("CONFIG", "schema: snap, unique_key: id, strategy: timestamp, hard_deletes: invalidate")
    + """
models:
  - name: windows
    config:
      {materialized: incremental, incremental_strategy: microbatch, unique_key: id, event_time: tz, batch_size: day, begin: 2026-10-24,
       schema: int}
    sql: select id, v, tz from {{ source('raw', 't') }}
"""
)
DAYS = (
    ("INSERT INTO raw.t VALUES (1, 'a', DATE '2026-10-24', TIMESTAMP '2026-10-24 23:30:00', {tz}'2026-10-24 23:30:00{z}'), "
     "(2, 'x', DATE '2026-10-24', TIMESTAMP '2026-10-24 23:30:00', {tz}'2026-10-24 23:30:00{z}')", "2026-10-25 00:30:00"),
    ("UPDATE raw.t SET v = 'b', d = DATE '2026-10-25', ts = TIMESTAMP '2026-10-25 01:30:00', "
     "tz = {tz}'2026-10-25 01:30:00{z}' WHERE id = 1", "2026-10-25 02:15:00"),
    ("DELETE FROM raw.t WHERE id = 2", "2026-10-25 05:45:00"),
)  # fmt: skip
DAY_ONE, DAY_TWO = "2026-10-24 00:00:00", "2026-10-25 00:00:00"
FIRST, CHANGED, GONE = "2026-10-24 23:30:00", "2026-10-25 01:30:00", "2026-10-25 05:45:00"
EXPECTED = {
    "by_date": [(1, "a", DAY_ONE, DAY_TWO), (1, "b", DAY_TWO, None), (2, "x", DAY_ONE, GONE)],
    "by_clock": [(1, "a", FIRST, CHANGED), (1, "b", CHANGED, None), (2, "x", FIRST, GONE)],
    "by_instant": [(1, "a", FIRST, CHANGED), (1, "b", CHANGED, None), (2, "x", FIRST, GONE)],
}


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zones")
    (folder / "p.yml").write_text(SPECS, encoding="utf-8")
    return folder


@pytest.fixture(params=["UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=ENGINES)
def found(zone: str, specs: Path, request: pytest.FixtureRequest) -> World:
    return world_in(zone, specs, request.param, request)


def world_in(zone: str, specs: Path, engine: str, request: pytest.FixtureRequest) -> World:
    """A world whose sessions are in a zone."""
    made = build(load_project(specs), engine)
    found: World
    if engine in ("duckdb", "postgres"):
        found = Embedded(made, ":memory:" if engine == "duckdb" else request.getfixturevalue("database"))
    else:
        found = Interpreted(made)
        found.warehouse = Warehouse(engine, found.manifest["database"], zone)
        found.warehouse.clock = NOW
        for statement in source_tables(found.manifest, "TIMESTAMPTZ" if engine == "bigquery" else "TIMESTAMP"):
            found.warehouse.execute(statement)
    if isinstance(found, Embedded):
        found.sql(f"SET TimeZone = '{zone}'")
    found.deploy()
    return found


def happens(found: World, zone: str, statement: str, at: str, nodes: Iterable[str]) -> None:
    snowflake = isinstance(found, Interpreted) and found.warehouse.dialect == "snowflake"
    found.sql(statement.format(tz="TIMESTAMP " if snowflake else "TIMESTAMPTZ ", z="" if snowflake else "+00"))
    for node in nodes:
        if isinstance(found, Embedded):
            found.sql(f"SET TimeZone = '{zone}'")
        assert found.run(node, at) == ""


def test_the_zone_of_a_session(found: World, zone: str) -> None:
    for statement, at in DAYS:
        happens(found, zone, statement, at, EXPECTED)
    for node, rows in EXPECTED.items():
        assert kept(found, node) == rows


def test_windows_begin_at_midnight_in_utc(found: World, zone: str) -> None:
    """The clocks go back between these days, so that a day of some zone has 25 hours; the last of these runs loads everything anew."""
    for statement, at in DAYS:
        happens(found, zone, statement, at, ["windows"])
    assert windows(found) == ["2026-10-24 00:00:00", "2026-10-25 00:00:00"]
    assert found.run("windows", "2026-10-26 23:30:00", full_refresh=True) == ""
    assert windows(found) == ["2026-10-24 00:00:00", "2026-10-25 00:00:00", "2026-10-26 00:00:00"]


def windows(found: World) -> list[str]:
    rows = found.rows("SELECT window_start FROM c360_control.windows WHERE loaded_as_of IS NOT NULL")
    return sorted(str(plain(at)) for (at,) in rows)


def kept(found: World, node: str) -> list[tuple[Any, ...]]:
    rows = found.rows(f"SELECT id, v, valid_from, valid_to FROM snap.{node} ORDER BY id, valid_from")
    return [(int(i), v, plain(a), plain(b)) for i, v, a, b in rows]


READ = {
    "tz + interval '1 day'": ("timestamptz", "2026-03-29 23:30:00"),
    "tz - interval '1 month' + interval '2 day'": ("timestamptz", "2026-03-02 23:30:00"),
    "cast(tz + interval '1 day' as date)": ("date", "2026-03-29"),
    "cast(ts + interval '1 hour' as timestamptz)": ("timestamptz", "2026-03-29 02:30:00"),
    "case when id = 1 then ts else tz end": ("timestamptz", "2026-03-29 01:30:00"),
    "case id when 1 then d when 2 then ts else tz end": ("timestamptz", "2026-03-29 00:00:00"),
    "coalesce(d, tz)": ("timestamptz", "2026-03-29 00:00:00"),
    "coalesce(nullif(tz, tz), '2026-03-29 02:30:00')": ("timestamptz", "2026-03-29 02:30:00"),
    "nullif(tz, ts - interval '2 hour')": ("timestamptz", None),
    "lag(tz, 1, ts) over (order by id)": ("timestamptz", "2026-03-29 01:30:00"),
    "min(case when id = 1 then d else tz end) over ()": ("timestamptz", "2026-03-29 00:00:00"),
    "timestamptz '2026-03-29 02:30:00'": ("timestamptz", "2026-03-29 02:30:00"),
    "tz < d": ("boolean", True),
    "tz < d - interval '15 minute'": ("boolean", True),
    "tz between ts - interval '1 day' and d": ("boolean", True),
    "case tz when ts - interval '2 hour' then 'same' end": ("text", "same"),
    "date_trunc('month', d)": ("timestamp", "2026-03-01 00:00:00"),
    "date_trunc('month', d) < tz": ("boolean", True),
}
"""Expressions of a row: the wall clock is an hour and a half behind midnight in UTC, the instant half an hour before it."""
VIEW = (
    TARGETS
    + """
sources:
  - name: raw
    tables:
      - name: t
        columns:
          - {name: id, data_type: bigint}
          - {name: d, data_type: date}
          - {name: ts, data_type: timestamp}
          - {name: tz, data_type: timestamptz}
models:
  - name: seen
    config: {schema: mart}
    sql: |
      select SAID from {{ source('raw', 't') }}
  - name: both
    config: {schema: mart}
    sql: |
      select tz as x, cast(tz as date) as day from {{ source('raw', 't') }}
      union all
      select ts, cast(ts as date) from {{ source('raw', 't') }}
      union all
      select d, d from {{ source('raw', 't') }}
  - name: computed
    config: {schema: mart}
    sql: |
      with moved as (select tz + interval '1 day' as later, ts - interval '2 hour' as wall from {{ source('raw', 't') }})
      select later, wall from moved
  - name: over_it
    config: {schema: mart}
    sql: |
      select cast(later as date) as day, later - interval '1 day' = wall as same from {{ ref('computed') }}
""".replace("SAID", ", ".join(f"{said} as c{number}" for number, said in enumerate(READ)))
)


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_view_says_the_same_to_every_reader(engine: str, zone: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Clocks change in Europe between the instant and the days that are added to it."""
    (tmp_path / "p.yml").write_text(VIEW, encoding="utf-8")
    found = world_in(zone, tmp_path, engine, request)
    found.sql("INSERT INTO raw.t VALUES (1, DATE '2026-03-29', TIMESTAMP '2026-03-29 01:30:00', TIMESTAMPTZ '2026-03-28 23:30:00+00')")
    (values,) = found.rows("SELECT * FROM mart.seen")
    assert [said_as(kind, value) for value, (kind, _) in zip(values, READ.values(), strict=True)] == [v for _, v in READ.values()]
    assert sorted(str(plain(x)) for (x,) in found.rows("SELECT x FROM mart.both")) == [
        "2026-03-28 23:30:00", "2026-03-29 00:00:00", "2026-03-29 01:30:00",
    ]  # fmt: skip
    assert [(str(day), same) for day, same in found.rows("SELECT day, same FROM mart.over_it")] == [("2026-03-29", True)]


def said_as(kind: str, value: Any) -> Any:
    """Of a date one engine makes a date, others a wall clock, where it is truncated."""
    value = plain(value)
    return f"{value} 00:00:00" if kind == "timestamp" and len(value) == 10 else value
