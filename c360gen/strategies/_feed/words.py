"""The words of a feed: columns of the stage and of the steps between, and what makes a row one kind of event or another."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from c360gen.project.nodes import Feed, Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._history.versions import recorded_of
from c360gen.strategies._sql import equal, is_null, named
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

AT, GONE, OWN, TURN, BEGINS = "c360_at", "c360_gone", "c360_own", "c360_turn", "c360_begins"
"""When; whether it deletes; whether its row names the key; 1 for the last event of an instant; whether it changes anything."""

PRIOR, NEXT = "c360_prior", "c360_next"
"""The copy before, the copy after."""

SOURCE, EVENT, TRUNCATE = "source", "event", "truncate"
NULL_KEY, DUPLICATE, NULL_TIME, FUTURE_TIME, FROZEN, LATE = "null_key", "duplicate_key", "null_time", "future_time", "frozen", "late"
START, CLOSE, REWRITE, VANISH, UNEXPLAINED = "start", "close", "rewrite", "vanish", "unexplained"

OBSERVED = ("c360_observed_at", "c360_run_id")
"""The columns of the log of observations before those of the feed."""

Parts = list[tuple[str, exp.Query]]
"""Steps of a statement, each with its name: WITH a AS (…), b AS (…)."""


def feed_of(node: Snapshot) -> Feed:
    assert node.feed is not None, "strategies of feeds get nodes with a feed"
    return node.feed


def recorded(node: Snapshot) -> list[str]:
    return [c.name for c in recorded_of(node)]


def own(node: Snapshot) -> list[str]:
    """c360_own, where there are events whose row does not name the key but that come in an order with others."""
    return [OWN] if feed_of(node).truncate_when else []


def turns(node: Snapshot) -> bool:
    """Whether a key may have several events at one instant."""
    return bool(feed_of(node).sequence or own(node))


def shortcuts(node: Snapshot) -> bool:
    """Whether an earlier event of an instant is without effect; where NULL means unchanged, its other columns count."""
    return turns(node) and not feed_of(node).ignored_nulls


def derives_deletes(node: Snapshot) -> bool:
    """Whether a key that a copy does not hold is gone."""
    return node.strategy == "daily_copies" and node.hard_deletes != "ignore"


def problems(node: Snapshot) -> dict[str, str]:
    """What a row may not be → what happens then: fail or quarantine."""
    policies, feed = node.policies, feed_of(node)
    found = {NULL_KEY: policies.on_null_key} if len(node.nullable_key) < len(node.key) else {}
    found |= {NULL_TIME: policies.on_null_updated_at, FUTURE_TIME: policies.on_future_updated_at, DUPLICATE: policies.on_duplicate_key}
    kept = "fail" if feed.late == "reject" else "quarantine"
    if feed.frozen_before is not None:
        found[FROZEN] = kept
    return found if feed.rebuilds else {**found, LATE: kept}


def place(node: Snapshot) -> list[str]:
    """The columns that order the events of a key."""
    return list(dict.fromkeys([str(node.updated_at), *feed_of(node).sequence]))


def times(node: Snapshot) -> list[str]:
    """The columns of which none may be NULL."""
    return list(dict.fromkeys([*place(node), feed_of(node).cursor]))


def instant(node: Snapshot, name: str, table: str) -> exp.Expr:
    return _sql.as_time(column(name, table), node.column(name).type)


def frozen(node: Snapshot) -> exp.Expr | None:
    before = feed_of(node).frozen_before
    return None if before is None else _sql.instant(before)


def operation_is(node: Snapshot, values: Sequence[str | int | bool], table: str) -> exp.Expr:
    operation = column(str(feed_of(node).operation), table)
    if len(values) == 1:
        return equal(operation, exp.convert(values[0]))
    return exp.In(this=operation, expressions=[exp.convert(v) for v in values])


def deletes(node: Snapshot, table: str) -> exp.Expr:
    """Whether a row deletes, as a boolean that is never NULL."""
    values = (*feed_of(node).delete_when, *feed_of(node).truncate_when)
    return _sql.case((operation_is(node, values, table), exp.true()), otherwise=exp.false()) if values else exp.false()


def since_oldest(node: Snapshot, table: str) -> exp.Expr:
    """updated_at >= the oldest event of this run, in the type of the column, so that an index or a partition can answer it."""
    type_ = _sql.known(node.column(str(node.updated_at)).type)
    oldest: exp.Expr = variable("oldest")
    if type_ != types.TIMESTAMPTZ:
        oldest = exp.cast(oldest, type_.copy())
    return exp.GTE(this=column(str(node.updated_at), table), expression=oldest)


def staged(node: Snapshot, *actions: str, alias: str = "s") -> tuple[exp.Table, exp.Expr]:
    """The stage, and the condition for rows of some kinds."""
    return relation("stage", node.name, alias), _sql.action_is(*actions, table=alias)


def keys(node: Snapshot, table: str) -> list[exp.Expr]:
    return [column(k, table) for k in node.key]


def by_key(node: Snapshot, table: str) -> list[exp.Expr]:
    """The key in PARTITION BY."""
    return [_sql.groupable(node.column(k), column(k, table)) for k in node.key]


def event_columns(node: Snapshot, table: str) -> list[exp.Expr]:
    """What an event has in every step."""
    return [column(n, table) for n in (AT, GONE, *own(node), *recorded(node))]


def from_stage(node: Snapshot) -> exp.Select:
    """The events of this run."""
    table, condition = staged(node, EVENT)
    marks = [named(exp.true(), OWN)] if own(node) else []
    return exp.select(column(AT, "s"), column(GONE, "s"), *marks, *(column(n, "s") for n in recorded(node))).from_(table).where(condition)


def from_observations(node: Snapshot) -> exp.Select:
    """The events of earlier runs that are not older than the oldest of this run."""
    marks = [named(exp.true(), OWN)] if own(node) else []
    query = exp.select(
        named(instant(node, str(node.updated_at), "o"), AT), named(deletes(node, "o"), GONE), *marks,
        *(column(n, "o") for n in recorded(node)),
    )  # fmt: skip
    query = query.from_(relation("observations", node.name, "o")).where(since_oldest(node, "o"))
    return query.where(not_truncate(node, "o")) if own(node) else query


def not_truncate(node: Snapshot, table: str) -> exp.Expr:
    operation = column(str(feed_of(node).operation), table)
    return _sql.any_of([is_null(operation), exp.Not(this=is_truncate(node, table))])


def is_truncate(node: Snapshot, table: str) -> exp.Expr:
    return operation_is(node, feed_of(node).truncate_when, table)


def union(*arms: exp.Query, distinct: bool = False) -> exp.Query:
    found = arms[0]
    for arm in arms[1:]:
        found = exp.union(found, arm, distinct=distinct, copy=False)
    return found


def with_steps(query: exp.Query, parts: Parts) -> exp.Query:
    for name, part in parts:
        query = query.with_(exp.to_identifier(name, quoted=True), as_=part, copy=False)
    return query
