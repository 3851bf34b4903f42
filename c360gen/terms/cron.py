"""Five-field cron expressions as sets of minutes."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, Protocol

_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_YEAR = dt.date(2027, 1, 1)
"""Any year will do to compare two schedules; this one has 53 of one weekday and every kind of month."""


class Timed(Protocol):
    @property
    def cron(self) -> str: ...
    @property
    def timezone(self) -> str: ...


class Fields(NamedTuple):
    """What each field allows; weekdays from 0, Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]


class Change(NamedTuple):
    """A start that a change of the clocks leaves out, or does twice, and the month in which that happens."""

    start: dt.time
    skipped: bool
    month: int


def together(one: Timed, other: Timed) -> bool:
    """Whether two schedules ever start in the same minute, seen over a year."""
    return not minutes(one.cron, one.timezone).isdisjoint(minutes(other.cron, other.timezone))


def fields(cron: str) -> Fields:
    found = (frozenset(_values(text, *limits)) for text, limits in zip(cron.split(), _LIMITS, strict=True))
    minutes, hours, days, months, weekdays = found
    return Fields(minutes, hours, days, months, frozenset(n % 7 for n in weekdays))


def starred_days(cron: str) -> bool:
    """Whether `*/2` of days stands beside weekdays, or the other way: cron wants both to hold, later readers of its language either."""
    _, _, day, _, weekday = cron.split()
    return "*" not in (day, weekday) and (day.startswith("*") or weekday.startswith("*"))


def changes(cron: str, timezone: str) -> Iterator[Change]:
    """Starts at an hour that the clocks of the zone skip or repeat; none where every hour, or every n-th, is a start."""
    if cron.split()[1].startswith("*"):
        return
    zone, found = zoneinfo.ZoneInfo(timezone), fields(cron)
    for date in _days():
        midnight = dt.datetime(date.year, date.month, date.day, tzinfo=zone)
        if midnight.utcoffset() == (midnight + dt.timedelta(days=1)).utcoffset():
            continue
        if date.month not in found.months or date.isoweekday() % 7 not in found.weekdays:
            continue  # a day of the month says nothing: next year the change is on another
        for start in (midnight.replace(hour=h, minute=m) for h in sorted(found.hours) for m in sorted(found.minutes)):
            if start.utcoffset() != start.replace(fold=1).utcoffset():
                there = start.astimezone(dt.UTC).astimezone(zone).time() == start.time()
                yield Change(start.time(), not there, date.month)


@cache
def minutes(cron: str, timezone: str) -> frozenset[dt.datetime]:
    """Every start of a year, UTC."""
    zone, allowed = zoneinfo.ZoneInfo(timezone), fields(cron)
    either = not cron.split()[2].startswith("*") and not cron.split()[4].startswith("*")  # cron: a day that fits either field
    found = set()
    for date in _days():
        fits_day, fits_weekday = date.day in allowed.days, date.isoweekday() % 7 in allowed.weekdays
        if date.month in allowed.months and (fits_day or fits_weekday if either else fits_day and fits_weekday):
            found |= {
                dt.datetime(date.year, date.month, date.day, h, m, tzinfo=zone).astimezone(dt.UTC)
                for h in allowed.hours
                for m in allowed.minutes
            }
    return frozenset(found)


def _days() -> Iterator[dt.date]:
    return (_YEAR + dt.timedelta(days=n) for n in range(365))


def _values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        assert bounds is not None, "the spec language checks every expression"
        first = int(bounds[1]) if bounds[1] else low
        last = int(bounds[2]) if bounds[2] else first if bounds[1] else high
        found |= set(range(first, last + 1, int(bounds[3] or 1)))
    return found
