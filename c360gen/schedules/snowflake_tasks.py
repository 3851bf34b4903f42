"""Snowflake tasks: a graph with one task per node; created suspended."""

from __future__ import annotations

import re
from collections import Counter

from c360gen.ops.shell import Shell
from c360gen.schedules import CannotSay, ScheduleFile, Timed
from c360gen.terms import cron
from c360gen.terms.symbols import cut

DIALECTS, DEFAULT = ("snowflake",), True

MOST_TASKS, MOST_EDGES = 1000, 100
"""Of a graph with its root; of one task, to either side."""


def plan(timed: Timed) -> ScheduleFile:
    """A failing node stops only what depends on it; a task of a graph has no zone of its own but its root's."""
    schedule = timed.schedule
    _check(timed)

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
    warehouse, owner = timed.target.warehouse, timed.target.owner
    values = {
        "owner": _identifier(owner) if owner else None,
        "root": root, "tasks": tasks, "warehouse": f"WAREHOUSE = {_identifier(warehouse)}" if warehouse else None,
        "cron": f"USING CRON {_from_sunday(schedule.cron)} {schedule.timezone}", "schedule": schedule.name,
        "failures": f"{timed.control}.run_status",
    }  # fmt: skip
    path = f"schedules/tasks_{schedule.name}.sql"
    return ScheduleFile(path, f"schedule {schedule.name} as a task graph", Shell("schedules/snowflake_tasks.sql.j2", values))


def _check(timed: Timed) -> None:
    help = "split the schedule, or say schedulers: [airflow]"
    if len(timed.nodes) >= MOST_TASKS:
        raise CannotSay(f"a task graph of Snowflake has {MOST_TASKS} tasks at most; this one would have {len(timed.nodes) + 1}", help)
    after = Counter(p for n in timed.nodes for p in n.parents or ("the root",))
    for node, count, side in [*((n.node, len(n.parents), "before") for n in timed.nodes), *((n, c, "after") for n, c in after.items())]:
        if count > MOST_EDGES:
            raise CannotSay(f"a task of Snowflake has {MOST_EDGES} others directly {side} it at most; {node} would have {count}", help)
    if cron.starred_days(timed.schedule.cron):
        message = f"Snowflake does not say whether {timed.schedule.cron} means both or either of day and weekday"
        raise CannotSay(message, "write the days out, such as 1,3,5 in place of */2", key="cron")


def _from_sunday(text: str) -> str:
    """Snowflake counts weekdays from 0 to 6: `0 0 * * 5-7` → `0 0 * * 0,5,6`."""
    *others, weekday = text.split()
    if re.search(r"(?<!/)\b7\b", weekday):
        weekday = ",".join(map(str, sorted(cron.fields(text).weekdays)))
    return " ".join([*others, weekday])


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$]*", name) else f'"{name}"'
