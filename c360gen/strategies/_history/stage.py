"""The one statement of a snapshot that decides everything: every source row beside its open version, and what has to be done.

Guards and writes rest on this one reading of the source. Unchanged rows are not staged; rows that must not be written are staged under
the name of their problem; one more row, `source`, holds how many rows were read, and another, `open`, how many versions are.
"""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import ColumnDef, StageTable, Traits
from c360gen.project.nodes import Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._history.versions import (
    as_instant,
    infinitely_early,
    is_closed,
    is_live,
    is_marker,
    is_open,
    not_marker,
    recorded_of,
)
from c360gen.strategies._sql import ACTION, ROW, action_is, any_of, case, differs, every, is_null, literal, named, not_null, star_count
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

NULL_KEY, DUPLICATE, NULL_TIME, FUTURE_TIME, UNMOVED = "null_key", "duplicate_key", "null_time", "future_time", "unmoved"
BLOCKED, SOURCE, OPEN = "blocked", "source", "open"
MOVED = "moved"
"""The step of the statement that reads the source, where only a part of it is read."""
STARTS, ENDS, OPEN_FROM, ROWS = "c360_starts_at", "c360_ends_at", "c360_open_from", "c360_rows"
BOUNDARY, COPIES, PRESENT, LIVE = "c360_boundary", "c360_copies", "c360_present", "c360_live"
POSITION, TIES, EQUALS = "c360_position", "c360_ties", "c360_equals"
Arms = list[tuple[exp.Expr, exp.Expr]]


def table(node: Snapshot) -> StageTable:
    return StageTable(
        node.name,
        (
            ColumnDef(ACTION, types.TEXT), ColumnDef(ROWS, types.BIGINT),
            *(ColumnDef(n, types.TIMESTAMPTZ) for n in (OPEN_FROM, STARTS, ENDS)),
            *(ColumnDef(c.name, _sql.known(c.type)) for c in recorded_of(node)),
        ),
        row_address=True,
    )  # fmt: skip


def problems(node: Snapshot) -> dict[str, str]:
    """What a source row may not be → what happens then: fail, or quarantine. What the policy allows is not listed."""
    policies = node.policies
    found = {NULL_KEY: policies.on_null_key} if len(node.nullable_key) < len(node.key) else {}
    found[DUPLICATE] = "fail" if policies.on_duplicate_key == "latest" else policies.on_duplicate_key
    if node.strategy == "timestamp":
        found |= {NULL_TIME: policies.on_null_updated_at, FUTURE_TIME: policies.on_future_updated_at}
        found[UNMOVED] = policies.on_unmoved_timestamp
    return {name: policy for name, policy in found.items() if policy in ("fail", "quarantine")}


def deletes(node: Snapshot) -> bool:
    return node.hard_deletes != "ignore"


def outer(node: Snapshot) -> bool:
    """Whether open versions without a source row show up in the comparison itself."""
    return deletes(node) and node.source_delta is None


def counts_tell(node: Snapshot) -> bool:
    """Whether two sums show that a key occurs twice: each open version is unique, so it must have met exactly one source row."""
    plain = node.policies.on_duplicate_key == "fail" and not node.quarantines
    return plain and outer(node) and node.is_deleted is None and not (node.deleted_flag or node.deleted_at)


def insert(node: Snapshot, traits: Traits, dating: exp.Expr) -> exp.Insert:
    """`dating` gives the start of a version, over columns of `d`."""
    recorded = [c.name for c in recorded_of(node)]
    names = [ACTION, ROWS, *([ROW] if traits.row_address else []), OPEN_FROM, STARTS, ENDS, *recorded]
    ends: Arms = [(action_is("change", table="d"), dating.copy())]
    if deletes(node):
        ends.append((action_is("delete", table="d"), _deletion(node)))
    if node.is_deleted:
        ends.append((every([action_is("revive", table="d"), not_null(column(OPEN_FROM, "d"))]), dating.copy()))
    values = {
        ROWS: named(exp.null(), ROWS),
        STARTS: named(case((action_is("new", "change", "revive", table="d"), dating.copy())), STARTS),
        ENDS: named(case(*ends), ENDS),
    }
    dated = _dated(node, traits, _compared(node, traits))
    query: exp.Query = exp.select(*(values.get(n, column(n, "d")) for n in names)).from_(dated.subquery("d"))
    query = exp.union(query, _read(node, names), distinct=False, copy=False)
    query = exp.union(query, _known(node, names), distinct=False, copy=False)
    if deletes(node) and node.source_delta == "anti_join":
        query = exp.union(query, _absent(node, traits, names), distinct=False, copy=False)
    if node.source_delta:
        query = query.with_(exp.to_identifier(MOVED, quoted=True), as_=_moved(node, traits), copy=False)
    return _sql.insert(relation("stage", node.name), names, query)


