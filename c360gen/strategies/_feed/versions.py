"""The second statement: events → versions, and what has to be done to the history for it to hold them.

keys      whose history may change
known     their versions that reach the oldest event or begin after it
events    what happened to them, in whatever order it arrived
ordered   the last event of an instant has turn 1                      (where there may be several)
judged    events that are later than what is known; others are late, or say what is known already    (not in a rebuild)
chain     the version before, as the first event, and the events
filled    NULLs that mean: as before                                   (where declared)
compared  whether an event changes anything; a deletion does, and so does what follows it
versions  an event that does, up to the next one
"""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._feed.words import (
    AT,
    BEGINS,
    CLOSE,
    EVENT,
    FROZEN,
    GONE,
    LATE,
    OWN,
    REWRITE,
    START,
    TURN,
    UNEXPLAINED,
    VANISH,
    Parts,
    by_key,
    derives_deletes,
    event_columns,
    feed_of,
    frozen,
    keys,
    own,
    recorded,
    shortcuts,
    turns,
    union,
    with_steps,
)
from c360gen.strategies._history.stage import ENDS, OPEN_FROM, Arms
from c360gen.strategies._history.versions import end_of_time, is_closed, is_open, lives_at, reaches
from c360gen.strategies._sql import ACTION, ROW, any_of, case, differs, equal, every, is_null, literal, named, not_null, step
from c360gen.terms.symbols import column, relation, variable

BOUNDARY, ENDED = "c360_boundary", "c360_ended"
_ONE = exp.Literal.number(1)


def decide(node: Snapshot, traits: Traits, concerned: exp.Query | None, events: Parts) -> exp.Insert:
    """`concerned` gives the keys whose history may change (None: all), `events` the steps that end in one called events."""
    parts: Parts = [("keys", concerned)] if concerned is not None else []
    parts += [("known", _known(node, traits, every_key=concerned is None)), *events]
    last = "events"
    if turns(node):
        parts.append(("ordered", _ordered(node)))
        last = "ordered"
    if not feed_of(node).rebuilds:
        parts.append(("judged", _judged(node, last)))
        last = "judged"
    parts.append(("chain", _chain(node, traits, last)))
    last = "chain"
    if feed_of(node).ignored_nulls:
        parts += [("grouped", _grouped(node, traits)), ("filled", _filled(node, traits))]
        last = "filled"
    parts += [("compared", _compared(node, traits, last)), ("versions", _versions(node, traits))]
    names = [ACTION, *_rows(traits), OPEN_FROM, AT, ENDS, GONE, *recorded(node)]
    arms = _rebuilt(node, names) if feed_of(node).rebuilds else [_applied(node, traits), _kept_back(node, names)]
    return _sql.insert(relation("stage", node.name), names, with_steps(union(*arms), parts))


def _rows(traits: Traits) -> list[str]:
    return [ROW] if traits.row_address else []


def _carried(node: Snapshot, traits: Traits) -> list[str]:
    """What a step carries of the version that it starts from; a rebuild compares with all that are known instead."""
    return [] if feed_of(node).rebuilds else [*_rows(traits), OPEN_FROM]


# --- what is known -----------------------------------------------------------------------------------------------------


def _known(node: Snapshot, traits: Traits, *, every_key: bool) -> exp.Select:
    names = [*recorded(node), node.valid_from, node.valid_to]
    address_ = [named(_sql.address(traits, "h"), ROW)] if traits.row_address else []
    query = exp.select(*(column(n, "h") for n in names), *address_).from_(relation("ref", node.name, "h"))
    if not every_key:
        query = query.join(step("keys", "k"), on=_sql.same_key(node, "h", "k"), join_type="inner")
    return query.where(reaches(node, "h", exp.GTE, variable("oldest")))


def _ordered(node: Snapshot) -> exp.Select:
    """ROW_NUMBER over the events of a key and an instant; of equal sequence, a truncate comes before what names its key."""
    last = _sql.order(*(column(n, "e") for n in (*feed_of(node).sequence, *own(node))), desc=True)
    turn = _sql.window(exp.RowNumber(), [*by_key(node, "e"), column(AT, "e")], last)
    return exp.select(*event_columns(node, "e"), named(turn, TURN)).from_(step("events", "e"))


