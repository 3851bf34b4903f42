"""strategy: changelog. History from a feed of events: each is the new state of a key, its deletion, or the deletion of every key."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _feed, _sql
from c360gen.strategies._feed.words import (
    AT,
    EVENT,
    GONE,
    OWN,
    TRUNCATE,
    Parts,
    feed_of,
    from_observations,
    from_stage,
    instant,
    is_truncate,
    recorded,
    since_oldest,
    staged,
    union,
)
from c360gen.strategies._history.versions import lives_at
from c360gen.strategies._sql import named, step
from c360gen.terms.symbols import column, relation


def plan(node: Snapshot, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    return _feed.plan(node, project, traits, _keys(node), _events(node))


def _keys(node: Snapshot) -> exp.Query:
    """Keys that have an event, and those that live when a truncate comes."""
    table, condition = staged(node, EVENT)
    own = exp.select(*(column(k, "s") for k in node.key)).from_(table).where(condition)
    if not feed_of(node).truncate_when:
        return own.distinct()
    emptied, truncates = staged(node, TRUNCATE, alias="t")
    living = exp.select(*(column(k, "h") for k in node.key)).from_(relation("ref", node.name, "h"))
    living = living.join(emptied, on=lives_at(node, "h", column(AT, "t")), join_type="inner").where(truncates)
    return union(own, living, distinct=True)


def _events(node: Snapshot) -> Parts:
    """The events of this run and, in a rebuild, those of earlier runs; a truncate is one of every key."""
    feed = feed_of(node)
    arms: list[exp.Query] = [from_stage(node)]
    if feed.rebuilds:
        arms.append(from_observations(node).join(step("keys", "k"), on=_sql.same_key(node, "o", "k"), join_type="inner"))
    if feed.truncate_when:
        table, condition = staged(node, TRUNCATE, alias="t")
        arms.append(_of_every_key(node, column(AT, "t"), "t").join(table, join_type="cross").where(condition))
    if feed.truncate_when and feed.rebuilds:
        query = _of_every_key(node, instant(node, str(node.updated_at), "o"), "o")
        query = query.join(relation("observations", node.name, "o"), join_type="cross")
        arms.append(query.where(is_truncate(node, "o"), since_oldest(node, "o")))
    return [("events", union(*arms))]


def _of_every_key(node: Snapshot, at: exp.Expr, table: str) -> exp.Select:
    return exp.select(
        named(at, AT), named(exp.true(), GONE), named(exp.false(), OWN),
        *(column(n, "k" if n in node.key else table) for n in recorded(node)),
    ).from_(step("keys", "k"))  # fmt: skip
