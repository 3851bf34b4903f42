"""What must hold of a history whatever the oracle says: it needs the source of each day, and no rule of how a version comes about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from tests.oracle import EARLIEST, Key, Row, instant
from tests.oracle.snapshots import Snapshot
from tests.streams.specs import Step
from tests.streams.stage import Found, text_of
from tests.worlds import plain


def check_intervals(s: Snapshot, found: list[Found], as_of: dt.datetime) -> None:
    """One open version per key, from < to, no overlap, nothing that is later than the run."""
    keys: dict[Key, list[Found]] = {}
    for row in found:
        keys.setdefault(_key(s, row), []).append(row)
    for versions in keys.values():
        versions.sort(key=lambda r: str(r["valid_from"]))
        assert not any(_is_open(s, v) for v in versions[:-1]), "a version is open that is not the last of its key"
        for one, following in pairwise(versions):
            assert one["valid_to"] <= following["valid_from"], "two versions overlap"
        for version in versions:
            assert version["valid_from"] <= plain(as_of), "a version starts after its run"
            assert _is_open(s, version) or version["valid_from"] < version["valid_to"] <= plain(as_of)


def check_nothing_lost(s: Snapshot, before: list[Found], found: list[Found]) -> None:
    """Closed versions stay as they are, byte for byte; open ones may close, and what is overwritten may change."""
    left = [r for r in before if not _is_open(s, r)]
    now = {(_key(s, r), r["valid_from"]): r for r in found}
    for row in left:
        assert now.get((_key(s, row), row["valid_from"])) == row, "a closed version has changed"
    free = {"valid_to", "closed_run_id", "place", *s.overwritten}
    for row in before:
        if _is_open(s, row):
            after = now[_key(s, row), row["valid_from"]]
            assert {c: v for c, v in row.items() if c not in free} == {c: v for c, v in after.items() if c not in free}


def check_current(s: Snapshot, found: list[Found], step: Step) -> None:
    """The live open versions are the source, but for keys that a policy is about, and for what a policy does not look at."""
    live = {_key(s, r): r for r in found if _is_open(s, r) and not r.get("is_deleted")}
    good, bad = _judged(s, step)
    if s.source_delta is None:
        here = {key for key, row in good.items() if not s.gone(row)}
        assert here <= set(live), "a key of the source has no open version"
        if s.hard_deletes != "ignore":
            assert set(live) <= here | bad, "a key that is gone has an open version"
    if s.on_unmoved_timestamp != "ignore":
        for key, row in good.items():
            if not s.gone(row):
                for column in (*s.tracked, *s.overwritten):
                    assert live[key][column] == text_of(row[column]), f"{column} of an open version is not that of the source"


def check_past(s: Snapshot, found: list[Found], steps: list[Step]) -> None:
    """As of every past run the history is the source of that day: always, but for keys whose changes were dated back beyond it."""
    if s.on_unmoved_timestamp == "ignore":
        return
    for number, step in enumerate(steps):
        if any(later.as_of == step.as_of for later in steps[number + 1 :]):
            continue  # a run at the same time came after it
        good, bad = _judged(s, step)
        at = plain(step.as_of)
        shown = [r for r in found if r["valid_from"] <= at and (_is_open(s, r) or at < r["valid_to"]) and not r.get("is_deleted")]
        then = {_key(s, r): r for r in shown}
        excused = bad.copy()
        for later in steps[number + 1 :]:
            excused |= {k for k, rows in _by_key(s, later.rows).items() if any(t <= step.as_of for r in rows for t in _times(s, r))}
        here = {key for key, row in good.items() if not s.gone(row)}
        if s.hard_deletes != "ignore":
            assert set(then) - excused <= here, f"as of {at} a key is there that the source of that day did not have"
        assert here - excused <= set(then), f"as of {at} a key is missing"
        for key in here - excused:
            for column in s.tracked:
                assert then[key][column] == text_of(good[key][column]), f"as of {at} {column} is not what it was"


def _judged(s: Snapshot, step: Step) -> tuple[dict[Key, Row], set[Key]]:
    """The rows of a day that no policy is about, and the keys of the others."""
    good: dict[Key, Row] = {}
    bad: set[Key] = set()
    for key, rows in _by_key(s, step.rows).items():
        timely = True
        if s.strategy == "timestamp":
            time = instant(rows[0][str(s.updated_at)])
            timely = time is not None and EARLIEST < time <= step.as_of + s.future_tolerance
        known = all(v is not None or column in s.nullable_keys for column, v in zip(s.unique_key, key, strict=True))
        if len(rows) == 1 and timely and known:
            good[key] = rows[0]
        else:
            bad.add(key)
    return good, bad


def _by_key(s: Snapshot, rows: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(text_of(row[k]) for k in s.unique_key), []).append(row)
    return found


def _times(s: Snapshot, row: Row) -> list[dt.datetime]:
    """The times of a row that may date what happens to its key."""
    return [t for c in (s.updated_at, s.deleted_at) if c and (t := instant(row[c])) is not None]


def _key(s: Snapshot, row: Found) -> Key:
    return tuple(row[k] for k in s.unique_key)


def _is_open(s: Snapshot, row: Found) -> Any:
    return row["valid_to"] == text_of(instant(s.dbt_valid_to_current))