def _judged(node: Snapshot, events: str) -> exp.Select:
    """Events beside the last boundary of their key, and the version that holds at their time."""
    boundary = exp.Max(this=case((is_open(node, "k"), column(node.valid_from, "k")), otherwise=column(node.valid_to, "k")))
    bounds = exp.select(*(column(k, "k") for k in node.key), named(boundary, BOUNDARY)).from_(step("known", "k"))
    bounds = bounds.group_by(*(column(k, "k") for k in node.key))
    marks = [column(TURN, "e")] if turns(node) else []
    query = exp.select(named(case(*_verdicts(node), otherwise=literal(LATE)), ACTION), *event_columns(node, "e"), *marks)
    query = query.from_(step(events, "e")).join(bounds.subquery("b"), on=_sql.same_key(node, "b", "e"), join_type="left")
    at = every([_sql.same_key(node, "k", "e"), lives_at(node, "k", column(AT, "e"))])
    return query.join(step("known", "k"), on=at, join_type="left")


def _verdicts(node: Snapshot) -> Arms:
    at, gone, limit = column(AT, "e"), column(GONE, "e"), frozen(node)
    later: exp.Expr = any_of([is_null(column(BOUNDARY, "b")), exp.GT(this=at, expression=column(BOUNDARY, "b"))])
    if limit is not None:
        later = every([later, exp.GTE(this=at.copy(), expression=limit)])
    found: Arms = [(later, literal(EVENT))]
    if shortcuts(node):
        found.append((exp.GT(this=column(TURN, "e"), expression=_ONE.copy()), exp.null()))
        later_sequence = _comes_after(node)
        found.append((every([equal(column(node.valid_from, "k"), at.copy()), later_sequence]), exp.null()))
    found.append((every([gone, is_null(column(node.valid_from, "k"))]), exp.null()))
    same: list[exp.Expr] = [exp.Not(this=gone.copy()), not_null(column(node.valid_from, "k"))]
    for name in node.tracked:
        said: exp.Expr = column(name, "e")
        if name in feed_of(node).ignored_nulls:
            said = exp.func("COALESCE", said, column(name, "k"))
        same.append(exp.NullSafeEQ(this=said, expression=column(name, "k")))
    found.append((every(same), exp.null()))
    if limit is not None:
        found.append((exp.LT(this=at.copy(), expression=limit.copy()), literal(FROZEN)))
    return found


def _comes_after(node: Snapshot) -> exp.Expr:
    """Whether the known version, k, has a later place in the sequence of its instant than the event, e."""
    found: exp.Expr | None = exp.Not(this=column(OWN, "e")) if own(node) else None
    for name in reversed(feed_of(node).sequence):
        greater: exp.Expr = exp.GT(this=column(name, "k"), expression=column(name, "e"))
        if found is not None:
            tied = every([equal(column(name, "k"), column(name, "e")), found])
            greater = any_of([greater, exp.Paren(this=tied)])
        found = greater
    assert found is not None, "only where several events may share an instant"
    return found


# --- events in a chain -------------------------------------------------------------------------------------------------


def _chain(node: Snapshot, traits: Traits, events: str) -> exp.Query:
    """Events after the version that they follow: the open one, or in a rebuild the one before the oldest event."""
    marks = [TURN] if turns(node) else []
    carried = [named(exp.null(), n) for n in _carried(node, traits)]
    following = exp.select(*event_columns(node, "e"), *(column(m, "e") for m in marks), *carried).from_(step(events, "e"))
    first = exp.select(
        named(column(node.valid_from, "k"), AT), named(exp.false(), GONE), *(named(exp.true(), o) for o in own(node)),
        *(column(n, "k") for n in recorded(node)), *(named(_ONE.copy(), m) for m in marks),
        *(named(column(node.valid_from, "k"), n) if n == OPEN_FROM else column(n, "k") for n in _carried(node, traits)),
    ).from_(step("known", "k"))  # fmt: skip
    if feed_of(node).rebuilds:
        first = first.where(exp.LT(this=column(node.valid_from, "k"), expression=variable("oldest")))
    else:
        first = first.where(is_open(node, "k"))
        following = following.where(_sql.action_is(EVENT, table="e"))
    return union(following, first)


