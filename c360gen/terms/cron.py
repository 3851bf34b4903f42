"""Five-field cron expressions as sets of minutes."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator
from functools import cache
from typing import Protocol

_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_YEAR = dt.date(2027, 1, 1)
"""Any year will do to compare two schedules; this one has 53 of one weekday and every kind of month."""


class Timed(Protocol):
    @property
    def cron(self) -> str: ...
    @property
    def timezone(self) -> str: ...


def together(one: Timed, other: Timed) -> bool:
    """Whether two schedules ever start in the same minute, seen over a year."""
    return not minutes(one.cron, one.timezone).isdisjoint(minutes(other.cron, other.timezone))


def starred_days(cron: str) -> bool:
    """Whether `*/2` of days stands beside weekdays, or the other way: cron wants both to hold, later readers of its language either."""
    _, _, day, _, weekday = cron.split()
    return "*" not in (day, weekday) and (day.startswith("*") or weekday.startswith("*"))


@cache
def minutes(cron: str, timezone: str) -> frozenset[dt.datetime]:
    """Every start of a year, UTC."""
    zone = zoneinfo.ZoneInfo(timezone)
    minute, hour, day, month, weekday = (_values(text, *limits) for text, limits in zip(cron.split(), _FIELDS, strict=True))
    weekday = {n % 7 for n in weekday}
    either = not cron.split()[2].startswith("*") and not cron.split()[4].startswith("*")  # cron: a day that fits either field
    found = set()
    for date in _days():
        fits_day, fits_weekday = date.day in day, date.isoweekday() % 7 in weekday
        if date.month in month and (fits_day or fits_weekday if either else fits_day and fits_weekday):
            found |= {dt.datetime(date.year, date.month, date.day, h, m, tzinfo=zone).astimezone(dt.UTC) for h in hour for m in minute}
    return frozenset(found)


def _days() -> Iterator[dt.date]:
    return (_YEAR + dt.timedelta(days=n) for n in range(365))


def _values(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        assert bounds is not None, "the spec language checks every expression"
        first = int(bounds[1]) if bounds[1] else low
        last = int(bounds[2]) if bounds[2] else first if bounds[1] and not bounds[3] else high
        found |= set(range(first, last + 1, int(bounds[3] or 1)))
    return found
