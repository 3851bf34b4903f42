"""Incrementals: `merge`, `delete+insert` and `append`, over a model that gives the rows of its source as they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.oracle import Refused, Row, State, alike, check_run_time, grouped, instant, key_of, latest, next_watermark, window_start


@dataclass(frozen=True)
class Incremental:
    """The settings, named as in the specs."""

    columns: Mapping[str, str]
    """Name → data_type, as the source declares them."""
    incremental_strategy: str
    unique_key: tuple[str, ...] = ()
    cursor: str | None = None
    lookback: dt.timedelta = dt.timedelta()
    version_column: str | None = None
    merge_update_columns: tuple[str, ...] = ()
    merge_exclude_columns: tuple[str, ...] = ()
    future_tolerance: dt.timedelta = dt.timedelta(minutes=5)

    @property
    def updated(self) -> list[str]:
        """The columns in which merge updates a row that it knows."""
        given = self.merge_update_columns or self.columns
        return [c for c in self.columns if c in given and c not in {*self.unique_key, *self.merge_exclude_columns}]


def run(m: Incremental, state: State, source: Sequence[Row], as_of: dt.datetime, clock: dt.datetime, full_refresh: bool = False) -> State:
    """Table, source and run time → the table after it; a full refresh forgets the table and its watermark first. Raise Refused."""
    check_run_time(state, as_of, clock, m.future_tolerance)
    before = State() if full_refresh else state
    batch = [r for r in source if _in_batch(m, r, before.watermark, as_of)]
    if any(r[c] is None for r in batch for c in m.unique_key):
        raise Refused("ZC002")
    if any(_unusable(m, r, c) for r in batch for c in (m.cursor, m.version_column) if c):
        raise Refused("ZC003")
    write = {"append": _append, "merge": _merge, "delete+insert": _delete_insert}[m.incremental_strategy]
    rows, inserted, updated, deleted = write(m, before.rows, batch)
    return State(
        rows=tuple(rows),
        last_as_of=as_of,
        watermark=next_watermark(before.watermark, (instant(r[m.cursor]) for r in batch if m.cursor), as_of),
        counted={
            "source_rows": len(batch),
            "inserted_rows": inserted,
            "updated_rows": updated,
            "deleted_rows": len(state.rows) if full_refresh else deleted,
        },
    )


def _unusable(m: Incremental, row: Row, name: str) -> bool:
    """A time that orders nothing: it is missing, or infinite."""
    return row[name] is None or (m.columns[name] in ("date", "timestamp", "timestamptz") and row[name] in ("infinity", "-infinity"))


def _in_batch(m: Incremental, row: Row, watermark: dt.datetime | None, as_of: dt.datetime) -> bool:
    """At or after the watermark less the lookback; append: after the watermark, not after the run. NULLs are read, for the guard."""
    if m.cursor is None or row[m.cursor] is None:
        return True
    time, start = instant(row[m.cursor]), window_start(watermark, m.lookback, m.columns[m.cursor])
    assert time is not None
    if m.incremental_strategy == "append":
        return time <= as_of and (start is None or time > start)
    return start is None or time >= start


Written = tuple[list[Row], int, int, int]
"""The rows of the table; how many were inserted, updated, deleted."""


def _append(m: Incremental, before: Sequence[Row], batch: list[Row]) -> Written:
    return [*before, *batch], len(batch), 0, 0


def _merge(m: Incremental, before: Sequence[Row], batch: list[Row]) -> Written:
    """Update where a column differs and the row is not older, insert the rest; nothing is ever deleted."""
    table = {key_of(r, m.unique_key): r for r in before}
    inserted = updated = 0
    for key, rows in grouped(batch, m.unique_key).items():
        if m.version_column:
            rows = latest(rows, m.version_column)
        row, known = rows[0], table.get(key)
        if not all(alike(row, r, m.columns) for r in rows):
            raise Refused("ZC001")
        older = m.version_column and known and row not in latest([row, known], m.version_column)
        if known is None:
            table[key] = row
            inserted += 1
        elif not older and not alike(row, known, m.updated):
            table[key] = {**known, **{c: row[c] for c in m.updated}}
            updated += 1
    return list(table.values()), inserted, updated, 0


def _delete_insert(m: Incremental, before: Sequence[Row], batch: list[Row]) -> Written:
    """The rows of a key in the batch replace those in the table; keys whose rows are the same already are left alone."""
    table = grouped(before, m.unique_key)
    inserted = deleted = 0
    for key, rows in grouped(batch, m.unique_key).items():
        old = table.get(key, [])
        if not _same_rows(old, rows, list(m.columns)):
            inserted, deleted = inserted + len(rows), deleted + len(old)
            table[key] = rows
    return [r for rows in table.values() for r in rows], inserted, 0, deleted


def _same_rows(some: Sequence[Row], others: Sequence[Row], columns: Sequence[str]) -> bool:
    """Equal as multisets."""
    left = list(others)
    for row in some:
        match = next((i for i, other in enumerate(left) if alike(row, other, columns)), None)
        if match is None:
            return False
        del left[match]
    return not left
