"""The first statement of a run over a feed: every row beyond the watermark, and whether it may be taken for an event."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import ColumnDef, StageTable, Traits
from c360gen.project.nodes import Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._feed.words import (
    AT,
    DUPLICATE,
    EVENT,
    FROZEN,
    FUTURE_TIME,
    GONE,
    NULL_KEY,
    NULL_TIME,
    OBSERVED,
    SOURCE,
    TRUNCATE,
    deletes,
    feed_of,
    frozen,
    instant,
    is_truncate,
    not_truncate,
    place,
    problems,
    recorded,
    times,
)
from c360gen.strategies._history.stage import ENDS, OPEN_FROM, ROWS, Arms
from c360gen.strategies._history.versions import infinitely_early, recorded_of
from c360gen.strategies._sql import ACTION, any_of, differs, equal, every, is_null, literal, named, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable


def stage_table(node: Snapshot) -> StageTable:
    return StageTable(
        node.name,
        (
            ColumnDef(ACTION, types.TEXT), ColumnDef(ROWS, types.BIGINT),
            *(ColumnDef(n, types.TIMESTAMPTZ) for n in (OPEN_FROM, AT, ENDS)), ColumnDef(GONE, types.BOOLEAN),
            *(ColumnDef(c.name, _sql.known(c.type)) for c in recorded_of(node)),
        ),
        row_address=True,
    )  # fmt: skip


def read(node: Snapshot, traits: Traits) -> exp.Insert:
    """INSERT INTO the stage SELECT what a row is, and the row; one more row, `source`, says how many were read, up to where."""
    names = [ACTION, ROWS, AT, GONE, *recorded(node)]
    judged = exp.select(
        named(_sql.case(*_arms(node, traits), otherwise=literal(EVENT)), ACTION), named(instant(node, str(node.updated_at), "b"), AT),
        named(deletes(node, "b"), GONE), *(column(n, "b") for n in recorded(node)),
    ).from_(_rows(node, traits).subquery("b"))  # fmt: skip
    if feed_of(node).rebuilds:
        judged = judged.join(relation("observations", node.name, "o"), on=_known(node), join_type="left")
    values = {ROWS: named(exp.null(), ROWS)}
    kept = exp.select(*(values.get(n, column(n, "e")) for n in names)).from_(judged.subquery("e")).where(not_null(column(ACTION, "e")))
    counted = {ACTION: literal(SOURCE), ROWS: exp.Count(this=exp.Star()), AT: exp.Max(this=instant(node, feed_of(node).cursor, "r"))}
    size = exp.select(*(named(counted.get(n, exp.null()), n) for n in names)).from_(_sql.reading(node, "r")).where(_beyond(node, traits))
    return _sql.insert(relation("stage", node.name), names, exp.union(kept, size, distinct=False, copy=False))


def _rows(node: Snapshot, traits: Traits) -> exp.Select:
    """The rows beyond the watermark; what came in more than once counts once, from the first time on."""
    cursor = feed_of(node).cursor
    stored = exp.select(*(_sql.as_stored(c, "r", traits) for c in recorded_of(node)))
    stored = stored.from_(_sql.reading(node, "r")).where(_beyond(node, traits))
    if cursor == node.updated_at:
        return stored.distinct()
    if any(isinstance(s, exp.Alias) for s in stored.selects):  # rows are the same if they are stored as the same
        stored = exp.select(*(column(n, "r") for n in recorded(node))).from_(stored.subquery("r"))
    first = named(exp.Min(this=column(cursor, "r")), cursor)
    query = stored.select(*(first if n == cursor else column(n, "r") for n in recorded(node)), append=False)
    return query.group_by(*(column(n, "r") for n in recorded(node) if n != cursor))


def _beyond(node: Snapshot, traits: Traits) -> exp.Expr:
    return _sql.beyond_watermark(node.column(feed_of(node).cursor), "r", traits)


def _arms(node: Snapshot, traits: Traits) -> Arms:
    """What a row is, the first that is true; nothing (NULL) where it says again what is known."""
    feed, wrong = feed_of(node), problems(node)
    missing = [is_null(column(n, "b")) for n in times(node)]
    if traits.infinite_times:
        missing += [equal(column(n, "b"), infinitely_early(node, n)) for n in dict.fromkeys((str(node.updated_at), feed.cursor))]
    found: Arms = [
        (any_of(missing), literal(NULL_TIME)),
        (exp.GT(this=instant(node, str(node.updated_at), "b"), expression=variable("latest")), literal(FUTURE_TIME)),
    ]
    names_key = [not_truncate(node, "b")] if feed.truncate_when else []
    if NULL_KEY in wrong:
        without = any_of(is_null(column(k, "b")) for k in node.key if k not in node.nullable_key)
        found.append((every([*names_key, without]), literal(NULL_KEY)))
    said = [n for n in recorded(node) if n not in (*node.key, *times(node))]
    if feed.rebuilds:
        seen = not_null(column(OBSERVED[0], "o"))
        if said:
            other = any_of(differs(column(n, "o"), column(n, "b")) for n in said)
            found.append((every([*(n.copy() for n in names_key), seen, other]), literal(DUPLICATE)))
        found.append((seen.copy(), exp.null()))
    ties = [_sql.groupable(node.column(n), column(n, "b")) for n in (*node.key, *place(node))]
    if feed.truncate_when:
        ties.append(_sql.case((is_truncate(node, "b"), exp.true()), otherwise=exp.false()))
    conflict = exp.GT(this=_sql.window(exp.Count(this=exp.Star()), ties), expression=exp.Literal.number(1))
    found.append((every([*(n.copy() for n in names_key), conflict]), literal(DUPLICATE)))
    limit = frozen(node)
    if feed.rebuilds and limit is not None:
        found.append((exp.LT(this=instant(node, str(node.updated_at), "b"), expression=limit), literal(FROZEN)))
    if feed.truncate_when:
        found.append((is_truncate(node, "b"), literal(TRUNCATE)))
    return found


def _known(node: Snapshot) -> exp.Expr:
    """The observation that a row repeats, or contradicts: the same key, time and sequence."""
    placed = [equal(column(n, "o"), column(n, "b")) for n in place(node)]
    same = _sql.same_key(node, "o", "b")
    if not feed_of(node).truncate_when:
        return every([same, *placed])
    of_key = every([not_truncate(node, "o"), not_truncate(node, "b"), same])
    both = every([is_truncate(node, "o"), is_truncate(node, "b")])
    return every([*placed, exp.Paren(this=any_of([exp.Paren(this=of_key), exp.Paren(this=both)]))])
