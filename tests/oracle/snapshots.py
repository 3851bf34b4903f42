"""History over a source that holds the current state: `strategy: timestamp` and `strategy: check`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from tests.oracle import (
    EARLIEST,
    LATEST,
    Key,
    Refused,
    Row,
    State,
    Version,
    alike,
    check_run_time,
    grouped,
    instant,
    key_of,
    latest,
    next_watermark,
    window_start,
)


@dataclass(frozen=True)
class Snapshot:
    """The settings, named as in the specs."""

    columns: Mapping[str, str]
    """Name → data_type, as the source declares them."""
    unique_key: tuple[str, ...]
    strategy: str
    updated_at: str | None = None
    check_cols: tuple[str, ...] | None = None
    """None: all of them."""
    all_except: tuple[str, ...] = ()
    on_change: Mapping[str, str] = field(default_factory=dict)
    hard_deletes: str = "ignore"
    deleted_flag: str | None = None
    deleted_at: str | None = None
    dbt_valid_to_current: dt.date | None = None
    nullable_keys: tuple[str, ...] = ()
    version_column: str | None = None
    on_duplicate_key: str = "fail"
    on_null_key: str = "fail"
    on_null_updated_at: str = "fail"
    on_future_updated_at: str = "fail"
    on_unmoved_timestamp: str = "version"
    on_empty_source: str = "fail"
    max_delete_fraction: float | None = None
    min_delete_rows: int = 10
    future_tolerance: dt.timedelta = dt.timedelta(minutes=5)
    source_delta: str | None = None
    """How deletes are found where only moved rows are read: anti_join or none."""
    lookback: dt.timedelta = dt.timedelta()

    @property
    def tracked(self) -> list[str]:
        """A change of these makes a new version (SCD type 2): all but the key and the times, unless the settings say otherwise."""
        own = {*self.unique_key, self.updated_at, self.deleted_flag, self.deleted_at}
        listed = [c for c in (self.check_cols or self.columns) if c not in own and c not in self.all_except]
        return [c for c in self.columns if self.on_change.get(c, "new_version" if c in listed else "ignore") == "new_version"]

    @property
    def overwritten(self) -> list[str]:
        """A change of these overwrites the open version (SCD type 1)."""
        return [c for c in self.columns if self.on_change.get(c) == "overwrite"]

    @property
    def finds_absent(self) -> bool:
        """Whether a key that the source has no more is taken for gone."""
        return self.hard_deletes != "ignore" and self.source_delta != "none"

    def key(self, row: Row) -> Key:
        return key_of(row, self.unique_key)

    def gone(self, row: Row) -> bool:
        """Whether a row says itself that it is gone."""
        return bool(self.deleted_flag and row[self.deleted_flag]) or bool(self.deleted_at and row[self.deleted_at] is not None)

    def time(self, row: Row) -> dt.datetime | None:
        return instant(row[self.updated_at]) if self.updated_at else None


@dataclass
class Decided:
    """What a run will do; nothing of it is done where a guard refuses."""

    broken: Counter[str] = field(default_factory=Counter)
    """Problem → how many keys have it, where the policy is to fail."""
    kept_back: list[tuple[str, Row]] = field(default_factory=list)
    begun: dict[Key, Version] = field(default_factory=dict)
    ends: dict[Key, dt.datetime] = field(default_factory=dict)
    overwritten: dict[Key, Version] = field(default_factory=dict)
    deleted: list[Key] = field(default_factory=list)
    """Those that are absent last."""
    revived: int = 0
    flagged: int = 0


def run(s: Snapshot, state: State, source: Sequence[Row], as_of: dt.datetime, clock: dt.datetime) -> State:
    """History, source and run time → the history after it. Raise Refused."""
    check_run_time(state, as_of, clock, s.future_tolerance)
    opened = {s.key(v.row): v for v in state.versions if v.valid_to is None}
    read = [r for r in source if _is_read(s, r, state.watermark, opened.get(s.key(r)))]
    done = Decided()
    for key, row in _judged(s, read, as_of, done).items():
        last_end = max((v.valid_to for v in state.versions if v.valid_to and s.key(v.row) == key), default=None)
        _decide(s, key, row, opened.get(key), last_end, as_of, done)
    live = [key for key, version in opened.items() if not version.marker]
    if s.finds_absent:
        present = {s.key(r) for r in source}
        for key in live:
            if key not in present:
                done.ends[key] = as_of
                done.deleted.append(key)
    _guard(s, done, opened, live, source, read)
    return _written(s, state, done, opened, read, as_of)


def _is_read(s: Snapshot, row: Row, watermark: dt.datetime | None, current: Version | None) -> bool:
    """With source_delta only what moved is read, and what has no time; where keys are compared, what is not there as well."""
    if not s.source_delta or (s.source_delta == "anti_join" and (current is None or current.marker)):
        return True
    time, start = s.time(row), window_start(watermark, s.lookback, s.columns[str(s.updated_at)])
    return start is None or time is None or time >= start


# --- rows that should not be there ---------------------------------------------------------------------------------------


def _judged(s: Snapshot, read: Sequence[Row], as_of: dt.datetime, done: Decided) -> dict[Key, Row]:
    """The one row of each key, without the keys that a policy keeps back or refuses."""
    policies = {
        "null_key": s.on_null_key, "duplicate_key": s.on_duplicate_key, "null_time": s.on_null_updated_at,
        "future_time": s.on_future_updated_at,
    }  # fmt: skip
    good: dict[Key, Row] = {}
    for key, rows in grouped(read, s.unique_key).items():
        wrong, meant = _problem(s, key, rows, as_of)
        if wrong is None:
            good[key] = meant[0]
        elif policies[wrong] == "quarantine":
            done.kept_back += [(wrong, r) for r in meant]
        else:
            done.broken[wrong] += 1
    return good


def _problem(s: Snapshot, key: Key, rows: list[Row], as_of: dt.datetime) -> tuple[str | None, list[Row]]:
    """What is wrong with the rows of a key, the first thing counts, and the rows that are meant."""
    if any(value is None and column not in s.nullable_keys for column, value in zip(s.unique_key, key, strict=True)):
        return "null_key", rows
    if s.on_duplicate_key == "latest":
        rows = latest(rows, s.version_column or str(s.updated_at))
        if all(alike(rows[0], r, s.columns) for r in rows):
            rows = rows[:1]
    if len(rows) > 1:
        return "duplicate_key", rows
    if s.strategy == "timestamp" and not s.gone(rows[0]):  # when a row that is gone was updated does not matter
        time = s.time(rows[0])
        if time in (None, EARLIEST) and s.on_null_updated_at != "as_of":
            return "null_time", rows
        if time and time > as_of + s.future_tolerance and s.on_future_updated_at != "as_of":
            return "future_time", rows
    return None, rows


# --- what happens to a key ---------------------------------------------------------------------------------------------


def _decide(
    s: Snapshot, key: Key, row: Row, current: Version | None, last_end: dt.datetime | None, as_of: dt.datetime, done: Decided
) -> None:
    """First sight, change, deletion, revival, overwrite, or nothing; `current` is the key's open version."""
    if s.gone(row):
        if current and not current.marker:
            deleted_at = instant(row[s.deleted_at]) if s.deleted_at else None
            done.ends[key] = _usable(deleted_at, current.valid_from, as_of) or as_of
            done.deleted.append(key)
            done.flagged += 1
    elif current is None or current.marker:
        boundary = current.valid_from if current else last_end
        done.begun[key] = Version(row, _usable(s.time(row), boundary, as_of) or as_of)
        done.revived += boundary is not None
        if current:
            done.ends[key] = done.begun[key].valid_from
    elif not alike(row, current.row, s.tracked) and (s.on_unmoved_timestamp == "version" or _has_moved(s, row, current)):
        done.begun[key] = Version(row, _usable(s.time(row), current.valid_from, as_of) or as_of)
        done.ends[key] = done.begun[key].valid_from
    else:
        if s.on_unmoved_timestamp == "fail" and not alike(row, current.row, s.tracked):
            done.broken["unmoved"] += 1
        if not alike(row, current.row, s.overwritten):
            done.overwritten[key] = replace(current, row={**current.row, **{c: row[c] for c in s.overwritten}})


