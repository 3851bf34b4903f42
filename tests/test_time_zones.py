"""The time zone of a session decides nothing: the same days in three zones, two of them with a fold at that hour (S37)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from c360gen.pipeline import build, load_project
from tests.conftest import ENGINES
from tests.warehouse.warehouse import Warehouse
from tests.worlds import NOW, Embedded, Interpreted, World, source_tables

SPECS = """
version: 2
targets:
  duckdb: {dialect: duckdb}
  postgres: {dialect: postgres}
  snowflake: {dialect: snowflake, database: C360}
  bigquery: {dialect: bigquery, database: acme-analytics}
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


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_zone_of_a_session(engine: str, zone: str, specs: Path, request: pytest.FixtureRequest) -> None:
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
    instant = "TIMESTAMP " if engine == "snowflake" else "TIMESTAMPTZ "
    for statement, at in DAYS:
        found.sql(statement.format(tz=instant, z="" if engine == "snowflake" else "+00"))
        for node in EXPECTED:
            if isinstance(found, Embedded):
                found.sql(f"SET TimeZone = '{zone}'")
            assert found.run(node, at) == ""
    for node, rows in EXPECTED.items():
        assert kept(found, node) == rows


def kept(found: World, node: str) -> list[tuple[Any, ...]]:
    from tests.worlds import plain

    rows = found.rows(f"SELECT id, v, valid_from, valid_to FROM snap.{node} ORDER BY id, valid_from")
    return [(int(i), v, plain(a), plain(b)) for i, v, a, b in rows]