def _grouped(node: Snapshot, traits: Traits) -> exp.Select:
    """Of each column in which NULL means unchanged, a number that grows where a value comes or everything goes."""
    groups = []
    for index, name in enumerate(feed_of(node).ignored_nulls, 1):
        counted = exp.Count(this=case((any_of([column(GONE, "c"), not_null(column(name, "c"))]), _ONE.copy())))
        groups.append(named(_sql.window(counted, by_key(node, "c"), _in_order(node, "c"), up_to_here=True), f"c360_group_{index}"))
    return exp.select(*_chained(node, traits, "c"), *groups).from_(step("chain", "c"))


def _filled(node: Snapshot, traits: Traits) -> exp.Select:
    """The first value of each group is the one that holds; after a deletion, none."""
    filled: dict[str, exp.Expr] = {}
    for index, name in enumerate(feed_of(node).ignored_nulls, 1):
        value = exp.FirstValue(this=case((exp.Not(this=column(GONE, "g")), column(name, "g"))))
        by = [*by_key(node, "g"), column(f"c360_group_{index}", "g")]
        filled[name] = named(_sql.window(value, by, _in_order(node, "g"), up_to_here=True), name)
    projections = [filled.get(c.alias_or_name, c) for c in _chained(node, traits, "g")]
    return exp.select(*projections).from_(step("grouped", "g"))


def _chained(node: Snapshot, traits: Traits, table: str) -> list[exp.Expr]:
    marks = [TURN] if turns(node) else []
    return [*event_columns(node, table), *(column(n, table) for n in (*marks, *_carried(node, traits)))]


def _in_order(node: Snapshot, table: str) -> exp.Order:
    """The order of a key's events; the version that they follow has an instant of its own, so that its sequence does not matter."""
    return _sql.order(column(AT, table), *(column(n, table) for n in (*feed_of(node).sequence, *own(node))))


def _compared(node: Snapshot, traits: Traits, events: str) -> exp.Select:
    def before(name: str) -> exp.Expr:
        return _sql.window(exp.Lag(this=column(name, "f")), by_key(node, "f"), _sql.order(column(AT, "f")))

    nothing = exp.func("COALESCE", before(GONE), exp.true())
    changes = [nothing, *(differs(column(n, "f"), before(n)) for n in node.tracked)]
    begins = case((column(GONE, "f"), exp.Not(this=nothing.copy())), otherwise=any_of(changes))
    names = [AT, GONE, *recorded(node), *_carried(node, traits)]
    query = exp.select(*(column(n, "f") for n in names), named(begins, BEGINS)).from_(step(events, "f"))
    return query.where(equal(column(TURN, "f"), _ONE.copy())) if turns(node) else query


def _versions(node: Snapshot, traits: Traits) -> exp.Select:
    def after(name: str) -> exp.Expr:
        return _sql.window(exp.Lead(this=column(name, "c")), by_key(node, "c"), _sql.order(column(AT, "c")))

    names = [AT, GONE, *recorded(node), *_carried(node, traits)]
    query = exp.select(*(column(n, "c") for n in names), named(after(AT), ENDS), named(after(GONE), ENDED)).from_(step("compared", "c"))
    return query.where(column(BEGINS, "c"))


# --- what is to be done ------------------------------------------------------------------------------------------------


def _applied(node: Snapshot, traits: Traits) -> exp.Select:
    """Versions that begin, and open versions that end."""
    fresh = is_null(column(OPEN_FROM, "v"))
    action = case((fresh, literal(START)), otherwise=literal(CLOSE))
    query = exp.select(
        named(action, ACTION), *(column(n, "v") for n in (*_rows(traits), OPEN_FROM, AT, ENDS)), named(column(ENDED, "v"), GONE),
        *(column(n, "v") for n in recorded(node)),
    ).from_(step("versions", "v"))  # fmt: skip
    return query.where(exp.Not(this=column(GONE, "v")), any_of([fresh.copy(), not_null(column(ENDS, "v"))]))


