"""Settings of snapshots and incrementals, in every combination that the compiler accepts, and the columns that they are about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.oracle.incrementals import Incremental
from tests.oracle.snapshots import Snapshot

UTC = dt.UTC
BEGIN = dt.datetime(2024, 3, 30, 22, 30, tzinfo=UTC)
"""Clocks change in Europe that night."""

_TEXTS = (None, "", " ", "a", "A", "a ", "é", "e\u0301", "日本", "it's", "NULL", "\\", "-- x;", "a\nb", "🙂", '"')
VALUES: dict[str, tuple[Any, ...]] = {
    "bigint": (None, 0, 1, -1, 2**63 - 1, -(2**63)),
    "integer": (None, 0, 1, -1, 2**31 - 1, -(2**31)),
    "smallint": (None, 0, 1, -1, 2**15 - 1, -(2**15)),
    "numeric(12,3)": (None, Decimal(0), Decimal("0.001"), Decimal("-0.5"), Decimal("999999999.999")),
    "double": (None, 0.0, 0.1, -1.5, 1e300, float("nan"), float("inf"), float("-inf")),
    "boolean": (None, False, True),
    "text": _TEXTS,
    "varchar(20)": _TEXTS[:10],
    "date": (None, dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(2024, 3, 31), "infinity", "-infinity"),
    "timestamp": (None, dt.datetime(1970, 1, 1), dt.datetime(2024, 3, 31, 2, 30), dt.datetime(2024, 3, 31, 2, 30, 0, 1), "infinity"),
    "timestamptz": (None, dt.datetime(1970, 1, 1, tzinfo=UTC), BEGIN, BEGIN + dt.timedelta(microseconds=1), "infinity", "-infinity"),
}  # fmt: skip
KEYS = ("id", "part", "shard")
KEY_KINDS = ("bigint", "text", "date", "timestamptz", "timestamp", "numeric(12,3)", "integer", "boolean")
TIME_KINDS = ("timestamptz", "timestamp", "date")
NAMES = ("name", "order", "größe", "two words", "a", "user", "x1")


def often(common: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The default about as often as all the others together."""
    return st.sampled_from([*[common] * max(1, len(others)), *others])


