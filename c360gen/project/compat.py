"""`compat: dbt`: how the columns of a history are called, and which settings mean nothing beside it."""

from __future__ import annotations

from dataclasses import dataclass

from c360gen.diagnostics import Diagnostics
from c360gen.spec import models as spec
from c360gen.spec.load import Located

_SOFT = "dbt knows no soft deletes"
_FILTER = "leave those rows out in the relation and say hard_deletes, or omit compat"
MEANINGLESS = {
    "deleted_flag": (_SOFT, _FILTER),
    "deleted_at": (_SOFT, _FILTER),
    "on_unmoved_timestamp": (
        "dbt finds a change by its time alone: what changes without it is never seen",
        "remove it, or omit compat to see such changes",
    ),
    "source_delta": (
        "dbt reads the whole source: a row that comes late, or back, with a time before the watermark would be missed",
        "remove it, or omit compat",
    ),
}
"""Settings that contradict what dbt does → why, and what to do instead."""
NEVER_BY_RUN = {
    "on_null_updated_at": "a row without a time would be kept once and then never change again",
    "on_future_updated_at": "a row that is ahead of the clock would be a change on every run",
}
"""Policies that may not be as_of where a change is found by its time."""


@dataclass(frozen=True)
class HistoryNames:
    """How the columns of a history are called; None where it has no such column."""

    valid_from: str
    valid_to: str
    is_deleted: str | None
    row_id: str | None
    row_time: str | None

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(n for n in (self.row_id, self.row_time, self.valid_from, self.valid_to, self.is_deleted) if n)


def history_names(config: spec.SnapshotConfig) -> HistoryNames:
    """dbt's own names under compat: dbt, without `dbt_` otherwise, unless the spec renames them."""
    given, prefix = config.snapshot_meta_column_names, "" if config.compat else "dbt_"

    def name(key: str) -> str:
        chosen: str | None = getattr(given, key)
        return chosen or key.removeprefix(prefix)

    return HistoryNames(
        name("dbt_valid_from"), name("dbt_valid_to"), name("dbt_is_deleted") if config.hard_deletes == "new_record" else None,
        name("dbt_scd_id") if config.compat else None, name("dbt_updated_at") if config.compat else None,
    )  # fmt: skip


def check(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    """Settings that contradict compat: dbt, and names that need it."""
    config = located.spec.config

    def wrong(message: str, help: str, *loc: str | int) -> None:
        diagnostics.error("C401", message, located.key_span(*loc), help)

    if config.compat is None:
        for key in ("dbt_scd_id", "dbt_updated_at"):
            if getattr(config.snapshot_meta_column_names, key) is not None:
                help = "remove it: the key and valid_from name a version; dbt's columns come with compat: dbt"
                wrong(f"{key} is written with compat: dbt only", help, "config", "snapshot_meta_column_names", key)
        return
    if config.strategy in ("changelog", "daily_copies"):
        help = "remove compat, or say strategy: timestamp or check"
        wrong(f"compat: dbt has no place for strategy: {config.strategy}: dbt reads no feeds", help, "config", "compat")
        return
    for key, (message, help) in MEANINGLESS.items():
        only_timestamp = key in ("on_unmoved_timestamp", "source_delta") and config.strategy != "timestamp"
        if key in config.model_fields_set and not only_timestamp:
            wrong(f"compat: dbt has no place for {key}: {message}", help, "config", key)
    for key, message in NEVER_BY_RUN.items():
        if config.strategy == "timestamp" and getattr(config, key) == "as_of":
            wrong(f"compat: dbt has no place for {key}: as_of: {message}", "say fail or quarantine", "config", key)
    for index, column in enumerate(located.spec.columns):
        if column.on_change is not None:
            by_time = config.strategy == "timestamp"
            help = "remove it: dbt finds a change by its time alone" if by_time else "remove it, and list what counts in check_cols"
            wrong("compat: dbt has no place for on_change", help, "columns", index, "on_change")
