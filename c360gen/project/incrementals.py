"""The settings of incrementals: which strategy takes which, what their columns must be, and what would lose rows in silence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from c360gen.diagnostics import Diagnostics
from c360gen.project import partitions
from c360gen.project.columns import find, named
from c360gen.project.nodes import Batches, Column, Node
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import periods, types

_TAKES: dict[str, tuple[str, ...]] = {
    "append": ("cursor",),
    "merge": ("cursor", "lookback", "version_column", "merge_update_columns", "merge_exclude_columns"),
    "delete_insert": ("cursor", "lookback"),
    "insert_overwrite": ("cursor", "lookback"),
    "microbatch": ("event_time", "batch_size", "begin", "lookback"),
}
"""The settings of each strategy; a setting of another one is an error, since it would mean nothing."""
_SETTINGS = tuple(dict.fromkeys(s for settings in _TAKES.values() for s in settings))
_WHY_NOT = {("append", "lookback"): "append has no lookback: it would append the same rows again"}
_INSTEAD = {
    ("append", "lookback"): "use merge or delete+insert with a unique_key where rows arrive late",
    ("microbatch", "cursor"): "event_time says in which window a row lies",
}
_NEEDED = {
    "event_time": "add event_time: the column of time that says in which window a row lies",
    "batch_size": "add batch_size: hour, day, month or year",
    "begin": "add begin: where the first window begins, such as '2026-01-01'",
}


def updated(config: spec.ModelConfig, columns: Sequence[Column]) -> tuple[str, ...]:
    """The columns in which merge updates a known row: dbt's merge_update_columns, or all but its merge_exclude_columns."""
    names = [c.name for c in columns]
    only = {named(n, names) for n in config.merge_update_columns or names}
    never = {named(n, names) for n in (*config.unique_key, *(config.merge_exclude_columns or ()))}
    return tuple(n for n in names if n in only and n not in never)


def seconds(config: spec.ModelConfig) -> int:
    """How far before the watermark reading starts."""
    return int(config.lookback.total_seconds()) if isinstance(config.lookback, dt.timedelta) else 0


def batches(config: spec.ModelConfig, columns: Collection[str]) -> Batches | None:
    """The windows of a microbatch; `begin` is taken back to where one begins, and one stays open behind the last, as in dbt."""
    if config.event_time is None or config.batch_size is None or config.begin is None:
        return None
    lookback = config.lookback if isinstance(config.lookback, int) else 1
    return Batches(named(config.event_time, columns), config.batch_size, periods.start(config.begin, config.batch_size), lookback)


def check(located: Located[spec.Model], node: Node, diagnostics: Diagnostics) -> None:
    """Report every setting that names no column of the output, or does not go with the others."""
    _columns(located, node, diagnostics)
    config = located.spec.config
    if node.kind != "incremental":
        for key in ("incremental_strategy", "full_refresh", "on_schema_change", *_SETTINGS):
            if key in config.model_fields_set and getattr(config, key) is not None:
                message = f"{key} is a setting of incrementals; {node.name} is {'' if node.kind == 'ephemeral' else 'a '}{node.kind}"
                diagnostics.error("C401", message, located.key_span("config", key), "add materialized: incremental")
        return
    if config.full_refresh:
        message = "full_refresh: true would replace every row on every run"
        diagnostics.error("C401", message, located.span("config", "full_refresh"), "say materialized: table, which is just that")
    _strategy(located, node, diagnostics)
    _cursor(located, node, diagnostics)
    if node.strategy == "merge":
        _merge(located, node, diagnostics)
    if node.strategy == "microbatch":
        _microbatch(located, node, diagnostics)


def _columns(located: Located[spec.Model], node: Node, diagnostics: Diagnostics) -> None:
    """Settings that name columns name columns of the output."""
    config = located.spec.config
    names = [c.name for c in node.columns]
    listed: list[tuple[str, str | None, tuple[str | int, ...]]] = [
        (key, getattr(config, key), (key,)) for key in ("cursor", "version_column", "event_time")
    ]
    for key in ("unique_key", "cluster_by", "merge_update_columns", "merge_exclude_columns"):
        listed += [(key, name, (key, i)) for i, name in enumerate(getattr(config, key) or ())]
    listed += [("indexes", name, ("indexes", i)) for i, index in enumerate(config.indexes) for name in index.columns]
    for key, name, loc in listed:
        if name is not None:
            find(name, names, f"{key}: the SQL of {node.name}", located.span("config", *loc), diagnostics)
    partitions.check(located, {c.name: c for c in node.columns}, f"the SQL of {node.name}", diagnostics)