def _kept_back(node: Snapshot, names: list[str]) -> exp.Select:
    """Events that came too late."""
    have = {ACTION, AT, GONE, *recorded(node)}
    query = exp.select(*(column(n, "j") if n in have else named(exp.null(), n) for n in names)).from_(step("judged", "j"))
    return query.where(_sql.action_is(*([LATE, FROZEN] if frozen(node) is not None else [LATE]), table="j"))


def _rebuilt(node: Snapshot, names: list[str]) -> list[exp.Query]:
    """Versions beside those of the history, what is the same left out; and boundaries that nothing explains.

    A FULL JOIN, because Postgres always hashes or sorts for it: it cannot guess how many versions there will be.
    """
    columns = [AT, ENDS, ENDED, *recorded(node)]
    alive = exp.select(*(column(n, "w") for n in columns)).from_(step("versions", "w")).where(exp.Not(this=column(GONE, "w")))
    met = every([_sql.same_key(node, "k", "v"), equal(column(node.valid_from, "k"), column(AT, "v"))])
    until: exp.Expr = column(ENDS, "v")
    if node.open_until is not None:
        until = exp.func("COALESCE", until, end_of_time(node))
    other = any_of(differs(column(n, "v"), column(n, "k")) for n in recorded(node) if n not in node.key)
    fresh, gone = is_null(column(node.valid_from, "k")), is_null(column(AT, "v"))
    ended = every([is_open(node, "k"), not_null(column(ENDS, "v")), exp.Not(this=exp.Paren(this=other))])
    action = case((fresh, literal(START)), (gone, literal(VANISH)), (ended, literal(CLOSE)), otherwise=literal(REWRITE))
    values = {
        ACTION: named(action, ACTION), ROW: column(ROW, "k"), OPEN_FROM: named(column(node.valid_from, "k"), OPEN_FROM),
        GONE: named(column(ENDED, "v"), GONE),
        **{k: named(exp.func("COALESCE", column(k, "v"), column(k, "k")), k) for k in node.key},
    }  # fmt: skip
    query = exp.select(*(values.get(n, column(n, "v")) for n in names)).from_(alive.subquery("v"))
    query = query.join(step("known", "k"), on=met, join_type="full")
    changed = any_of([fresh.copy(), gone.copy(), differs(until, column(node.valid_to, "k")), other.copy()])
    return [query.where(changed), _unexplained(node, names)]


def _unexplained(node: Snapshot, names: list[str]) -> exp.Query:
    """Boundaries of the history since the oldest event that come from no event which is remembered: it would forget them."""
    starts = exp.select(*keys(node, "k"), named(column(node.valid_from, "k"), AT)).from_(step("known", "k"))
    starts = starts.where(exp.GTE(this=column(node.valid_from, "k"), expression=variable("oldest")))
    ends = exp.select(*keys(node, "k"), named(column(node.valid_to, "k"), AT)).from_(step("known", "k"))
    bounds = union(starts, ends.where(is_closed(node, "k")))
    if not derives_deletes(node):
        found = exp.select(*keys(node, "e"), column(AT, "e")).from_(step("events", "e"))
        bounds = exp.except_(exp.select(*keys(node, "i"), column(AT, "i")).from_(bounds.subquery("i")), found, distinct=True, copy=False)
    have = {AT, *node.key}
    columns = [
        named(literal(UNEXPLAINED), ACTION) if n == ACTION else column(n, "n") if n in have else named(exp.null(), n) for n in names
    ]  # fmt: skip
    query = exp.select(*columns).from_(bounds.subquery("n"))
    if derives_deletes(node):  # its deletes are found anew each time: that there is a copy of that date explains a boundary
        query = query.join(step("copies", "c"), on=equal(column(AT, "c"), column(AT, "n")), join_type="left")
        query = query.where(is_null(column(AT, "c")))
    return query
