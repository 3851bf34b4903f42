"""pg_cron: a named job that calls the schedule's procedure; created inactive."""

from __future__ import annotations

from c360gen.ops.shell import Shell
from c360gen.schedules import UTC, CannotSay, ScheduleFile, Timed

DIALECTS, DEFAULT = ("postgres",), True


def plan(timed: Timed) -> ScheduleFile:
    """cron.timezone is one for the whole server (GMT by default), so another zone is refused."""
    if timed.schedule.timezone not in UTC:
        message = f"pg_cron runs in one time zone per server, GMT by default; {timed.schedule.timezone} cannot be said"
        raise CannotSay(message, "write the hours in UTC, or say schedulers: [airflow], which has zones", key="timezone")
    values = {"name": _text(timed.display_name), "cron": _text(timed.schedule.cron), "call": _text(timed.call.rstrip(";"))}
    path = f"schedules/pg_cron_{timed.schedule.name}.sql"
    return ScheduleFile(path, f"schedule {timed.schedule.name} for pg_cron", Shell("schedules/pg_cron.sql.j2", values))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
