"""What only a snapshot over a feed has: how its events are ordered, what deletes, what happens to those that come late."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from c360gen.diagnostics import Diagnostics
from c360gen.project.nodes import Column, Feed
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import types

STRATEGIES = ("changelog", "daily_copies")
CHANGELOG_KEYS = ("sequence_by", "operation", "delete_when", "truncate_when", "ignore_null_updates")
KEYS = (*CHANGELOG_KEYS, "cursor", "late", "frozen_before")
_STATE_KEYS = (
    "check_cols", "deleted_flag", "deleted_at", "version_column", "on_unmoved_timestamp", "on_empty_source", "source_delta",
)  # fmt: skip


def resolve(
    located: Located[spec.Snapshot], relation: Mapping[str, Column], key: tuple[str, ...], updated_at: str, cursor: str | None,
    column: Callable[..., str], diagnostics: Diagnostics,
) -> Feed:  # fmt: skip
    config = located.spec.config
    sequence = tuple(column(n, "sequence_by", "config", "sequence_by", i) for i, n in enumerate(config.sequence_by))
    operation = column(config.operation, "operation", "config", "operation") if config.operation else None
    roles = {updated_at: "updated_at", **({cursor: "cursor"} if cursor else {}), **dict.fromkeys(sequence, "sequence_by")}
    if operation:
        roles[operation] = "operation"
    for index, name in enumerate(key):
        if name in roles:
            message = f"unique_key: {name} is {roles[name]} already, and so differs from event to event"
            diagnostics.error("C401", message, located.span("config", "unique_key", index), "a key stays the same while its row changes")
    ignored = _ignored(located, relation, {*key, *roles}, column, diagnostics)
    deletes, truncates = (_values(located, which, relation.get(operation or ""), diagnostics) for which in ("delete_when", "truncate_when"))
    if both := sorted({str(v) for v in deletes} & {str(v) for v in truncates}):
        message = f"truncate_when: {', '.join(both)} is a value of delete_when already"
        diagnostics.error("C401", message, located.span("config", "truncate_when"))
    _settings(located, diagnostics)
    return Feed(cursor or updated_at, sequence, operation, deletes, truncates, ignored, config.late, config.frozen_before)


def others(feed: Feed) -> tuple[str, ...]:
    """Columns that tell of the event and not of its key: what they say is recorded, but never a change."""
    return (feed.cursor, *feed.sequence, *((feed.operation,) if feed.operation else ()))


def _ignored(
    located: Located[spec.Snapshot], relation: Mapping[str, Column], never: Iterable[str], column: Callable[..., str],
    diagnostics: Diagnostics,
) -> tuple[str, ...]:  # fmt: skip
    chosen = located.spec.config.ignore_null_updates
    untracked = {c.name for c in located.spec.columns if c.on_change in ("ignore", "overwrite")}
    if isinstance(chosen, bool):
        return tuple(n for n in relation if n not in never and n not in untracked) if chosen else ()
    found = []
    for index, given in enumerate(chosen):
        name = column(given, "ignore_null_updates", "config", "ignore_null_updates", index)
        at = located.span("config", "ignore_null_updates", index)
        if name in never:
            diagnostics.error("C401", f"ignore_null_updates: {name} has a part of its own in the history", at)
        elif name in untracked:
            help = "the history does not follow it, and so does not know what it was before"
            diagnostics.error("C401", f"ignore_null_updates: {name} is not tracked", at, help)
        found.append(name)
    return tuple(dict.fromkeys(found))


def _values(
    located: Located[spec.Snapshot], which: str, operation: Column | None, diagnostics: Diagnostics
) -> tuple[str | int | bool, ...]:
    """The values of the operation that mean something, which must be of its kind."""
    values: tuple[str | int | bool, ...] = getattr(located.spec.config, which)
    if operation is None or operation.type is None:
        return values
    family = types.family(operation.type)
    kind = {"text": str, "integer": int, "boolean": bool}.get(family)
    for value in values:
        if kind is None or type(value) is not kind:
            message = f"{which}: {value} is not a value of {operation.name}, which is {types.text(operation.type)}"
            diagnostics.error("C401", message, located.span("config", which))
    return values


def _settings(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    """Settings of other strategies, and what needs another setting."""
    config = located.spec.config
    is_changelog = config.strategy == "changelog"

    def wrong(key: str, message: str, help: str | None = None, code: str = "C401") -> None:
        if key in config.model_fields_set:
            diagnostics.error(code, message, located.key_span("config", key), help)

    for key in _STATE_KEYS:
        help = {
            "check_cols": "every column is tracked; one that should not count says on_change: ignore",
            "version_column": "the order of events is updated_at, then sequence_by",
            "deleted_flag": "operation and delete_when say what is deleted",
            "deleted_at": "operation and delete_when say what is deleted",
            "source_delta": "only what is beyond the watermark is read anyway",
        }.get(key, "a feed holds events, not the current state")
        wrong(key, f"{key} is a setting of strategy: timestamp or check", help)
    for key in ("on_null_key", "on_duplicate_key", "on_null_updated_at", "on_future_updated_at"):
        if getattr(config, key) not in ("fail", "quarantine"):
            wrong(key, f"{key} of a feed must be fail or quarantine", "an event is what it says, or is kept back")
    if config.operation is None:
        for key in ("delete_when", "truncate_when"):
            wrong(key, f"{key} needs operation", "name the column that says what an event does", "C105")
    elif not (config.delete_when or config.truncate_when):
        wrong("operation", "operation needs delete_when or truncate_when", "say which of its values delete", "C105")
    if not (config.cursor and config.cursor != config.updated_at) and not config.lookback and config.frozen_before is None:
        help = "add lookback, or cursor: the column that says when a row came into the feed"
        wrong("late", f"late means nothing while rows at or before the watermark of {config.updated_at} are not read", help)
    if is_changelog:
        if config.hard_deletes != "invalidate":
            wrong("hard_deletes", "what strategy changelog deletes, delete_when says", "the version of a deleted key ends there")
        for key in ("max_delete_fraction", "min_delete_rows"):
            wrong(key, f"{key} is for sources in which a missing row means a delete", "the events of a changelog say so themselves")
        if config.ignore_null_updates and config.lookback and config.late != "rebuild":
            help = "say late: rebuild, or omit lookback"
            wrong("lookback", "events that are read again could not be told from late ones where NULL means unchanged", help)
        return
    for key in CHANGELOG_KEYS:
        wrong(key, f"{key} is a setting of strategy: changelog", "a copy holds rows, not operations")
    if config.hard_deletes == "new_record":
        wrong("hard_deletes", "hard_deletes: new_record is for strategies timestamp and check", "the gap in the history says the same")
    if config.hard_deletes == "ignore" and "hard_deletes" in config.model_fields_set:
        for key in ("max_delete_fraction", "min_delete_rows"):
            wrong(key, f"{key} means nothing while hard_deletes is ignore", "add hard_deletes: invalidate")
    if config.max_delete_fraction is None:
        wrong("min_delete_rows", "min_delete_rows needs max_delete_fraction", code="C105")
    if config.cursor is not None and config.late != "rebuild":
        help = "omit it, so that copies are read in the order of their dates, or say late: rebuild"
        wrong("cursor", "daily copies that are read in the order of another time need late: rebuild", help)
    if config.on_duplicate_key == "quarantine" and config.late == "rebuild":
        help = "leave on_duplicate_key at fail"
        wrong("on_duplicate_key", "a key that is kept back would look as if it were gone when its history is rebuilt", help)
