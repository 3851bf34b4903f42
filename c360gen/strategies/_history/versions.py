"""The words of a history table: which version is open, which one is live, what is recorded of the source."""

from __future__ import annotations

from sqlglot import exp

from c360gen.project.nodes import Column, Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._sql import any_of, case, equal, every, is_null, literal, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column


def recorded_of(node: Snapshot) -> tuple[Column, ...]:
    """The columns that come from the source: all but the interval, the mark of a deletion, and what dbt's readers expect."""
    own = (node.valid_from, node.valid_to, node.is_deleted, node.row_id, node.row_time)
    return tuple(c for c in node.columns if c.name not in own)


def never_null(node: Snapshot) -> frozenset[str]:
    """The columns that are NOT NULL in a history."""
    must = {*node.key, node.valid_from, node.is_deleted, node.row_id, node.row_time} - set(node.nullable_key)
    if node.strategy == "timestamp" and node.policies.on_null_updated_at != "as_of" and not (node.deleted_flag or node.deleted_at):
        must.add(node.updated_at)
    if node.feed is not None:
        must |= {node.updated_at, node.feed.cursor, *node.feed.sequence}
    if node.open_until is not None:
        must.add(node.valid_to)
    return frozenset(name for name in must if name)


def end_of_time(node: Snapshot) -> exp.Expr:
    """valid_to of open versions: NULL, or the sentinel that the spec declares."""
    return exp.null() if node.open_until is None else _sql.instant(node.open_until)


def is_open(node: Snapshot, table: str | None = None) -> exp.Expr:
    at = column(node.valid_to, table)
    return is_null(at) if node.open_until is None else equal(at, end_of_time(node))


def is_closed(node: Snapshot, table: str) -> exp.Expr:
    at = column(node.valid_to, table)
    return not_null(at) if node.open_until is None else exp.NEQ(this=at, expression=end_of_time(node))


def mark(node: Snapshot, gone: bool) -> exp.Expr:
    """What the column is_deleted says: true or false, or dbt's words where it is a text."""
    if node.column(str(node.is_deleted)).type == types.TEXT:
        return literal("True" if gone else "False")
    return exp.convert(gone)


def lives_at(node: Snapshot, table: str, at: exp.Expr) -> exp.Expr:
    """valid_from <= at < valid_to."""
    started = exp.LTE(this=column(node.valid_from, table), expression=at)
    return every([started, reaches(node, table, exp.GT, at.copy())])


def reaches(node: Snapshot, table: str, operator: type[exp.Binary], at: exp.Expr) -> exp.Expr:
    """valid_to > at, or open; `operator` may be another comparison."""
    until = column(node.valid_to, table)
    later = operator(this=until, expression=at)
    return later if node.open_until is not None else exp.Paren(this=any_of([later, is_null(until.copy())]))


def is_marker(node: Snapshot, table: str) -> exp.Expr | None:
    """Whether a version only says that its key is gone; None where there are no such versions."""
    if node.is_deleted is None:
        return None
    at, gone = column(node.is_deleted, table), mark(node, True)
    return at if isinstance(gone, exp.Boolean) else equal(at, gone)


def not_marker(node: Snapshot, table: str) -> exp.Expr | None:
    marker = is_marker(node, table)
    if isinstance(marker, exp.EQ):
        return exp.NEQ(this=marker.this, expression=marker.expression)
    return marker if marker is None else exp.Not(this=marker)


def is_live(node: Snapshot, table: str) -> exp.Expr:
    """Open, and not the marker of a deletion."""
    return every(c for c in (is_open(node, table), not_marker(node, table)) if c is not None)


def row_id(node: Snapshot, start: exp.Expr, table: str) -> exp.Expr:
    """dbt_scd_id: MD5(key || '|' || start), everything as text, the start in the type of updated_at, NULL as ''.

    A start that a date does not say, since the run dated it, is told whole: or versions of one day would have one id.
    """
    start = _typed(start, types.TIMESTAMPTZ)
    instant, kind = start, _sql.known(node.column(node.updated_at).type) if node.updated_at else types.TIMESTAMPTZ
    if kind != types.TIMESTAMPTZ:
        start = exp.cast(start, kind.copy())
    said: exp.Expr = exp.cast(start, types.TEXT.copy())
    if kind == types.DATE:
        whole = exp.EQ(this=_sql.as_time(start.copy(), kind), expression=instant.copy())
        said = case((whole, said), otherwise=exp.cast(instant.copy(), types.TEXT.copy()))
    text: list[exp.Expr] = []
    for part in (*(_typed(column(k, table), node.column(k).type) for k in node.key), said):
        shown: exp.Expr = part if part is said else exp.cast(part, types.TEXT.copy())
        if isinstance(part, exp.Column) and part.name in node.nullable_key:
            shown = exp.func("COALESCE", shown, literal(""))
        text.append(shown)
    return exp.MD5(this=_sql.concat(*text, separator="|"))


def _typed(value: exp.Expr, type_: exp.DataType | None) -> exp.Expr:
    """A copy that says what it is, so that a dialect can write it as text as no session says otherwise."""
    made = value.copy()
    made.type = type_ and type_.copy()
    return made


def as_instant(node: Snapshot, name: str, table: str) -> exp.Expr:
    """A time column of the source as an instant."""
    return _sql.as_time(column(name, table), node.column(name).type)


def infinitely_early(node: Snapshot, name: str) -> exp.Expr:
    return exp.cast(literal("-infinity"), node.column(name).type or types.TIMESTAMPTZ)
