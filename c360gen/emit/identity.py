"""Hashes that say whether something changed: the shape of the tables, and the meaning of a node. Descriptions are in neither."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from typing import Any

from c360gen.diagnostics import Span
from c360gen.project.nodes import Feed, Node, Query, Snapshot
from c360gen.project.resolved import Resolved
from c360gen.spec.models import Target
from c360gen.terms import types

ALGORITHM = "1"
"""Part of every hash: a change of what is hashed must not pass for a change of the specs."""


_NO_HISTORY = Snapshot("", "snapshot", "", "", (), (), Span(""))
"""What the hash of a model says of a history: words that it would not need, and keeps, or every hash would be another one."""


def shape(project: Resolved, target: Target) -> str:
    """The hash of tables, columns, types, keys and strategies: what deploy stores and compares."""
    tables = [
        {
            "table": f"{target.schema_prefix}{node.schema}.{node.identifier}", "kind": node.kind, "strategy": node.strategy,
            "key": node.key, "columns": [(c.name, _type(c.type)) for c in node.columns],
            "interval": _interval(node) if isinstance(node, Snapshot) else None,
            "nullable_key": node.nullable_key, "quarantine": node.quarantines,
            **({"observations": node.feed.rebuilds} if isinstance(node, Snapshot) and node.feed else {}),
            **_used({"constraints": _constraints(node)}),
            **_used({"windows": (node.batches.event_time, node.batches.size) if node.batches else ()}),
        }
        for node in sorted(project.nodes.values(), key=lambda n: n.name) if node.stored
    ]  # fmt: skip
    return _hash({"tables": tables, "control": project.project.control_schema})


def meaning(node: Node, project: Resolved, dialect: str) -> str:
    """The hash of everything that decides what a run of the node does: what its procedure logs."""
    query = node.query(dialect) if node.queries else None
    partition = (node.partition_by, node.partition_size) if node.strategy == "insert_overwrite" else ()
    windows = dataclasses.asdict(node.batches) | {"begin": node.batches.begin.isoformat()} if node.batches else {}
    frozen = [c.name for c in node.columns if c.name not in (*node.key, *node.updated)] if node.strategy == "merge" else []
    history = node if isinstance(node, Snapshot) else _NO_HISTORY
    return _hash({
        "node": f"{node.schema}.{node.identifier}", "kind": node.kind, "strategy": node.strategy, "compat": history.compat,
        "key": node.key, "columns": [(c.name, _type(c.type)) for c in node.columns], "relation": history.relation,
        "updated_at": history.updated_at, "tracked": history.tracked, "overwritten": history.overwritten,
        "hard_deletes": history.hard_deletes,
        "deleted": (history.deleted_flag, history.deleted_at), "interval": _interval(history),
        "nullable_key": node.nullable_key, "policies": dataclasses.asdict(history.policies), "source_delta": history.source_delta,
        "cursor": node.cursor, "lookback": node.lookback, "version_column": node.version_column,
        **({"feed": _feed(history.feed)} if history.feed else {}),
        "sql": _texts(query) if query else [],
        **_used({
            "inlined": _inlined(node, project, dialect), "frozen": frozen, "partition": partition, "windows": windows,
            "keeps_rows": node.keeps_rows, "constraints": _constraints(node),
        }),
    })  # fmt: skip


def _interval(node: Snapshot) -> tuple[Any, ...]:
    return node.valid_from, node.valid_to, _instant(node.open_until)


def _constraints(node: Node) -> list[Any]:
    return [(c.kind, c.columns, c.condition and c.condition.sql("postgres", comments=False), c.to, c.to_columns) for c in node.constraints]


def watched(project: Resolved) -> str:
    """The hash of what check_freshness asks of sources."""
    return _hash([
        (s.name, s.freshness.warn_after, s.freshness.error_after, s.freshness.query.sql("postgres", comments=False))
        for s in project.sources.values() if s.freshness
    ])  # fmt: skip


def _texts(query: Query) -> list[str]:
    return [q.sql("postgres", comments=False) for q in (query.first, query.incremental) if q]


def _inlined(node: Node, project: Resolved, dialect: str) -> dict[str, list[str]]:
    """The SQL of ephemeral models that becomes a part of the node's own."""
    parts = (n for n in project.upstream(node, lambda n: not n.exists) if isinstance(n, Node) and not n.exists)
    return {part.name: _texts(part.query(dialect)) for part in parts}


def _feed(feed: Feed) -> dict[str, Any]:
    return {**dataclasses.asdict(feed), "frozen_before": _instant(feed.frozen_before)}


def _used(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings that are not used are not hashed: a new word of the language changes nobody's hash."""
    return {name: value for name, value in settings.items() if value}


def _instant(at: dt.datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _type(type_: Any) -> str | None:
    return types.text(type_) if type_ is not None else None


def _hash(value: Any) -> str:
    text = json.dumps([ALGORITHM, value], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
