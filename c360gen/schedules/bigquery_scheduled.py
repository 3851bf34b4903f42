"""BigQuery scheduled queries: a transfer configuration that calls the schedule's procedure; created disabled."""

from __future__ import annotations

import json
import re

from c360gen.ops.shell import Shell
from c360gen.schedules import UTC, CannotSay, ScheduleFile, Timed

DIALECTS, DEFAULT = ("bigquery",), True


def plan(timed: Timed) -> ScheduleFile:
    schedule = timed.schedule
    if schedule.timezone not in UTC:
        message = f"BigQuery schedules in UTC only; {schedule.timezone} cannot be said (Cloud Scheduler could)"
        raise CannotSay(message, "write the hours in UTC, or say schedulers: [airflow], which has zones", key="timezone")
    english = to_english(schedule.cron)
    values = {
        "call": timed.call, "english": english, "location": timed.target.location or "US",
        "display_name": f"{timed.project} {schedule.name}", "project_flag": timed.target.database,
        "parameters": json.dumps({"query": timed.call}).replace("'", "'\\''"),
    }  # fmt: skip
    path = f"schedules/scheduled_query_{schedule.name}.sql"
    return ScheduleFile(path, f"schedule {schedule.name} as a scheduled query", Shell("schedules/bigquery_scheduled.sql.j2", values))


def to_english(cron: str) -> str:
    """`0 0 * * *` → `every day 00:00`, `0 */3 * * *` → `every 3 hours synchronized`. Raise CannotSay for the rest."""
    minute, hour, day, month, weekday = cron.split()
    if re.fullmatch(r"\d+", minute) and re.fullmatch(r"\d+", hour):
        at = f"{int(hour):02}:{int(minute):02}"
        if (day, month, weekday) == ("*", "*", "*"):
            return f"every day {at}"
        if (day, month) == ("*", "*") and re.fullmatch(r"[0-7](,[0-7])*", weekday):
            names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
            return f"every {','.join(dict.fromkeys(names[int(d)] for d in weekday.split(',')))} {at}"
        if (month, weekday) == ("*", "*") and re.fullmatch(r"\d+(,\d+)*", day):
            return f"{day} of month {at}"
    found = re.fullmatch(r"\*/(\d+)", hour)
    if minute == "0" and found and 24 % int(found[1]) == 0 and (day, month, weekday) == ("*", "*", "*"):
        return f"every {found[1]} hours synchronized"
    if (minute, hour, day, month, weekday) == ("0", "*", "*", "*", "*"):
        return "every 1 hours synchronized"
    raise CannotSay(f"BigQuery's schedule grammar has no words for the cron expression {cron} (Cloud Scheduler has)")