def _deletion(node: Snapshot) -> exp.Expr:
    """deleted_at where it is later than the version's start and not later than as_of; else as_of."""
    if node.deleted_at is None:
        return variable("as_of")
    at = as_instant(node, node.deleted_at, "d")
    usable = every([
        exp.GT(this=at, expression=column(OPEN_FROM, "d")), exp.LTE(this=at.copy(), expression=variable("as_of")),
    ])  # fmt: skip
    return case((usable, at.copy()), otherwise=variable("as_of"))


def _read(node: Snapshot, names: list[str]) -> exp.Select:
    """How many rows were read and, where only moved ones are, the newest time among them."""
    values = {ACTION: literal(SOURCE), ROWS: exp.Count(this=exp.Star())}
    if node.source_delta:
        at: exp.Expr = as_instant(node, str(node.updated_at), "r")
        if problems(node).get(FUTURE_TIME) == "quarantine":
            at = case((exp.LTE(this=at, expression=variable("latest")), at.copy()))
        values[STARTS] = exp.Max(this=at)
    return exp.select(*(named(values.get(n, exp.null()), n) for n in names)).from_(_given(node))


def newest(node: Snapshot) -> exp.Expr:
    """How far was read, over the stage `s`: not beyond a row that is kept back, since nothing tells when it is mended.

    Where keys are compared, one whose key has no open version is read again anyway.
    """
    found: exp.Expr = exp.Max(this=case((action_is(SOURCE, table="s"), column(STARTS, "s"))))
    kept = [p for p, policy in problems(node).items() if policy == "quarantine" and p != NULL_TIME]
    if not kept:
        return found
    waits = [action_is(*kept, table="s")]
    if node.source_delta == "anti_join":
        waits.append(not_null(column(OPEN_FROM, "s")))
    oldest = exp.Min(this=case((every(waits), as_instant(node, str(node.updated_at), "s"))))
    return case((exp.LT(this=oldest, expression=found), oldest.copy()), otherwise=found.copy())


def _known(node: Snapshot, names: list[str]) -> exp.Select:
    """How many versions are open, of keys that are not gone."""
    values = {ACTION: literal(OPEN), ROWS: exp.Count(this=exp.Star())}
    query = exp.select(*(named(values.get(n, exp.null()), n) for n in names)).from_(relation("ref", node.name, "h"))
    return query.where(is_live(node, "h"))


def _given(node: Snapshot) -> exp.Table:
    """What is read of the source, as r."""
    if not node.source_delta:
        return _sql.reading(node, "r")
    return _sql.step(MOVED, "r")


def _moved(node: Snapshot, traits: Traits) -> exp.Select:
    """Rows at or after the watermark less the lookback; a NULL is read for the guard, and the first run reads all.

    Where keys are compared, a row whose key is not there is read as well, whatever its time: it came late, or came back as it was.
    """
    at, type_ = column(str(node.updated_at), "r"), node.column(str(node.updated_at)).type
    start: exp.Expr = variable("window_start")
    if type_ != types.TIMESTAMPTZ:
        start = exp.cast(start, _sql.known(type_).copy())
    read = [is_null(variable("window_start")), exp.GTE(this=at, expression=start), is_null(at.copy())]
    query = exp.select(*(column(c.name, "r") for c in recorded_of(node))).from_(_sql.reading(node, "r"))
    if node.source_delta == "anti_join":
        live = exp.select(*(column(n, "h") for n in (*node.key, node.valid_from))).from_(relation("ref", node.name, "h"))
        live = live.where(is_live(node, "h"))
        query = query.join(live.subquery("k"), on=_same_as_stored(node, traits, "k"), join_type="left")
        read.append(is_null(column(node.valid_from, "k")))
    return query.where(any_of(read))


