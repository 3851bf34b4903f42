"""Hours, days, months and years of UTC."""

from __future__ import annotations

import datetime as dt

from c360gen.spec.models import Size


def start(at: dt.datetime, size: Size) -> dt.datetime:
    """2026-03-17 14:05, month → 2026-03-01 00:00: the beginning of the period that holds an instant."""
    at = at.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    if size != "hour":
        at = at.replace(hour=0)
    if size in ("month", "year"):
        at = at.replace(day=1)
    return at.replace(month=1) if size == "year" else at