def _usable(time: dt.datetime | None, boundary: dt.datetime | None, as_of: dt.datetime) -> dt.datetime | None:
    """A time where it may date a change: known, finite, later than the last known boundary of its key, not later than the run."""
    finite = time is not None and time not in (EARLIEST, LATEST)
    return time if finite and time <= as_of and (boundary is None or time > boundary) else None  # type: ignore[operator]


def _has_moved(s: Snapshot, row: Row, current: Version) -> bool:
    """Whether a row's time is later than the one that its version was written with; without a time nothing stands still."""
    time, then = s.time(row), s.time(current.row)
    return time is None or then is None or time > then


# --- guards and writes ---------------------------------------------------------------------------------------------------


def _guard(
    s: Snapshot, done: Decided, opened: Mapping[Key, Version], live: Sequence[Key], source: Sequence[Row], read: Sequence[Row]
) -> None:
    gone = len(done.deleted)
    empty = not source if not s.source_delta else not read and gone == len(live)
    too_many = (
        s.max_delete_fraction is not None
        and gone >= s.min_delete_rows
        and bool(live)
        and Fraction(gone, len(live)) > Fraction(str(s.max_delete_fraction))
    )
    for code, broken in {
        "ZC002": done.broken["null_key"],
        "ZC001": done.broken["duplicate_key"],
        "ZC003": done.broken["null_time"],
        "ZC009": done.broken["future_time"],
        "ZC012": done.broken["unmoved"],
        "ZC004": s.finds_absent and s.on_empty_source == "fail" and live and empty,
        "ZC013": too_many,
        "ZC010": any(end <= opened[key].valid_from for key, end in done.ends.items()),
    }.items():
        if broken:
            raise Refused(code)


