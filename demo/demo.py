"""Three days of a shop on DuckDB: what changes in the sources, what the runs keep of it. `make demo` calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
DATABASE = HERE / "demo.duckdb"
DAYS = ("2026-03-02 00:00:00+00", "2026-03-03 00:00:00+00", "2026-03-04 00:00:00+00")
HISTORY = """
SELECT customer_id AS id, email, phone, strftime(valid_from AT TIME ZONE 'UTC', '%a %d %H:%M') AS valid_from,
       COALESCE(strftime(valid_to AT TIME ZONE 'UTC', '%a %d %H:%M'), 'now') AS valid_to
FROM snapshots.customer_snapshot WHERE customer_id IN (1, 2, 4) ORDER BY customer_id, customer_snapshot.valid_from
"""
ORDERS = """
SELECT order_id AS "order", status, strftime(valid_from AT TIME ZONE 'UTC', '%a %d %b %H:%M') AS valid_from,
       COALESCE(strftime(valid_to AT TIME ZONE 'UTC', '%a %d %H:%M'), 'now') AS valid_to
FROM snapshots.order_snapshot WHERE order_id IN (102, 104) ORDER BY order_id, order_snapshot.valid_from
"""
MART = """
SELECT customer_id AS id, full_name, lifetime_value AS value, average_order_value AS average, days_since_last_order AS days,
       refund_rate AS refunds, favourite_payment_method AS pays_by, last_channel, version_count AS versions, segment
FROM marts.mart_customer_360 ORDER BY customer_id
"""
AS_OF = "SELECT customer_id AS id, email FROM snapshots.customer_snapshot_as_of(TIMESTAMPTZ '2026-03-02 12:00:00+00') ORDER BY 1"


def main() -> None:
    DATABASE.unlink(missing_ok=True)
    step("Generate the SQL of every default target", "build")
    for number, as_of in enumerate(DAYS, 1):
        script = HERE / f"day{number}.sql"
        print(f"\n=== Day {number}. {script.read_text(encoding='utf-8').splitlines()[0].removeprefix('-- ')}")
        with duckdb.connect(str(DATABASE)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(script.read_text(encoding="utf-8"))
        if number == 1:
            step("Deploy", "deploy", "--target", "duckdb", "--database", str(DATABASE))
        step(f"Run every node as of {as_of}", "run", "--target", "duckdb", "--database", str(DATABASE), "--as-of", as_of)
    with duckdb.connect(str(DATABASE), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        show(connection, "The history of three customers: changed with and without a new timestamp, deleted and back", HISTORY)
        show(connection, "The history of two orders", ORDERS)
        show(connection, "Customers as they were on Monday at noon", AS_OF)
        show(connection, "The mart", MART)
    print(f"\nThe database is {DATABASE.relative_to(Path.cwd()) if DATABASE.is_relative_to(Path.cwd()) else DATABASE}.")


def step(title: str, *arguments: str) -> None:
    print(f"\n--- {title}\n$ c360gen {' '.join(a if ' ' not in a else repr(a) for a in arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "c360gen.cli.main", *arguments], check=True)


def show(connection: duckdb.DuckDBPyConnection, title: str, query: str) -> None:
    found = connection.execute(query)
    headers = [d[0] for d in found.description or ()]
    rows = [["" if v is None else str(v) for v in row] for row in found.fetchall()]
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    print(f"\n{title}")
    for row in (headers, *rows):
        print("  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
