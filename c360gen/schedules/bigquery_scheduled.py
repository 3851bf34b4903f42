"""BigQuery scheduled queries: a transfer configuration that calls the schedule's procedure; created disabled."""

from __future__ import annotations

import json
import re
import shlex

from c360gen.ops.shell import Shell
from c360gen.schedules import UTC, CannotSay, ScheduleFile, Timed
from c360gen.terms import cron

DIALECTS, DEFAULT = ("bigquery",), True

SHORTEST = 15
"""Minutes between two starts of a scheduled query."""
_ELSEWHERE = "say schedulers: [airflow], or call the procedure from Cloud Scheduler"
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def plan(timed: Timed) -> ScheduleFile:
    schedule = timed.schedule
    if schedule.timezone not in UTC:
        message = f"BigQuery schedules in UTC only; {schedule.timezone} cannot be said"
        raise CannotSay(message, f"write the hours in UTC, or {_ELSEWHERE}", key="timezone")
    location, project = timed.target.location or "US", timed.target.database
    values = {
        "call": timed.call, "english": to_english(schedule.cron), "location": shlex.quote(location),
        "display_name": timed.display_name, "project_flag": project and shlex.quote(project),
        "parameters": json.dumps({"query": timed.call}).replace("'", "'\\''"),
    }  # fmt: skip
    path = f"schedules/scheduled_query_{schedule.name}.sql"
    return ScheduleFile(path, f"schedule {schedule.name} as a scheduled query", Shell("schedules/bigquery_scheduled.sql.j2", values))


def to_english(text: str) -> str:
    """`0 0 * * *` → `every day 00:00`, `0 */3 * * *` → `every 3 hours synchronized`. Raise CannotSay for the rest."""
    minute, hour, day, month, weekday = text.split()
    found = cron.fields(text)
    if (day, month, weekday) == ("*", "*", "*") and (interval := _interval(minute, hour)):
        return interval
    if len(found.minutes) > 1 or len(found.hours) > 1:
        raise CannotSay(f"BigQuery's schedules have one time of day, or equal intervals; {text} has others", _ELSEWHERE, key="cron")
    at = f"{min(found.hours):02}:{min(found.minutes):02}"
    months = "month" if month == "*" else ",".join(_MONTHS[n] for n in sorted(found.months))
    if day == "*":
        if (month, weekday) == ("*", "*"):
            return f"every day {at}"
        return f"every {','.join(_WEEKDAYS[n] for n in sorted(found.weekdays))}{'' if month == '*' else f' of {months}'} {at}"
    if weekday == "*":
        return f"{','.join(map(str, sorted(found.days)))} of {months} {at}"
    raise CannotSay(f"BigQuery's schedules have days of the month or weekdays; {text} has both", _ELSEWHERE, key="cron")


def _interval(minute: str, hour: str) -> str | None:
    """Equal steps through the day, from midnight on."""
    if hour == "*" and (found := re.fullmatch(r"\*(?:/(\d+))?", minute)):
        step = int(found[1] or 1)
        if step < SHORTEST:
            raise CannotSay(f"BigQuery starts a scheduled query every {SHORTEST} minutes at most", _ELSEWHERE, key="cron")
        return f"every {step} minutes synchronized" if 60 % step == 0 else None
    if minute == "0" and (found := re.fullmatch(r"\*(?:/(\d+))?", hour)):
        step = int(found[1] or 1)
        return f"every {step} hours synchronized" if 24 % step == 0 else None
    return None