def _same_as_stored(node: Snapshot, traits: Traits, history: str) -> exp.Expr:
    """Whether a row of the source, r, has the key of a version, once it is stored."""
    same = _sql.same_key(node, history, "r")
    for found in list(same.find_all(exp.Column)):
        if found.table == "r":
            found.replace(_sql.as_stored(node.column(found.name), "r", traits).unalias().copy())
    return same


def _absent(node: Snapshot, traits: Traits, names: list[str]) -> exp.Select:
    """Live open versions whose key the source has no more; by keys alone, since most rows were not read."""
    here = exp.select(exp.Literal.number(1)).from_(_sql.reading(node, "r")).where(_same_as_stored(node, traits, "h"))
    values: dict[str, exp.Expr] = {
        ACTION: literal("delete"), OPEN_FROM: column(node.valid_from, "h"), ENDS: variable("as_of"),
        **{k: column(k, "h") for k in node.key},
    }  # fmt: skip
    if traits.row_address:
        values[ROW] = _sql.address(traits, "h")
    query = exp.select(*(named(values.get(n, exp.null()), n) for n in names)).from_(relation("ref", node.name, "h"))
    return query.where(is_open(node, "h"), not_marker(node, "h"), exp.Not(this=exp.Exists(this=here)))


# --- the comparison ----------------------------------------------------------------------------------------------------


def _compared(node: Snapshot, traits: Traits) -> exp.Select:
    """Source rows beside the open versions, those without anything to do left out."""
    projections: list[exp.Expr] = [named(case(*_arms(node, traits)), ACTION)]
    if traits.row_address:
        projections.append(column(ROW, "o"))
    projections.append(named(column(node.valid_from, "o"), OPEN_FROM))
    for recorded in recorded_of(node):
        value: exp.Expr = column(recorded.name, "s")
        if outer(node) and recorded.name in node.nullable_key:  # NULL is a value of the key: ask which side the row has
            value = case((not_null(column(PRESENT, "s")), value), otherwise=column(recorded.name, "o"))
        elif outer(node) and recorded.name in node.key:
            value = exp.func("COALESCE", value, column(recorded.name, "o"))
        projections.append(named(value, recorded.name))
    query = exp.select(*projections).from_(_source_rows(node, traits).subquery("s"))
    on = _sql.same_key(node, "o", "s")
    query = query.join(_open_versions(node, traits).subquery("o"), on=on, join_type="full" if outer(node) else "left")
    if _grouped(node, traits):
        grouped = repeated(node, traits, star_count(COPIES))
        query = query.join(grouped.subquery("c"), on=_sql.same_key(node, "c", "s"), join_type="left")
    wanted = exp.select(*(column(p.alias_or_name, "w") for p in projections)).from_(query.subquery("w"))
    return wanted.where(not_null(column(ACTION, "w")))


