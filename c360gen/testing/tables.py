"""Rows as people read them, and the difference between two tables."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

Rows = Sequence[tuple[Any, ...]]
MOST = 20
"""Rows of a difference that are shown."""


def shown(value: Any) -> str:
    """A value as a person writes it: times in UTC, numbers without trailing zeros."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        at = value.astimezone(dt.UTC) if value.tzinfo else value
        return f"{at:%Y-%m-%d %H:%M:%S}" + (f".{at.microsecond:06}" if at.microsecond else "")
    if isinstance(value, float | Decimal):
        number = Decimal(str(value))
        return format(number.normalize(), "f") if number.is_finite() else str(value)
    text = str(value)
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], marks: Sequence[str] = ()) -> str:
    """Columns side by side, each row with its mark in front."""
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    lines = []
    for mark, row in zip(("", *marks) if marks else [""] * (len(rows) + 1), (columns, *rows), strict=True):
        lines.append(f"{mark:<2}{'  '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))}".rstrip())
    return "\n".join(lines)


def difference(columns: Sequence[str], expected: Rows, found: Rows) -> str:
    """Rows that are missing (-) and rows that nobody expected (+), in one table; "" where there are none.

    A missing row is followed by the one that is most like it, so that the value that differs is seen at once.
    """
    wanted, there = Counter(map(_comparable, expected)), Counter(map(_comparable, found))
    missing, surplus = sorted((wanted - there).elements()), sorted((there - wanted).elements())
    if not missing and not surplus:
        return ""
    marked: list[tuple[str, tuple[str, ...]]] = []
    for row in missing[:MOST]:
        marked.append(("-", row))
        alike = max(surplus, key=lambda other: _equal(row, other), default=None)
        if alike is not None and _equal(row, alike):
            surplus.remove(alike)
            marked.append(("+", alike))
    marked += [("-", row) for row in missing[MOST:]] + [("+", row) for row in surplus]
    more = f"\n  … and {len(marked) - MOST} more" if len(marked) > MOST else ""
    marked = marked[:MOST]
    return table(columns, [row for _, row in marked], [mark for mark, _ in marked]) + more


def _equal(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


def _comparable(row: tuple[Any, ...]) -> tuple[str, ...]:
    """Both sides were cast to the same type, so what looks the same is the same."""
    return tuple("null" if v is None else f"'{shown(v)}'" if isinstance(v, str) and v == "null" else shown(v) for v in row)