def _columns(
    draw: Callable[..., Any], keys: int, others: st.SearchStrategy[int], fixed: dict[str, str | None]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Key columns, those with a part of their own, and others of all types."""
    key = KEYS[:keys]
    columns = {name: draw(st.sampled_from(KEY_KINDS)) for name in key}
    for number in range(draw(others)):
        name = NAMES[number] if number < len(NAMES) else f"c{number}"
        columns[name] = draw(st.sampled_from(sorted(VALUES))) if number < 4 else sorted(VALUES)[number % len(VALUES)]
    columns |= {name: kind for name, kind in fixed.items() if kind}
    return key, columns


@st.composite
def snapshot_settings(draw: Callable[..., Any]) -> Snapshot:
    """Settings that the compiler accepts, in any combination."""
    strategy = draw(st.sampled_from(["timestamp", "check"]))
    hard_deletes = draw(st.sampled_from(["invalidate", "new_record", "ignore"]))
    deletes = hard_deletes != "ignore"
    timed = strategy == "timestamp" or draw(st.booleans())
    flag, at = deletes and draw(often(False, True)), deletes and draw(often(False, True))
    kind = draw(st.sampled_from(TIME_KINDS))
    numbered = draw(often(False, True))
    key, columns = _columns(
        draw, draw(often(1, 2, 3)), often(2, 1, 3, 4, 60),
        {"updated_at": kind if timed else None, "is_gone": "boolean" if flag else None,
         "gone_at": draw(st.sampled_from(TIME_KINDS)) if at else None,
         "version": draw(st.sampled_from(["bigint", "timestamptz", "numeric(12,3)"])) if numbered else None},
    )  # fmt: skip
    payload = [c for c in columns if c not in {*key, "updated_at", "is_gone", "gone_at"}]
    duplicates = draw(often("fail", "quarantine", *(["latest", "latest"] if timed or numbered else [])))
    nullable = tuple(k for k in key if draw(often(False, True)))
    made = Snapshot(
        columns, key, strategy,
        updated_at="updated_at" if timed else None,
        hard_deletes=hard_deletes,
        deleted_flag="is_gone" if flag else None,
        deleted_at="gone_at" if at else None,
        dbt_valid_to_current=draw(often(None, dt.date(9999, 12, 31))),
        nullable_keys=nullable,
        on_duplicate_key=duplicates,
        version_column="version" if duplicates == "latest" and numbered and (not timed or draw(st.booleans())) else None,
        on_null_key=draw(often("fail", "quarantine")) if set(nullable) < set(key) else "fail",
    )  # fmt: skip
    if len(payload) > 1:
        chosen = {c: draw(st.sampled_from(["overwrite", "ignore", "new_version"])) for c in payload[1:3] if draw(often(False, True))}
        made = replace(made, on_change=chosen)
    if strategy == "check":
        listed = tuple(c for c in payload if c not in made.on_change)
        match draw(st.sampled_from(["all", "list", "all_except"])):
            case "list":
                made = replace(made, check_cols=listed[: draw(st.integers(1, 3))])
            case "all_except" if len(listed) > 1:
                made = replace(made, all_except=listed[1:2])
    else:
        made = replace(
            made,
            on_null_updated_at=draw(often("fail", "as_of", "quarantine")),
            on_future_updated_at=draw(often("fail", "as_of", "quarantine")),
            on_unmoved_timestamp=draw(often("version", "ignore", "fail")),
            future_tolerance=draw(often(made.future_tolerance, dt.timedelta(), dt.timedelta(days=1))),
        )
    if deletes:
        made = replace(made, on_empty_source=draw(often("fail", "allow")), max_delete_fraction=draw(often(None, 0.3, 0.5)))
        if made.max_delete_fraction is not None:
            made = replace(made, min_delete_rows=draw(st.sampled_from([1, 2, 3])))
    if strategy == "timestamp" and made.on_unmoved_timestamp == "ignore" and draw(st.booleans()):
        found = draw(st.sampled_from(["anti_join", "none"])) if flag or at or not deletes else "anti_join"
        made = replace(made, source_delta=found, lookback=draw(often(dt.timedelta(), dt.timedelta(hours=7))), version_column=None)
    return made


@st.composite
def incremental_settings(draw: Callable[..., Any]) -> Incremental:
    strategy = draw(st.sampled_from(["merge", "delete+insert", "append"]))
    timed = strategy == "append" or draw(often(True, False))
    versioned = strategy == "merge" and draw(st.booleans())
    key, columns = _columns(
        draw, draw(often(1, 2)), often(2, 0, 1, 4, 60),
        {"updated_at": draw(st.sampled_from(TIME_KINDS)) if timed else None,
         "version": draw(st.sampled_from(["bigint", "timestamptz", "numeric(12,3)", "date"])) if versioned else None},
    )  # fmt: skip
    by_time = versioned and timed and draw(often(False, True))
    lookback = draw(often(dt.timedelta(), dt.timedelta(hours=7), dt.timedelta(days=3)))
    free = [c for c in columns if c not in {*key, "updated_at", "version"}]
    narrowed = draw(often(None, "update", "exclude")) if strategy == "merge" and free else None
    return Incremental(
        columns, strategy,
        unique_key=key if strategy != "append" or draw(often(False, True)) else (),
        cursor="updated_at" if timed else None,
        lookback=lookback if timed and strategy != "append" else dt.timedelta(),
        version_column="updated_at" if by_time else "version" if versioned else None,
        merge_update_columns=tuple(c for c in columns if c in {free[0], "updated_at", "version"}) if narrowed == "update" else (),
        merge_exclude_columns=tuple(free[:2]) if narrowed == "exclude" else (),
    )  # fmt: skip
