"""What a run of a snapshot and of an incremental means, in plain Python: the specification that every engine's SQL is compared with.

Written from the rules and not from the SQL, slow and obvious on purpose. A row is a mapping of columns to values, a key a tuple of them.
A run is a pure function of what the node holds, the source, and the run time; a guard raises Refused, and then nothing has happened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
Key = tuple[Any, ...]
EARLIEST, LATEST = (end.replace(tzinfo=dt.UTC) for end in (dt.datetime.min, dt.datetime.max))
"""The infinite times, which some engines have; sources say '-infinity' and 'infinity'."""


class Refused(Exception):
    """A guard's code; the first in the order of the rules where several are broken."""


@dataclass(frozen=True)
class Version:
    """A row of a history, true from `valid_from` until before `valid_to`; None: it is open. A marker says that its key is gone."""

    row: Row
    valid_from: dt.datetime
    valid_to: dt.datetime | None = None
    marker: bool = False


@dataclass(frozen=True)
class State:
    """Everything that a node holds between two runs, and what the last run counted."""

    versions: tuple[Version, ...] = ()
    """Of a snapshot."""
    quarantine: tuple[tuple[dt.datetime, str, Row], ...] = ()
    """Of a snapshot: when a row was kept back first, why, and the row."""
    rows: tuple[Row, ...] = ()
    """Of an incremental."""
    last_as_of: dt.datetime | None = None
    watermark: dt.datetime | None = None
    counted: Mapping[str, int] = field(default_factory=dict)


# --- values ------------------------------------------------------------------------------------------------------------


def instant(value: Any) -> dt.datetime | None:
    """A time of a source as an instant: a date is its midnight, a wall clock is UTC."""
    if value is None or isinstance(value, str):
        return {"infinity": LATEST, "-infinity": EARLIEST, None: None}[value]
    if isinstance(value, dt.datetime):
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)
    return dt.datetime.combine(value, dt.time(), dt.UTC)


def alike(one: Row, other: Row, columns: Iterable[str]) -> bool:
    """IS NOT DISTINCT FROM, in every column: NULL equals NULL, NaN equals NaN, '' is not NULL."""
    return all(one[c] == other[c] or (one[c] != one[c] and other[c] != other[c]) for c in columns)


def key_of(row: Row, columns: Sequence[str]) -> Key:
    return tuple(row[c] for c in columns)


def grouped(rows: Iterable[Row], columns: Sequence[str]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(key_of(row, columns), []).append(row)
    return found


def latest(rows: Sequence[Row], column: str) -> list[Row]:
    """The rows with the highest value, a number or a time; a NULL is lower than any."""
    known = [r for r in rows if r[column] is not None]
    top = max((_order(r[column]) for r in known), default=None)
    return [r for r in known if _order(r[column]) == top] or list(rows)


def _order(value: Any) -> Any:
    return instant(value) if isinstance(value, dt.date | str) else value


# --- what all runs have in common --------------------------------------------------------------------------------------


def check_run_time(state: State, as_of: dt.datetime, clock: dt.datetime, tolerance: dt.timedelta) -> None:
    """Runs come in ascending order, and not from the future."""
    if (state.last_as_of and as_of < state.last_as_of) or as_of > clock + tolerance:
        raise Refused("ZC005")


def window_start(watermark: dt.datetime | None, lookback: dt.timedelta, data_type: str) -> dt.datetime | None:
    """Where reading begins, in the grain of the column: of a date, from the day on in which the window begins."""
    if watermark is None or watermark == EARLIEST:
        return watermark
    start = watermark - lookback
    return start.replace(hour=0, minute=0, second=0, microsecond=0) if data_type == "date" else start


def next_watermark(watermark: dt.datetime | None, times: Iterable[dt.datetime | None], as_of: dt.datetime) -> dt.datetime | None:
    """The highest time that was read, capped at the run time; an empty batch moves nothing, and it never goes back."""
    return max((t for t in (watermark, *(min(t, as_of) for t in times if t)) if t), default=None)
