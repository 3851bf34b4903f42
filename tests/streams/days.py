"""Days of a source: what changes, and what goes wrong, between one run and the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.oracle.incrementals import Incremental
from tests.oracle.snapshots import Snapshot
from tests.streams.settings import BEGIN, KEYS, TIME_KINDS, UTC, VALUES, often
from tests.streams.specs import Step, Stream

BEYOND = dt.datetime(2999, 1, 1, tzinfo=UTC)
"""A run time that no clock has reached."""
ZONES = ("UTC", "Asia/Kathmandu", "America/New_York", "Pacific/Apia")
_GAPS = (dt.timedelta(hours=6), dt.timedelta(days=1), dt.timedelta(minutes=1), dt.timedelta(microseconds=1), dt.timedelta(),
         dt.timedelta(days=40))  # fmt: skip
_TIMES = ("fresh", "now", "fresh", "still", "fresh", "late", "then", "after", "soon")
_BAD_TIMES = ("null", "ahead", "sentinel", "infinity", "-infinity")


@dataclass
class _Day:
    """What a day's changes are made of."""

    draw: Callable[..., Any]
    settings: Snapshot | Incremental
    runs: list[dt.datetime]
    """The run times of the days before."""
    as_of: dt.datetime
    keys: list[dict[str, Any]]
    infinite: bool

    def value(self, column: str, number: int) -> Any:
        found = VALUES[self.settings.columns[column]]
        chosen = found[number % len(found)]
        return None if isinstance(chosen, str) and chosen.endswith("infinity") and not self.infinite else chosen

    def time(self, column: str, word: str, before: Any = None) -> Any:
        """A time by its word, as the type of a column."""
        if word in ("null", "infinity", "-infinity"):
            return word if word != "null" and self.infinite else None
        if word == "still":
            return before
        past = self.draw(st.sampled_from(self.runs)) if word in ("then", "after") else self.runs[-1]
        at = {
            "fresh": past + (self.as_of - past) / 2, "now": self.as_of, "late": BEGIN - dt.timedelta(days=2),
            "then": past, "after": past + dt.timedelta(microseconds=1),
            "soon": self.as_of + min(dt.timedelta(minutes=4), self.settings.future_tolerance),
            "ahead": self.as_of + dt.timedelta(days=3), "sentinel": dt.datetime(9999, 12, 31, tzinfo=UTC),
        }[word]  # fmt: skip
        kind = self.settings.columns[column]
        return at.date() if kind == "date" else at if kind == "timestamptz" else at.replace(tzinfo=None)

    def row(self, key: dict[str, Any]) -> dict[str, Any]:
        """A new row of a key, good in every way."""
        paint = self.draw(st.integers(0, 9))
        made = {c: self.value(c, paint + place) for place, c in enumerate(self.settings.columns)} | key
        for column in ("updated_at", "gone_at", "version", "is_gone"):
            if column not in made:
                continue
            if column == "gone_at":
                made[column] = None
            elif column == "is_gone":
                made[column] = self.draw(st.sampled_from([False, None]))
            elif column == "version":
                kind = self.settings.columns[column]
                made[column] = self.time(column, self.draw(st.sampled_from(_TIMES[:4]))) if kind in TIME_KINDS else paint % 3
                made[column] = self.time(column, "fresh") if made[column] is None else made[column]
            else:
                made[column] = self.time(column, self.draw(st.sampled_from(_TIMES)), self.time(column, "fresh"))
        return made


