"""strategy: daily_copies. History from dated full copies: a key that a copy does not hold is gone at its date."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _feed, _sql
from c360gen.strategies._feed.words import (
    AT,
    DUPLICATE,
    EVENT,
    GONE,
    NEXT,
    PRIOR,
    Parts,
    derives_deletes,
    feed_of,
    from_observations,
    from_stage,
    instant,
    keys,
    recorded,
    since_oldest,
    staged,
    union,
)
from c360gen.strategies._sql import any_of, equal, every, is_null, named, not_null, step
from c360gen.terms import types
from c360gen.terms.symbols import column, relation


def plan(node: Snapshot, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    return _feed.plan(node, project, traits, _keys(node), _events(node))


def _keys(node: Snapshot) -> exp.Query | None:
    """A copy tells of every key, of those that it does not hold as well."""
    if derives_deletes(node):
        return None
    table, condition = staged(node, EVENT)
    return exp.select(*keys(node, "s")).from_(table).where(condition).distinct()


def _events(node: Snapshot) -> Parts:
    """Rows as they are, and a deletion at the date of a copy that does not hold a key which is due in it."""
    arms: list[exp.Query] = [from_stage(node)]
    if feed_of(node).rebuilds:
        known = from_observations(node)
        arms.append(known if derives_deletes(node) else known.join(step("keys", "k"), on=_sql.same_key(node, "o", "k"), join_type="inner"))
    if not derives_deletes(node):
        return [("events", union(*arms))]
    return [
        ("copies", _copies(node)), ("seen", _seen(node)), ("due", _due(node)), ("missing", _missing(node)),
        ("events", union(*arms, _deletions(node))),
    ]  # fmt: skip


def _rows(node: Snapshot, *names: str) -> list[exp.Select]:
    """Rows of all copies since the oldest of this run; a row that is kept back still shows that its key is there."""
    table, condition = staged(node, EVENT, DUPLICATE)
    arms = [exp.select(*(column(n, "s") for n in (*names, AT))).from_(table).where(condition)]
    if feed_of(node).rebuilds:
        at = named(instant(node, str(node.updated_at), "o"), AT)
        earlier = exp.select(*(column(n, "o") for n in names), at).from_(relation("observations", node.name, "o"))
        arms.append(earlier.where(since_oldest(node, "o")))
    return arms


def _copies(node: Snapshot) -> exp.Select:
    """The dates of the copies, each with the one before and the next."""
    dates = union(*_rows(node), distinct=True) if len(_rows(node)) > 1 else _rows(node)[0].distinct()
    before = _sql.window(exp.Lag(this=column(AT, "d")), [], _sql.order(column(AT, "d")))
    following = _sql.window(exp.Lead(this=column(AT, "d")), [], _sql.order(column(AT, "d")))
    return exp.select(column(AT, "d"), named(before, PRIOR), named(following, NEXT)).from_(dates.subquery("d"))


def _seen(node: Snapshot) -> exp.Query:
    """Where each key was seen."""
    return union(*_rows(node, *node.key))


def _due(node: Snapshot) -> exp.Query:
    """Where each key has to be seen: in the copy after one that holds it, and in the copies around the beginning of each version.

    A rebuild remembers every row, so that of the versions only those before the oldest copy tell it anything.
    """
    held = exp.select(*keys(node, "s"), named(column(NEXT, "c"), AT)).from_(step("seen", "s"))
    held = held.join(step("copies", "c"), on=equal(column(AT, "c"), column(AT, "s")), join_type="inner").where(not_null(column(NEXT, "c")))
    begun, oldest = column(node.valid_from, "k"), is_null(column(PRIOR, "c"))
    if feed_of(node).rebuilds:
        near = [exp.LT(this=begun, expression=column(AT, "c")), oldest]
    else:
        near = [
            exp.LTE(this=begun, expression=column(AT, "c")),
            any_of([oldest, exp.LTE(this=column(PRIOR, "c"), expression=begun.copy())]),
        ]
    known = exp.select(*keys(node, "k"), column(AT, "c")).from_(step("known", "k"))
    return union(held, known.join(step("copies", "c"), on=every(near), join_type="inner"))


def _missing(node: Snapshot) -> exp.Select:
    """Where a key is not seen though it is due."""
    here = every([_sql.same_key(node, "s", "d"), equal(column(AT, "s"), column(AT, "d"))])
    query = exp.select(*keys(node, "d"), column(AT, "d")).from_(step("due", "d")).join(step("seen", "s"), on=here, join_type="left")
    return query.where(is_null(column(AT, "s"))).distinct()


def _deletions(node: Snapshot) -> exp.Select:
    type_ = _sql.known(node.column(str(node.updated_at)).type)
    date: exp.Expr = column(AT, "m") if type_ == types.TIMESTAMPTZ else exp.cast(column(AT, "m"), type_.copy())
    values = {**{k: column(k, "m") for k in node.key}, str(node.updated_at): named(date, str(node.updated_at))}
    return exp.select(
        column(AT, "m"), named(exp.true(), GONE), *(values.get(n) or named(exp.null(), n) for n in recorded(node))
    ).from_(step("missing", "m"))  # fmt: skip
