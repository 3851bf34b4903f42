"""A start at an hour that the clocks skip or repeat happens then never, later or twice, as each scheduler sees it."""

from __future__ import annotations

import calendar
from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted
from c360gen.terms import cron

CODE, TITLE, LEVEL = "L404", "a schedule at an hour that a change of the clocks skips or repeats", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for located in project.specs.schedules:
        schedule = located.spec
        found = list(cron.changes(schedule.cron, schedule.timezone))
        if not found:
            continue
        first = found[0].start
        said = [f"{'skips' if c.skipped else 'repeats'} in {calendar.month_name[c.month]}" for c in found if c.start == first]
        message = f"schedule {schedule.name} starts at {first:%H:%M}, an hour that {schedule.timezone} {' and '.join(said)}"
        yield Finding(message, located.span("cron"), "start at another hour, or write the hours in UTC")