def _arms(node: Snapshot, traits: Traits) -> Arms:
    """What has to be done with a row, the first that is true; nothing where none is."""
    found: Arms = []
    known, marker = not_null(column(node.valid_from, "o")), is_marker(node, "o")
    wrong = problems(node)

    def gone(missing: exp.Expr, always_known: bool) -> None:
        if always_known:
            found.append((missing, literal("delete")))
            return
        live = every(c for c in (missing, known.copy(), not_marker(node, "o")) if c is not None)
        found.extend([(live, literal("delete")), (missing.copy(), exp.null())])

    if outer(node):
        gone(is_null(column(PRESENT, "s")), always_known=node.is_deleted is None)
    must = [k for k in node.key if k not in node.nullable_key]
    if NULL_KEY in wrong:
        found.append((any_of(is_null(column(k, "s")) for k in must), literal(NULL_KEY)))
    if not counts_tell(node):
        copies = column(COPIES, "c" if _grouped(node, traits) else "s")
        found.append((exp.GT(this=copies, expression=exp.Literal.number(1)), literal(DUPLICATE)))
    if node.deleted_flag or node.deleted_at:
        gone(is_null(column(LIVE, "s")), always_known=False)
    if NULL_TIME in wrong:
        at = column(str(node.updated_at), "s")
        missing = [is_null(at)]
        if traits.infinite_times:
            missing.append(exp.EQ(this=at.copy(), expression=infinitely_early(node, str(node.updated_at))))
        found.append((any_of(missing), literal(NULL_TIME)))
    if FUTURE_TIME in wrong:
        late = exp.GT(this=as_instant(node, str(node.updated_at), "s"), expression=variable("latest"))
        found.append((late, literal(FUTURE_TIME)))
    found.append((is_null(column(node.valid_from, "o")), literal("new")))
    if marker is not None:
        found.append((marker, literal("revive")))
    changed: exp.Expr = any_of(differs(column(c, "s"), column(c, "o")) for c in node.tracked) if node.tracked else exp.false()
    if node.detects == "time":
        changed = exp.GT(this=as_instant(node, str(node.updated_at), "s"), expression=column(node.valid_from, "o"))
    elif node.strategy == "timestamp" and node.policies.on_unmoved_timestamp != "version":
        now, then = column(str(node.updated_at), "s"), column(str(node.updated_at), "o")
        if UNMOVED in wrong:
            found.append((every([exp.LTE(this=now, expression=then), exp.Paren(this=changed.copy())]), literal(UNMOVED)))
        else:
            moved = any_of([exp.GT(this=now, expression=then), is_null(now.copy()), is_null(then.copy())])
            changed = every([exp.Paren(this=moved), exp.Paren(this=changed)])
    if node.tracked or node.detects == "time":
        found.append((changed, literal("change")))
    if node.overwritten:
        found.append((any_of(differs(column(c, "s"), column(c, "o")) for c in node.overwritten), literal("overwrite")))
    return found


def _grouped(node: Snapshot, traits: Traits) -> bool:
    """Whether keys that occur twice are looked up in a list of their own, instead of counted beside every row."""
    return traits.cheap_groups and node.policies.on_duplicate_key != "latest" and not counts_tell(node)


def repeated(node: Snapshot, traits: Traits, *counted: exp.Expr) -> exp.Select:
    """The keys that the source has more than once: as they will be stored, for two may become one."""
    keys = [_sql.as_stored(node.column(k), "r", traits) for k in node.key]
    query = exp.select(*keys, *counted).from_(_given(node)).group_by(*(k.unalias().copy() for k in keys))
    return query.having(_sql.several())


def _source_rows(node: Snapshot, traits: Traits) -> exp.Select:
    recorded = recorded_of(node)
    stored = {c.name: _sql.as_stored(c, "r", traits) for c in recorded}
    projections: list[exp.Expr] = list(stored.values())
    projections.append(named(exp.true(), PRESENT))
    if node.deleted_flag or node.deleted_at:
        alive: list[exp.Expr] = []
        if node.deleted_flag:
            alive.append(exp.Not(this=exp.func("COALESCE", column(node.deleted_flag, "r"), exp.false())))
        if node.deleted_at:
            alive.append(is_null(column(node.deleted_at, "r")))
        projections.append(named(case((every(alive), exp.true())), LIVE))
    keys = [stored[k].unalias().copy() for k in node.key]
    latest = node.policies.on_duplicate_key == "latest"
    if latest:
        version = node.version_column or str(node.updated_at)
        order = exp.Order(expressions=[exp.Ordered(this=column(version, "r"), desc=True, nulls_first=False)])
        windows = {
            POSITION: exp.Window(this=exp.RowNumber(), partition_by=[k.copy() for k in keys], order=order),
            TIES: exp.Window(this=exp.Count(this=exp.Star()), partition_by=[*(k.copy() for k in keys), column(version, "r")]),
            EQUALS: exp.Window(this=exp.Count(this=exp.Star()), partition_by=[_sql.groupable(c, stored[c.name]) for c in recorded]),
        }
        projections += [named(w, n) for n, w in windows.items()]
    elif not counts_tell(node) and not _grouped(node, traits):
        projections.append(named(exp.Window(this=exp.Count(this=exp.Star()), partition_by=keys), COPIES))
    query = exp.select(*projections).from_(_given(node))
    if not latest:
        return query
    # The latest row of each key counts; where its version does not tell it from a row that differs, none does. Rows without a key are
    # not rows of one key: each is a problem of its own.
    chosen = [p.alias_or_name for p in projections if p.alias_or_name not in (POSITION, TIES, EQUALS)]
    conflict = exp.GT(this=column(TIES, "v"), expression=column(EQUALS, "v"))
    copies = case((conflict, column(TIES, "v")), otherwise=exp.Literal.number(1))
    ranked = exp.select(*(column(n, "v") for n in chosen), named(copies, COPIES)).from_(query.subquery("v"))
    counts = [_sql.equal(column(POSITION, "v"), exp.Literal.number(1))]
    if NULL_KEY in problems(node):
        counts += [is_null(column(k, "v")) for k in node.key if k not in node.nullable_key]
    return ranked.where(any_of(counts))


