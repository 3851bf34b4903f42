"""A node that runs before its inputs shows what they were."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.inputs import Inputs
from c360gen.lint.project import Finding, Linted
from c360gen.terms import cron

CODE, TITLE, LEVEL = "L401", "a schedule that runs a node before its inputs", "warning"


def check(project: Linted) -> Iterator[Finding]:
    schedules = {located.spec.name: located for located in project.specs.schedules}
    runs = {s.spec.name: s for s in project.resolved.schedules}
    inputs = Inputs(project.resolved)
    for name, schedule in runs.items():
        chosen = set(schedule.nodes)
        outside: dict[str, list[str]] = {}
        for node in schedule.nodes:
            for parent in inputs.of(node) - chosen:
                outside.setdefault(parent, []).append(node)
        for parent in sorted(outside):
            elsewhere = [o for o in runs.values() if parent in o.nodes]
            reader = sorted(outside[parent])[0]
            if not elsewhere:
                message = f"schedule {name} runs {reader}, which reads {parent}; no schedule runs that"
                yield Finding(message, schedules[name].span("select"), f"select +{reader}, or give {parent} a schedule of its own")
            elif all(cron.together(schedule.spec, o.spec) for o in elsewhere):
                other = elsewhere[0].spec.name
                message = f"schedule {name} starts {reader} at the minute at which {other} starts its input {parent}"
                help = f"run both in one schedule (select +{reader}), or start {name} when {other} has ended"
                yield Finding(message, schedules[name].span("cron"), help)
