"""A dbt project through real dbt, and imported: the same artifacts, and after each of three days the same tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
from tests.importers import trim

DAYS = (  # no later event: the clock of both is today's, by which these windows are final
    """
    CREATE SCHEMA raw_data;
    CREATE TABLE raw_data.customers (
        customer_id BIGINT, first_name VARCHAR, last_name VARCHAR, email VARCHAR, country VARCHAR, updated_at TIMESTAMPTZ);
    CREATE TABLE raw_data.orders (order_id BIGINT, customer_id BIGINT, status VARCHAR, ordered_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
    CREATE TABLE raw_data.lines (order_id BIGINT, line INTEGER, price_cents BIGINT);
    CREATE TABLE raw_data.events (event_id BIGINT, customer_id BIGINT, kind VARCHAR, seen_at TIMESTAMPTZ);
    INSERT INTO raw_data.customers VALUES
        (1, 'Ada', 'Byron', 'Ada@example.com', 'DE', '2026-01-01 10:00+00'),
        (2, 'Bo', 'Lee', 'bo@example.com', 'NA', '2026-01-02 10:00+00');
    INSERT INTO raw_data.orders VALUES
        (10, 1, 'placed', '2026-01-02 11:00+00', '2026-01-02 11:00+00'), (11, 2, 'shipped', '2026-01-02 12:00+00', '2026-01-02 13:00+00');
    INSERT INTO raw_data.lines VALUES (10, 1, 60000), (10, 2, 1050), (11, 1, 999);
    INSERT INTO raw_data.events VALUES (1, 1, 'click', '2026-01-01 10:00+00'), (2, 2, 'click', '2026-01-02 10:00+00');
    """,
    """
    UPDATE raw_data.customers SET email = 'ada@example.org', updated_at = '2026-01-03 10:00+00' WHERE customer_id = 1;
    UPDATE raw_data.orders SET status = 'shipped', updated_at = '2026-01-03 11:00+00' WHERE order_id = 10;
    INSERT INTO raw_data.customers VALUES (3, 'Cy', 'Young', 'cy@example.com', NULL, '2026-01-03 12:00+00');
    """,
    """
    DELETE FROM raw_data.customers WHERE customer_id = 2;
    DELETE FROM raw_data.orders WHERE order_id = 11;
    INSERT INTO raw_data.orders VALUES (12, 3, 'placed', '2026-01-04 09:00+00', '2026-01-04 09:00+00');
    INSERT INTO raw_data.lines VALUES (12, 1, 70000);
    """,
)
TABLES = {
    "analytics_marts.dim_customers": "*", "analytics_marts.fct_orders": "*", "analytics_marts.fct_events": "*",
    "analytics_staging.stg_customers": "*", "analytics_staging.stg_orders": "*", "analytics_reference.countries": "*",
    # Both run at times of their own: what they date by a run is compared by whether it ended.
    "analytics_history.customer_snapshot": "customer_id, email, updated_at, dbt_valid_from, dbt_valid_to IS NULL",
    "analytics_history.country_snapshot": "code, name, to_ts = TIMESTAMPTZ '9999-12-31 00:00:00+00', dbt_is_deleted",
    "legacy.order_snapshot": "order_id, status, dbt_valid_to IS NULL",
}  # fmt: skip


def dbt(project: Path, *arguments: str) -> None:
    own = {"DBT_PROFILES_DIR": str(project), "SHOP_DATABASE": str(project / "shop.duckdb"), "DO_NOT_TRACK": "1", "TZ": "UTC"}
    command = [str(Path(sys.executable).parent / "dbt"), "--no-use-colors", "--no-send-anonymous-usage-stats", *arguments]
    ended = subprocess.run(command, cwd=project, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout


def c360gen(*arguments: str) -> None:
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


def rows(database: Path, table: str, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)


def test_what_dbt_says_of_the_project_is_what_is_committed(tmp_path: Path) -> None:
    project = shop(tmp_path)
    load(project / "shop.duckdb", DAYS[0])
    days(project, 1)
    dbt(project, "compile")
    dbt(project, "docs", "generate")
    for name, trimmed in (("manifest", trim.manifest), ("catalog", trim.catalog)):
        there = (project / "target" / f"{name}.json").read_text(encoding="utf-8")
        assert trimmed(there) == (trim.SHOP / "target" / f"{name}.json").read_text(encoding="utf-8"), "python -m tests.importers.trim"


def test_three_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, ours = shop(tmp_path), tmp_path / "ours"
    c360gen("import", "dbt", str(ours), "--project", str(trim.SHOP))
    monkeypatch.chdir(ours)
    c360gen("build")
    for day, change in enumerate(DAYS, 1):
        load(project / "shop.duckdb", change)
        load(ours / "shop.duckdb", change)
        days(project, day)
        if day == 1:
            c360gen("deploy", "--target", "duckdb", "--database", "shop.duckdb")
        c360gen("run", "--target", "duckdb", "--database", "shop.duckdb")
        for table, columns in TABLES.items():
            assert rows(ours / "shop.duckdb", table, columns) == rows(project / "shop.duckdb", table, columns), (day, table)


def shop(folder: Path) -> Path:
    shutil.copytree(trim.SHOP, folder / "dbt", ignore=shutil.ignore_patterns("target"))
    return folder / "dbt"


def load(database: Path, change: str) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(change)


def days(project: Path, day: int) -> None:
    """One run of everything, its windows being those of the invented days."""
    dbt(project, "build", "--event-time-start", "2026-01-01", "--event-time-end", f"2026-01-0{day + 2}")
