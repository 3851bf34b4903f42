"""Snowflake tasks: a graph with one task per node; created suspended."""

from __future__ import annotations

import re

from c360gen.ops.shell import Shell
from c360gen.schedules import ScheduleFile, Timed
from c360gen.terms.symbols import cut

DIALECTS, DEFAULT = ("snowflake",), True


def plan(timed: Timed) -> ScheduleFile:
    """A failing node stops only what depends on it; a task of a graph has no zone of its own but its root's."""
    schedule = timed.schedule

    def task(name: str) -> str:
        return f"{timed.control}.{cut(name)}"

    root = task(f"task_{schedule.name}")
    tasks = [
        {
            "name": task(f"task_{schedule.name}__{n.node}"), "call": n.call, "node": n.node,
            "after": ", ".join(task(f"task_{schedule.name}__{p}") for p in n.parents) or root,
        }
        for n in timed.nodes
    ]  # fmt: skip
    warehouse = timed.target.warehouse
    values = {
        "root": root, "tasks": tasks, "warehouse": f"WAREHOUSE = {_identifier(warehouse)}" if warehouse else None,
        "cron": f"USING CRON {schedule.cron} {schedule.timezone}", "schedule": schedule.name,
    }  # fmt: skip
    path = f"schedules/tasks_{schedule.name}.sql"
    return ScheduleFile(path, f"schedule {schedule.name} as a task graph", Shell("schedules/snowflake_tasks.sql.j2", values))


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name) else f'"{name}"'
