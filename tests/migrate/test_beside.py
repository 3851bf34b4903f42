"""Views of rows beside a snapshot: their columns are told, and a migration carries them out where an engine cannot replace them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.migrate.changes import ROWS, snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop, findings, own

ENGINES = ("duckdb", "postgres")
PEOPLE = """models:
  - name: people
    config: {materialized: incremental, incremental_strategy: merge, unique_key: id, cursor: updated_at}
    sql: select id, email, updated_at from {{ source('raw', 'customers') }}
"""
READER = "  - name: seen\n    sql: select id from {{ ref('people') }}\n"
SHOWN = "SELECT column_name FROM information_schema.columns WHERE table_name = 'people_point_in_time' ORDER BY ordinal_position"
OWN = ["id", "email", "updated_at"]


def beside(columns: str) -> str:
    return f"{PEOPLE}    point_in_time: [{{snapshot: ref('history'), at: updated_at, columns: [{columns}], prefix: c_}}]\n" + READER


def shown(shop: Evolving) -> list[str]:
    return [name for (name,) in shop.rows(SHOWN)]


@pytest.mark.parametrize("engine", ENGINES)
def test_other_columns(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Postgres replaces no view that would lose a column: deploy.sql failed, and no migration could be written."""
    shop = evolving(engine)
    shop.begin(source() + snapshot() + beside("email, city"))
    shop.sql(ROWS[0])
    for node in ("history", "people"):
        shop.run(node, "2026-01-02 00:00:00")
    shop.write(source() + snapshot() + beside("city, score"))
    said = shop.cli("plan")
    assert "- mart.people_point_in_time.c_email: column of a view removed" in said and "its readers fail" in said
    assert "+ mart.people_point_in_time.c_score: column of a view: integer" in said
    assert "error[C605]" in shop.cli("check", fails=1)
    shop.cli("migrate", "--name", "others")
    if engine == "postgres":
        assert "DROP VIEW IF EXISTS mart.seen" not in shop.migration(), "whoever reads the model alone does not mind"
    shop.deploy()
    assert shown(shop) == [*OWN, "c_city", "c_score"]
    shop.execute(shop.migration("rollback.sql"))
    assert shown(shop) == [*OWN, "c_email", "c_city"]
    shop.deploy()
    shop.write(source() + snapshot() + beside("score, city"))
    assert "~ mart.people_point_in_time: columns in another order" in shop.cli("plan")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_view_that_goes_and_comes(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Left behind, it would be nobody's, and on Postgres keep the snapshot from ever changing."""
    shop = evolving(engine)
    shop.begin(source() + snapshot() + beside("email, city"))
    shop.write(source() + snapshot() + PEOPLE + READER)
    assert "- mart.people_point_in_time: view dropped: no point_in_time is said any more" in shop.cli("plan")
    shop.cli("migrate", "--name", "gone")
    shop.deploy()
    assert shown(shop) == []
    shop.execute(shop.migration("rollback.sql"))
    assert shown(shop) == [*OWN, "c_email", "c_city"]
    shop.deploy()
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN city TYPE VARCHAR")
    shop.evolve(source(city="text") + snapshot() + PEOPLE + READER, "text")
    shop.write(source(city="text") + snapshot() + beside("city"))
    assert "+ mart.people_point_in_time: view" in shop.cli("plan")
    shop.cli("migrate", "--name", "comes")
    shop.deploy()
    shop.execute(shop.migration("rollback.sql"))
    assert shown(shop) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_type_of_the_snapshot_is_told_of_the_view(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + snapshot() + beside("score"))
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE BIGINT")
    shop.write(source(score="bigint") + snapshot() + beside("score"))
    assert "~ mart.people_point_in_time.c_score: type changed from integer to bigint" in shop.cli("plan")
    shop.cli("migrate", "--name", "wide")
    shop.deploy()
    shop.execute(shop.migration("rollback.sql"))
    assert shown(shop) == [*OWN, "c_score"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_of_an_older_version_does_not_know_them(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + snapshot() + beside("email"))
    at = shop.root / "released.json"
    found = json.loads(at.read_text(encoding="utf-8"))
    del found["nodes"]["people"]["shown_beside"]
    at.write_text(json.dumps(found), encoding="utf-8")
    shop.cli("check")
    shop.sql("ALTER TABLE raw.customers ADD COLUMN phone VARCHAR")
    shop.evolve(source(phone="text") + snapshot(columns="      - {name: phone, history: empty}\n") + beside("phone"), "phone")
    assert shown(shop) == [*OWN, "c_phone"]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_view_that_goes_on_a_warehouse(engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    shop.migrate(source() + snapshot() + beside("email"), "baseline")
    world = shop.world()
    world.deploy()
    shop.migrate(source() + snapshot() + PEOPLE + READER, "gone")
    text = own(shop.file("apply.sql"))
    assert findings(engine, text) == []
    world.warehouse.migrate(text)
    assert world.rows("SELECT count(*) FROM information_schema.tables WHERE table_name = 'people_point_in_time'") == [(0,)]
