"""The DAG files in Airflow 2.11 and 3: loaded by a DagBag, and run by dag.test() against Postgres through its procedures."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from c360gen.pipeline import Build, LoadedProject, build, load_project
from c360gen.terms import cron
from tests.airflow.conftest import ROOT, Airflow
from tests.schedules.test_airflow import HERE, TARGETS, edges
from tests.worlds import Embedded, manifest_of

pytestmark = pytest.mark.airflow
DAY = (ROOT / "demo" / "day1.sql").read_text(encoding="utf-8")
ROWS = DAY[DAY.index("INSERT INTO") :]


def written(made: Build, at: Path) -> Path:
    """The DAG folder of a target, as it lies on disk."""
    for file in made.files:
        if file.path.startswith("schedules/airflow/"):
            (at / file.path).parent.mkdir(parents=True, exist_ok=True)
            (at / file.path).write_text(file.text, encoding="utf-8")
    return at / "schedules" / "airflow"


@pytest.mark.parametrize("target", TARGETS)
def test_dags_load(airflow: Airflow, target: str, tmp_path: Path) -> None:
    """No import error; tasks, edges and times are those of the manifest; no text has become a template."""
    project = load_project(HERE / "specs")
    made = build(project, target)
    manifest = manifest_of(made)
    answer = airflow("load", str(written(made, tmp_path)))
    assert answer["errors"] == {}
    assert set(answer["dags"]) == {f"shop__{target}__{s['name']}" for s in manifest["schedules"]}
    for schedule in project.resolved.schedules:
        dag = answer["dags"][f"shop__{target}__{schedule.spec.name}"]
        assert set(dag["tasks"]) == set(schedule.nodes)
        found = {(before, after) for before, task in dag["tasks"].items() for after in task["downstream"]}
        assert found == edges(manifest, list(schedule.nodes))
        assert (dag["catchup"], dag["max_active_runs"], dag["paused"]) == (False, 1, True)
        assert dag["tags"] == sorted({"c360gen", "shop", target})
        assert dag["doc_md"].startswith(schedule.spec.description.strip())
        wanted = sorted(cron.minutes(schedule.spec.cron, schedule.spec.timezone))
        assert [dt.datetime.fromisoformat(s) for s in dag["starts"]][: len(wanted)] == wanted[: len(dag["starts"])]
        for name, task in dag["tasks"].items():
            assert task["before"] == task["after"]
            assert (task["doc_md"] or "") == project.resolved.nodes[name].description.strip()
            assert (task["retries"], task["rule"]) == (0, "all_success")
            assert task["outlets"] == [f"x-c360gen://shop/{target}/{name}"]


class Shop:
    """The shipped project on Postgres, its DAGs in a folder, and a login that may run procedures and nothing else."""

    def __init__(self, airflow: Airflow, world: Embedded, dags: Path, database: str):
        self.airflow, self.world, self.dags = airflow, world, dags
        self.connection = database.replace("postgres:@", "airflow:@").replace("postgres@", "airflow@")

    def run(self, schedule: str) -> dict[str, str]:
        dag = f"customer_360__postgres__{schedule}"
        answer: dict[str, str] = self.airflow(
            "run", str(self.dags), dag, connection=self.connection.replace("postgresql://", "postgres://"), conn_id="customer_360_postgres"
        )
        return answer

    def runs(self) -> list[tuple[Any, ...]]:
        return self.world.rows("SELECT DISTINCT node, status, called_by FROM c360_control.run_log ORDER BY 1, 2")


@pytest.fixture
def shop(
    airflow: Airflow, database: str, project: Callable[[Path], LoadedProject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    made = build(project(ROOT / "specs"), "postgres")
    world = Embedded(made, database)
    world.deploy()
    world.sql("CREATE ROLE airflow LOGIN; GRANT c360_job TO airflow")
    world.sql(ROWS)
    yield Shop(airflow, world, written(made, tmp_path), database)
    world.sql("DROP OWNED BY airflow CASCADE; DROP ROLE airflow")
    world.close()


def test_snapshots_and_incrementals_run(shop: Shop) -> None:
    """As the scheduler runs them, as the role that may only run: rows, and runs again that write nothing."""
    assert shop.run("snapshots_daily") == dict.fromkeys(("customer_snapshot", "order_snapshot", "payment_snapshot"), "success")
    nodes = ("int_customer_orders", "int_interactions", "int_payments", "mart_customer_360")
    assert shop.run("incrementals") == dict.fromkeys(nodes, "success")
    rows = shop.world.rows
    assert rows("SELECT count(*), count(*) FILTER (WHERE valid_to IS NULL) FROM snapshots.customer_snapshot") == [(5, 5)]
    assert rows("SELECT count(*) FROM snapshots.order_snapshot") == [(6,)]
    assert rows("SELECT count(*) FROM snapshots.payment_snapshot") == [(5,)]
    mart = "SELECT customer_id, lifetime_value FROM marts.mart_customer_360 ORDER BY 1"
    before = rows(mart)
    assert [r[0] for r in before] == [1, 2, 3, 4, 5] and before[0][1] > 0

    shop.world.sql("UPDATE raw_data.customers SET email = 'ada@lovelace.example' WHERE customer_id = 1")
    shop.world.sql("DELETE FROM raw_data.customers WHERE customer_id = 4")
    assert set(shop.run("snapshots_daily").values()) == {"success"}
    versions = "SELECT email, valid_to IS NULL FROM snapshots.customer_snapshot WHERE customer_id IN (1, 4) ORDER BY lower(email)"
    assert rows(versions) == [
        ("Ada@example.com", False), ("ada@lovelace.example", True), ("hedy@example.com", False),
    ]  # fmt: skip
    assert set(shop.run("incrementals").values()) == {"success"}
    assert {(status, caller) for _, status, caller in shop.runs()} == {("succeeded", "airflow")}


def test_a_failing_node_stops_only_what_depends_on_it(shop: Shop) -> None:
    shop.run("snapshots_daily")
    shop.world.sql("ALTER TABLE raw_data.payments RENAME COLUMN amount TO amounts")
    assert shop.run("incrementals") == {
        "int_customer_orders": "success", "int_interactions": "success", "int_payments": "failed", "mart_customer_360": "upstream_failed",
    }  # fmt: skip
    failed = shop.world.rows("SELECT count(*) FROM c360_control.run_log WHERE status = 'failed'")
    assert failed == [(1,)], "no second attempt"
    shop.world.sql("ALTER TABLE raw_data.payments RENAME COLUMN amounts TO amount")
    assert set(shop.run("incrementals").values()) == {"success"}
    assert shop.world.rows("SELECT count(*) FROM marts.mart_customer_360") == [(5,)]


def test_a_guard_fails_its_task(shop: Shop) -> None:
    """A key twice in the source: the procedure refuses, Airflow shows it, and the history stays as it was."""
    shop.run("snapshots_daily")
    shop.world.sql("INSERT INTO raw_data.orders SELECT o.* FROM raw_data.orders AS o WHERE o.order_id = 101")
    shop.world.sql("UPDATE raw_data.orders SET status = 'lost', updated_at = now()")
    assert shop.run("snapshots_daily") == {"customer_snapshot": "success", "order_snapshot": "failed", "payment_snapshot": "success"}
    assert shop.world.rows("SELECT count(*) FROM snapshots.order_snapshot") == [(6,)]
    (log,) = shop.world.rows("SELECT sqlstate FROM c360_control.run_log WHERE status = 'failed'")
    assert log == ("ZC001",)
