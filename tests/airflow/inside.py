"""Runs inside of an Airflow's own Python, which has no c360gen: what its DagBag holds, and what happens when a DAG runs.

    python inside.py load FOLDER        every DAG as Airflow sees it
    python inside.py run FOLDER DAG     the state of every task after dag.test()

The answer is one line of JSON, the last of stdout.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import Any

import pendulum
from airflow.timetables.base import TimeRestriction

try:  # Airflow 3
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.encoders import coerce_to_core_timetable

    OPTIONS: dict[str, Any] = {}
except ImportError:  # Airflow 2
    from airflow.models.dagbag import DagBag

    OPTIONS = {"include_examples": False}

    def coerce_to_core_timetable(timetable: Any) -> Any:
        return timetable


def load(folder: str) -> dict[str, Any]:
    bag = DagBag(folder, **OPTIONS)
    return {"errors": bag.import_errors, "dags": {name: seen(dag) for name, dag in bag.dags.items()}}


def seen(dag: Any) -> dict[str, Any]:
    return {
        "doc_md": dag.doc_md, "tags": sorted(dag.tags), "catchup": dag.catchup, "max_active_runs": dag.max_active_runs,
        "paused": dag.is_paused_upon_creation, "starts": starts(dag), "tasks": {t.task_id: task(t) for t in dag.tasks},
    }  # fmt: skip


def starts(dag: Any, count: int = 300) -> list[str]:
    """When the scheduler would start it from the beginning of 2027 on, if it were to catch up."""
    timetable = coerce_to_core_timetable(dag.timetable)
    begin = pendulum.datetime(2027, 1, 1, tz="UTC")
    within = TimeRestriction(begin.subtract(days=14), None, True)  # Airflow 2 counts intervals: a start needs one before it
    found: list[str] = []
    last = None
    while len(found) < count:
        info = timetable.next_dagrun_info(last_automated_data_interval=last, restriction=within)
        last = info.data_interval
        if info.run_after >= begin:
            found.append(info.run_after.in_timezone("UTC").isoformat())
    return found


def task(found: Any) -> dict[str, Any]:
    """What an operator is given, before and after Airflow has rendered its templates."""
    fields = [f for f in ("sql", "configuration", "hook_params", "conn_id", "gcp_conn_id", "project_id", "location") if hasattr(found, f)]
    before = {f: getattr(found, f) for f in fields}
    copy = found.prepare_for_execution()
    copy.render_template_fields({"dag": "RENDERED", "macros": "RENDERED"})
    return {
        "before": before, "after": {f: getattr(copy, f) for f in fields}, "doc_md": found.doc_md, "retries": found.retries,
        "autocommit": getattr(found, "autocommit", None), "downstream": sorted(found.downstream_task_ids),
        "outlets": [o.uri for o in found.outlets], "rule": str(getattr(found.trigger_rule, "value", found.trigger_rule)),
    }  # fmt: skip


def run(folder: str, name: str) -> dict[str, Any]:
    done = DagBag(folder, **OPTIONS).dags[name].test(pendulum.now("UTC") if OPTIONS else dt.datetime.now(dt.UTC))
    return {t.task_id: str(getattr(t.state, "value", t.state)) for t in done.get_task_instances()}


if __name__ == "__main__":
    answer = load(sys.argv[2]) if sys.argv[1] == "load" else run(*sys.argv[2:])
    print("\n" + json.dumps(answer))