def _strategy(located: Located[spec.Model], node: Node, diagnostics: Diagnostics) -> None:
    config = located.spec.config
    if node.strategy in ("merge", "delete_insert") and not node.key:
        message = f"incremental_strategy {config.incremental_strategy} needs a unique_key"
        diagnostics.error("C105", message, located.span("config", "incremental_strategy"), "add unique_key")
    if node.strategy == "insert_overwrite" and not node.partition_by:
        help = "add partition_by: {field: a column of time, granularity: day}"
        diagnostics.error("C105", "insert_overwrite needs partition_by: partitions are what it replaces", located.span("name"), help)
    if node.strategy == "insert_overwrite" and node.cursor and any(q.incremental is not None for q in node.queries.values()):
        help = "keep one of them: the cursor, which reads whole partitions, or the text"
        message = "insert_overwrite reads by its cursor, or by what is_incremental() says"
        diagnostics.error("C401", message, located.key_span("config", "cursor"), help)
    for key in _SETTINGS:
        if getattr(config, key) is not None and key not in _TAKES[node.strategy]:
            owners = [s.replace("_", "+") if s == "delete_insert" else s for s, taken in _TAKES.items() if key in taken]
            listed = " and ".join(filter(None, (", ".join(owners[:-1]), owners[-1])))
            message = _WHY_NOT.get((node.strategy, key)) or f"{key} is a setting of {listed}"
            diagnostics.error("C401", message, located.key_span("config", key), _INSTEAD.get((node.strategy, key)))


def _cursor(located: Located[spec.Model], node: Node, diagnostics: Diagnostics) -> None:
    config = located.spec.config
    found = {c.name: c.type for c in node.columns}
    if node.cursor in found and (t := found[str(node.cursor)]) is not None and t.this not in types.TIMES:
        message = f"cursor: {node.cursor} is {types.text(t)}, not a time"
        diagnostics.error("C401", message, located.span("config", "cursor"), "a cursor is a date, timestamp or timestamptz")
    if isinstance(config.lookback, int) and node.strategy != "microbatch":
        message = f"lookback: {config.lookback} is a number of batches, which only microbatch has"
        diagnostics.error("C401", message, located.span("config", "lookback"), "write a duration such as '3 days'")
    elif config.lookback is not None and not node.cursor and node.strategy != "microbatch":
        help = "add cursor: the column that moves with time"
        diagnostics.error("C105", "lookback needs a cursor", located.key_span("config", "lookback"), help)
    if node.strategy == "append" and not node.cursor and all(q.incremental is None for q in node.queries.values()):
        help = "add cursor:, or use is_incremental() in the SQL"
        diagnostics.error("C105", "append without a cursor would append every row on every run", located.span("name"), help)


def _merge(located: Located[spec.Model], node: Node, diagnostics: Diagnostics) -> None:
    """What orders rows must be updated with them."""
    config = located.spec.config
    if config.merge_update_columns and config.merge_exclude_columns:
        message = "merge_update_columns and merge_exclude_columns exclude each other"
        diagnostics.error("C401", message, located.key_span("config", "merge_exclude_columns"), "keep the shorter of the two lists")
        return
    key, mend = ("merge_exclude_columns", "remove") if config.merge_exclude_columns else ("merge_update_columns", "add")
    reasons = {
        "cursor": (node.cursor, "a row would keep its old time under new values, and whoever reads this table by it would miss them"),
        "version_column": (node.version_column, "a row would keep its old version under new values, and an older row would replace it"),
    }
    for what, (name, reason) in reasons.items():
        if name not in (None, *node.updated, *node.key) and any(c.name == name for c in node.columns):
            message = f"{key}: the {what} {name} must be updated with its row"
            diagnostics.error("C401", message, located.key_span("config", key), f"{mend} {name}: {reason}")


def _microbatch(located: Located[spec.Model], node: Node, diagnostics: Diagnostics) -> None:
    config = located.spec.config
    for key, help in _NEEDED.items():
        if getattr(config, key) is None:
            diagnostics.error("C105", f"incremental_strategy microbatch needs {key}", located.span("config", "incremental_strategy"), help)
    if isinstance(config.lookback, dt.timedelta):
        message = "lookback of a microbatch is a number of batches"
        diagnostics.error("C401", message, located.span("config", "lookback"), "write lookback: 3")
    type_ = next((c.type for c in node.columns if node.batches and c.name == node.batches.event_time), None)
    if type_ is None:
        return
    if type_.this not in types.TIMES:
        message = f"event_time: {config.event_time} is {types.text(type_)}, not a time"
        diagnostics.error("C401", message, located.span("config", "event_time"), "it is a date, timestamp or timestamptz")
    elif type_.this is types.T.DATE and config.batch_size == "hour":
        message = f"batch_size: {config.event_time} is a date, which has no hours"
        diagnostics.error("C401", message, located.span("config", "batch_size"), "say batch_size: day")
