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
    """A world whose sessions are in a zone."""
    engine = request.param
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
