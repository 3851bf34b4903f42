"""Settings of a snapshot that mean nothing without another one, contradict it, or would lose changes in silence."""

from __future__ import annotations

from c360gen.diagnostics import Diagnostics
from c360gen.project import feeds
from c360gen.project.nodes import Erasure, Feed
from c360gen.spec import models as spec
from c360gen.spec.load import Located


def check(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    _strategy(located, diagnostics)
    if located.spec.config.strategy not in feeds.STRATEGIES:
        _policies(located, diagnostics)


def check_erasure(
    located: Located[spec.Snapshot], erasure: Erasure, key: tuple[str, ...], feed: Feed | None, diagnostics: Diagnostics
) -> None:
    """A person is found by one column, in every row and every event that is of them, and what is left is a sound history."""
    config = located.spec.config
    if feed is not None and erasure.by in feed.ignored_nulls:
        message = f"erasure: {erasure.by} is NULL in events that do not change it: these would not be known as the person's"
        help = "let ignore_null_updates list the other columns, or name a column of the key"
        diagnostics.error("C401", message, located.span("config", "erasure", "by"), help)
    if not erasure.redact and erasure.by not in key and feed is None and config.hard_deletes != "invalidate":
        message = f"erasure: rows by {erasure.by} may lie between others of one key, and hard_deletes: {config.hard_deletes} has no gaps"
        help = "say redact:, which keeps the versions, or hard_deletes: invalidate"
        diagnostics.error("C401", message, located.span("config", "erasure", "by"), help)


def _strategy(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    snapshot, config = located.spec, located.spec.config
    if config.strategy is None:
        help = "add strategy: timestamp (with updated_at), check (with check_cols), or for feeds changelog or daily_copies"
        diagnostics.error("C105", f"snapshot {snapshot.name} has no strategy", located.span("config"), help)
    elif config.strategy == "timestamp" and config.updated_at is None:
        help = "name the column that moves when a row changes, or use strategy: check"
        diagnostics.error("C105", "strategy timestamp needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "timestamp" and config.check_cols:
        help = "remove it, or use strategy: check; a column that should not count says on_change: ignore"
        diagnostics.error(
            "C401", "strategy timestamp tracks every column: check_cols means nothing", located.key_span("config", "check_cols"), help
        )
    elif config.strategy == "changelog" and config.updated_at is None:
        help = "name the column that says when an event happened"
        diagnostics.error("C105", "strategy changelog needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "daily_copies" and config.updated_at is None:
        help = "name the column that dates the copy of a row"
        diagnostics.error("C105", "strategy daily_copies needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "check" and not config.check_cols:
        help = "add check_cols: all, or a list of columns"
        diagnostics.error("C105", "strategy check needs check_cols", located.span("config", "strategy"), help)


def _policies(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    """Settings that mean nothing without another one, or that would lose changes in silence."""
    config = located.spec.config

    def wrong(key: str, message: str, help: str | None = None, code: str = "C401") -> None:
        if key in config.model_fields_set:
            diagnostics.error(code, message, located.key_span("config", key), help)

    if config.dbt_valid_to_current is not None and config.dbt_valid_to_current.year < 2100:
        message = f"dbt_valid_to_current: {config.dbt_valid_to_current.date()} will come, and open versions would look as if they had ended"
        wrong("dbt_valid_to_current", message, "use a time that no row can have, such as '9999-12-31'")
    for key in feeds.KEYS:
        wrong(key, f"{key} is a setting of strategy: changelog" + ("" if key in feeds.CHANGELOG_KEYS else " or daily_copies"))
    if config.strategy == "check":
        for key in ("on_null_updated_at", "on_future_updated_at", "on_unmoved_timestamp", "source_delta"):
            wrong(key, f"{key} is a setting of strategy: timestamp", "strategy check finds a change whatever its time says")
    if config.hard_deletes == "ignore":
        for key in ("deleted_flag", "deleted_at", "on_empty_source", "max_delete_fraction", "min_delete_rows"):
            wrong(key, f"{key} means nothing while hard_deletes is ignore", "add hard_deletes: invalidate or new_record")
    if config.max_delete_fraction is None:
        wrong("min_delete_rows", "min_delete_rows needs max_delete_fraction", code="C105")
    if config.on_duplicate_key == "latest" and not (config.version_column or config.updated_at):
        help = "add version_column, or updated_at"
        wrong("on_duplicate_key", "on_duplicate_key: latest needs a column that tells which row is the latest", help, "C105")
    if config.on_duplicate_key != "latest":
        wrong("version_column", "version_column needs on_duplicate_key: latest", code="C105")
    if config.nullable_keys and set(config.nullable_keys) >= set(config.unique_key):
        wrong("on_null_key", "on_null_key means nothing where every column of the key may be NULL")
    if config.source_delta is None:
        wrong("lookback", "lookback of a snapshot needs source_delta: true", code="C105")
    elif config.on_unmoved_timestamp != "ignore" and config.compat is None:
        help = "say on_unmoved_timestamp: ignore as well, which accepts that, or omit source_delta"
        wrong("source_delta", "source_delta cannot see a row that changes without its updated_at", help)
    if config.source_delta and config.version_column not in (None, config.updated_at):
        help = "omit source_delta, or tell the latest row by updated_at"
        wrong("version_column", "with source_delta the row with the latest version may not be among those that are read", help)
    if config.source_delta and config.source_delta.deletes == "none" and config.hard_deletes != "ignore" and not (
        config.deleted_flag or config.deleted_at
    ):  # fmt: skip
        help = "say deletes: anti_join, or name deleted_flag or deleted_at, or say hard_deletes: ignore"
        wrong("source_delta", "with deletes: none no deletion would ever be found", help)