def _changed(day: _Day, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One change: of a row, of a column, of a time; rows that come, go, or say that they are gone."""
    draw, columns = day.draw, day.settings.columns
    key = draw(st.sampled_from(day.keys))
    mine = [r for r in rows if all(r[k] == v for k, v in key.items())]
    others = [r for r in rows if r not in mine]
    what = draw(st.sampled_from(["row", "column", "gone", "column", "row", "gone", "time", "soft", "column", "half"]))
    if what == "gone" and mine:
        return others
    if what == "half":
        return rows[: len(rows) // 2]
    if what == "row" or not mine:
        return [*others, day.row(key)]
    row = dict(mine[-1])
    if what == "soft" and ("is_gone" in row or "gone_at" in row):
        back = draw(st.booleans())
        if "is_gone" in row:
            row["is_gone"] = not back
        if "gone_at" in row:
            row["gone_at"] = None if back else day.time("gone_at", draw(st.sampled_from((*_TIMES, *_BAD_TIMES))), row["gone_at"])
    elif what != "time":
        free = [c for c in columns if c not in {*key, "updated_at", "is_gone", "gone_at", "version"}]
        if free:
            column = draw(st.sampled_from(free))
            row[column] = day.value(column, draw(st.integers(0, 15)))
    if "updated_at" in row:
        row["updated_at"] = day.time("updated_at", draw(st.sampled_from(_TIMES)), row["updated_at"])
    if "version" in row and columns["version"] not in TIME_KINDS and draw(st.booleans()):
        row["version"] = draw(st.integers(0, 3))
    return [*others, row]


def _toggled(day: _Day, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first key, which comes and goes often."""
    others = [r for r in rows if any(r[k] != v for k, v in day.keys[0].items())]
    return others if len(others) < len(rows) else [*rows, day.row(day.keys[0])]


def _spoiled(day: _Day, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Rows as they should not be: a key twice, a key that is NULL, a time that is missing or ahead, nothing at all; may they stay?"""
    draw, s = day.draw, day.settings
    what = draw(st.sampled_from(["twice", "null_key", "time", "time", "nothing", "time", "copy"]))
    stays = draw(st.booleans()) and _lets_through(s, what)
    if what == "nothing":
        return [], stays
    row = dict(draw(st.sampled_from(rows))) if rows else day.row(draw(st.sampled_from(day.keys)))
    if what == "time" and "updated_at" in row:
        rest = [r for r in rows if r != row]
        return [*rest, {**row, "updated_at": day.time("updated_at", draw(st.sampled_from(_BAD_TIMES)))}], stays
    if what == "null_key":
        row[draw(st.sampled_from([c for c in KEYS if c in row]))] = None
    elif what == "twice":
        row = day.row({k: row[k] for k in KEYS if k in row})
    return [*rows, row], stays


def _lets_through(s: Snapshot | Incremental, what: str) -> bool:
    """Whether the policies are likely to let such rows be, so that later runs see them again."""
    if isinstance(s, Incremental):
        return what == "nothing" or (what in ("twice", "copy") and (s.incremental_strategy != "merge" or s.version_column is not None))
    timely = s.strategy == "check" or "fail" not in (s.on_null_updated_at, s.on_future_updated_at)
    return {
        "nothing": s.on_empty_source == "allow" or s.hard_deletes == "ignore",
        "null_key": s.on_null_key != "fail",
        "time": timely,
    }.get(what, s.on_duplicate_key != "fail")


@st.composite
def streams(draw: Callable[..., Any], settings: st.SearchStrategy[Any], most: int, infinite: bool = True) -> list[Stream]:
    """Several streams over the same settings: what is compiled once is played more than once."""
    chosen: Snapshot | Incremental = draw(settings)
    found: list[Stream] = draw(st.lists(_days(chosen, infinite).map(lambda days: Stream(chosen, days)), min_size=1, max_size=most))
    return found


@st.composite
def _days(draw: Callable[..., Any], settings: Snapshot | Incremental, infinite: bool) -> tuple[Step, ...]:
    """Days of a source; on most of them it is as it should be, so that most runs succeed."""
    keys = _keys(_Day(draw, settings, [BEGIN], BEGIN, [], infinite))
    runs, rows = [BEGIN], list[dict[str, Any]]()
    faulty = draw(often(False, True))
    steps: list[Step] = []
    for number in range(draw(often(4, 3, 5, 8))):
        as_of = runs[-1] + draw(st.sampled_from(_GAPS))
        day = _Day(draw, settings, runs, as_of, keys, infinite)
        if not number:
            rows = [day.row(k) for k in keys if draw(st.booleans())]
        if draw(st.booleans()):
            rows = _toggled(day, rows)
        for _ in range(draw(st.integers(0, 4))):
            rows = _changed(day, rows)
        runs, today = [*runs, as_of], rows
        if faulty and draw(st.booleans()):
            for _ in range(draw(often(1, 2))):
                today, stays = _spoiled(day, today)
                rows = today if stays else rows
            as_of = draw(st.sampled_from([*[as_of] * 6, as_of - dt.timedelta(hours=9), BEYOND]))
        today = list(reversed(today)) if draw(st.booleans()) else today
        refresh = isinstance(settings, Incremental) and number > 0 and draw(st.sampled_from([False, False, False, True]))
        steps.append(Step(as_of, tuple(today), refresh, draw(st.sampled_from(ZONES))))
    return tuple(steps)


def _keys(day: _Day) -> list[dict[str, Any]]:
    """The keys that a stream is about."""
    nullable = day.settings.nullable_keys if isinstance(day.settings, Snapshot) else ()
    found: list[dict[str, Any]] = []
    for number in range(day.draw(st.integers(2, 6))):
        key = {c: day.value(c, day.draw(st.integers(0, 3)) + number) for c in KEYS if c in day.settings.columns}
        key = {c: day.value(c, number % 2 + 1) if v is None and c not in nullable else v for c, v in key.items()}
        found += [key] if key not in found else []
    return found
