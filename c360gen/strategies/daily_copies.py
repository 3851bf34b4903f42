"""strategy: daily_copies. History from dated full copies: a key that a copy does not hold is gone at its date."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node, Resolved
from c360gen.strategies import Artefacts, _feed, _sql
from c360gen.strategies._feed.words import (
    AGAIN,
    AT,
    DUPLICATE,
    EVENT,
    GONE,
    NEXT,
    Parts,
    by_key,
    derives_deletes,
    feed_of,
    from_observations,
    from_stage,
    instant,
    keys,
    recorded,
    since_oldest,
    staged,
    step,
    union,
)
from c360gen.strategies._history.versions import stored_type
from c360gen.strategies._sql import any_of, equal, is_null, named, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    return _feed.plan(node, project, traits, _keys(node), _events(node))


def _keys(node: Node) -> exp.Query | None:
    """A copy tells of every key, of those that it does not hold as well."""
    if derives_deletes(node):
        return None
    table, condition = staged(node, EVENT)
    return exp.select(*keys(node, "s")).from_(table).where(condition).distinct()


def _events(node: Node) -> Parts:
    """Rows as they are and, where a copy follows that does not hold the key of a row, its deletion at the date of that copy."""
    arms: list[exp.Query] = [from_stage(node)]
    if feed_of(node).rebuilds:
        known = from_observations(node)
        arms.append(known if derives_deletes(node) else known.join(step("keys", "k"), on=_sql.same_key(node, "o", "k"), join_type="inner"))
    if not derives_deletes(node):
        return [("events", union(*arms))]
    return [("copies", _copies(node)), ("seen", _seen(node)), ("missing", _missing(node)), ("events", union(*arms, _deletions(node)))]


def _rows(node: Node, *names: str) -> list[exp.Select]:
    """Rows of all copies since the oldest of this run; a row that is kept back still shows that its key is there."""
    table, condition = staged(node, EVENT, DUPLICATE)
    arms = [exp.select(*(column(n, "s") for n in (*names, AT))).from_(table).where(condition)]
    if feed_of(node).rebuilds:
        at = named(instant(node, str(node.updated_at), "o"), AT)
        earlier = exp.select(*(column(n, "o") for n in names), at).from_(relation("observations", node.name, "o"))
        arms.append(earlier.where(since_oldest(node, "o")))
    return arms


def _copies(node: Node) -> exp.Select:
    """The dates of the copies, each with the next."""
    dates = union(*_rows(node), distinct=True) if len(_rows(node)) > 1 else _rows(node)[0].distinct()
    following = _sql.window(exp.Lead(this=column(AT, "d")), [], _sql.order(column(AT, "d")))
    return exp.select(column(AT, "d"), named(following, NEXT)).from_(dates.subquery("d"))


def _seen(node: Node) -> exp.Query:
    """Where each key was seen, and which copy came next; what was known before is followed by the oldest copy of this run."""
    rows = union(*_rows(node, *node.key)).subquery("r")
    seen = exp.select(*keys(node, "r"), column(AT, "r"), column(NEXT, "c")).from_(rows)
    seen = seen.join(step("copies", "c"), on=equal(column(AT, "c"), column(AT, "r")), join_type="inner")
    before = exp.select(*keys(node, "k"), named(column(node.valid_from, "k"), AT), named(variable("oldest"), NEXT))
    before = before.from_(step("known", "k")).where(exp.LT(this=column(node.valid_from, "k"), expression=variable("oldest")))
    return union(seen, before)


def _missing(node: Node) -> exp.Select:
    """Keys that were seen, but not in the copy that came next."""
    again = _sql.window(exp.Lead(this=column(AT, "s")), by_key(node, "s"), _sql.order(column(AT, "s")))
    seen = exp.select(*keys(node, "s"), column(NEXT, "s"), named(again, AGAIN)).from_(step("seen", "s"))
    absent = any_of([is_null(column(AGAIN, "m")), exp.GT(this=column(AGAIN, "m"), expression=column(NEXT, "m"))])
    query = exp.select(*keys(node, "m"), named(column(NEXT, "m"), AT)).from_(seen.subquery("m"))
    return query.where(not_null(column(NEXT, "m")), absent)


def _deletions(node: Node) -> exp.Select:
    type_ = stored_type(node.column(str(node.updated_at)).type)
    date: exp.Expr = column(AT, "m") if type_ == types.TIMESTAMPTZ else exp.cast(column(AT, "m"), type_.copy())
    values = {**{k: column(k, "m") for k in node.key}, str(node.updated_at): named(date, str(node.updated_at))}
    return exp.select(
        column(AT, "m"), named(exp.true(), GONE), *(values.get(n) or named(exp.null(), n) for n in recorded(node))
    ).from_(step("missing", "m"))  # fmt: skip