def _written(s: Snapshot, state: State, done: Decided, opened: Mapping[Key, Version], read: Sequence[Row], as_of: dt.datetime) -> State:
    after: list[Version] = []
    for version in state.versions:
        key = s.key(version.row)
        if version.valid_to is None:
            version = replace(done.overwritten.get(key, version), valid_to=done.ends.get(key))
        after.append(version)
    after += done.begun.values()
    if s.hard_deletes == "new_record":
        after += [Version(opened[key].row, done.ends[key], marker=True) for key in done.deleted]
    quarantine = list(state.quarantine)
    for reason, row in done.kept_back:
        if not any(reason == why and alike(row, known, s.columns) for _, why, known in quarantine):
            quarantine.append((as_of, reason, row))
    return State(
        versions=tuple(after),
        quarantine=tuple(quarantine),
        last_as_of=as_of,
        watermark=_read_up_to(s, state, done, opened, read, as_of) if s.source_delta else None,
        counted={
            "source_rows": len(read),
            "inserted_rows": len(after) - len(state.versions),
            "updated_rows": len(done.overwritten),
            "closed_rows": len(done.ends),
            "deleted_rows": len(done.deleted),
            "revived_rows": done.revived,
            "unchanged_rows": len(read) - len(done.begun) - len(done.overwritten) - done.flagged - len(done.kept_back),
            "dated_by_run": sum(v.valid_from != s.time(v.row) for v in done.begun.values()) if s.updated_at else 0,
            "quarantined_rows": len(done.kept_back),
        },
    )


def _read_up_to(
    s: Snapshot, state: State, done: Decided, opened: Mapping[Key, Version], read: Sequence[Row], as_of: dt.datetime
) -> dt.datetime | None:
    """The watermark: not moved by what waits for its time, and not beyond a row that is kept back, for it may be mended as it is.

    Where keys are compared, a row whose key is not there is read again anyway.
    """
    horizon = as_of + s.future_tolerance if s.on_future_updated_at == "quarantine" and s.strategy == "timestamp" else LATEST
    times = [t for t in map(s.time, read) if t and t <= horizon]
    again = [row for reason, row in done.kept_back if reason != "null_time" and (s.source_delta == "none" or s.key(row) in opened)]
    waiting = [t for t in map(s.time, again) if t]
    if times and waiting and min(waiting) < max(times):
        times = [min(waiting)]
    return next_watermark(state.watermark, times, as_of)
