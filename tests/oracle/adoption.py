"""What mending the history of another tool means, in plain Python, one rule after the other."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

Time = dt.datetime | None


@dataclass(frozen=True)
class Row:
    """A version as the other tool left it; `until` None: it is open."""

    key: int | None
    value: str | None
    start: Time
    until: Time


def mended(rows: Sequence[Row], now: dt.datetime) -> list[Row]:
    """The versions that an adoption at `now` takes, in the intervals that it gives them."""
    found: list[Row] = []
    for key in {r.key for r in rows if r.key is not None}:
        chain: list[Row] = []
        ended: Time = None
        for row in sorted(placed([r for r in rows if r.key == key], now), key=order):
            start = max(begun(row), ended) if ended else begun(row)
            if row.until is None or row.until > start:
                chain.append(Row(key, row.value, start, row.until))
            if row.until is not None:
                ended = max(row.until, ended) if ended else row.until
        for row, following in itertools.zip_longest(chain, chain[1:]):
            until = following.start if row.until is None and following else row.until
            if until is None or until > begun(row):
                found.append(Row(key, row.value, row.start, until))
    return found


def placed(rows: Sequence[Row], now: dt.datetime) -> list[Row]:
    """Without copies and without what ends before it begins; no time is missing or lies ahead."""
    found = []
    for row in dict.fromkeys(rows):
        if row.start is not None and row.until is not None and row.until <= row.start:
            continue
        start = now if row.start is None or row.start > now else row.start
        found.append(Row(row.key, row.value, start, now if row.until is not None and row.until > now else row.until))
    return found


def begun(row: Row) -> dt.datetime:
    """The start of a row that is placed."""
    assert row.start is not None
    return row.start


def order(row: Row) -> tuple[object, ...]:
    """By start, closed before open, by end, by value; NULL last."""
    return begun(row), row.until is None, row.until or begun(row), row.value is None, row.value or ""


def sound(rows: Sequence[Row]) -> bool:
    """Versions of a key follow each other, and only the last one may be open."""
    by_key: dict[int | None, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row.key, []).append(row)
    for versions in by_key.values():
        versions.sort(key=order)
        if any(r.until is not None and r.until <= begun(r) for r in versions):
            return False
        if any(a.until is None or a.until > begun(b) for a, b in itertools.pairwise(versions)):
            return False
    return True