def _open_versions(node: Snapshot, traits: Traits) -> exp.Select:
    marks = [node.is_deleted] if node.is_deleted else []
    dated = [str(node.updated_at)] if node.strategy == "timestamp" and node.policies.on_unmoved_timestamp != "version" else []
    names = dict.fromkeys((*node.key, *node.tracked, *node.overwritten, *dated, node.valid_from, *marks))
    projections: list[exp.Expr] = [column(n, "h") for n in names]
    if traits.row_address:
        projections.append(named(_sql.address(traits, "h"), ROW))
    return exp.select(*projections).from_(relation("ref", node.name, "h")).where(is_open(node, "h"))


def _dated(node: Snapshot, traits: Traits, compared: exp.Select) -> exp.Select:
    """The rows that matter, with the key's last known boundary: a key without an open version that has one is back."""
    names = [ACTION, *([ROW] if traits.row_address else []), OPEN_FROM, *(c.name for c in recorded_of(node))]
    ended = named(exp.Max(this=column(node.valid_to, "p")), BOUNDARY)
    boundary: exp.Expr = column(BOUNDARY, "e")
    if traits.indexed_lookups:
        compared = _looked_up(node, names, ended, compared)
    else:
        boundary = exp.func("COALESCE", column(OPEN_FROM, "e"), column(BOUNDARY, "l"))
    ended_at = column(BOUNDARY, "e" if traits.indexed_lookups else "l")
    back = every([action_is("new", table="e"), not_null(ended_at)])
    early = every([action_is("new", table="e"), exp.GT(this=ended_at.copy(), expression=variable("as_of"))])
    action = case((early, literal(BLOCKED)), (back, literal("revive")), otherwise=column(ACTION, "e"))
    query = exp.select(
        named(action, ACTION), named(boundary, BOUNDARY),
        *(column(n, "e") for n in names[1:]),
    ).from_(compared.subquery("e"))  # fmt: skip
    if traits.indexed_lookups:
        return query
    closed = exp.select(*(column(k, "p") for k in node.key), ended).from_(relation("ref", node.name, "p"))
    closed = closed.where(is_closed(node, "p")).group_by(*(column(k, "p") for k in node.key))
    return query.join(closed.subquery("l"), on=_sql.same_key(node, "l", "e"), join_type="left")


def _looked_up(node: Snapshot, names: list[str], ended: exp.Alias, compared: exp.Select) -> exp.Select:
    """The boundary of each row that matters, looked up for keys without an open version only, and not at all in an empty history."""
    last = exp.select(ended).from_(relation("ref", node.name, "p")).where(_sql.same_key(node, "p", "x")).subquery()
    some = exp.Exists(this=exp.select(exp.Literal.number(1)).from_(relation("ref", node.name, "a")))
    boundary = case((not_null(column(OPEN_FROM, "x")), column(OPEN_FROM, "x")), (some, last))
    found = exp.select(*(column(n, "x") for n in names), named(boundary, BOUNDARY)).from_(compared.subquery("x"))
    return found.offset(0)  # or Postgres would look it up once more wherever it is used
