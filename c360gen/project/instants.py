"""An instant beside a date, a wall clock or a text: all of them are UTC, in every session and on every engine.

Postgres takes the session's time zone where they are compared, or become one value, and stores that of whoever deploys in a view; DuckDB
asks the session as well, BigQuery its project for a text, and it neither compares a wall clock with an instant nor mixes them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from c360gen.terms import types
from c360gen.terms.types import T

_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In)
_SAME = (exp.Min, exp.Max, exp.FirstValue, exp.LastValue, exp.Paren, exp.Alias, exp.Window, exp.Nullif, exp.TimestampTrunc)
"""What has the type of its first operand."""


def align(tree: exp.Expr) -> None:
    """Cast what meets an instant to one, in a typed tree and in place."""
    for scope in traverse_scope(tree):
        for column in scope.columns:
            _follow(column, scope)
        for node in reversed(list(scope.expression.walk(bfs=False))):  # the inner ones first: an outer one copies them
            _align(node)


def _follow(column: exp.Column, scope: Scope) -> None:
    """A column of a subquery that has become an instant is one, too."""
    source = scope.sources.get(column.table)
    query = source.expression if isinstance(source, Scope) else None
    selects = query.selects if isinstance(query, exp.Query) else []
    if any(s.alias_or_name == column.name and _kind(s) is T.TIMESTAMPTZ for s in selects):
        column.type = types.TIMESTAMPTZ.copy()


def _align(node: exp.Expr) -> None:
    if isinstance(node, exp.Cast) and node.to.this is T.TIMESTAMPTZ:
        _say_zone(node.this)
    elif isinstance(node, _COMPARED):
        _meet(list(_sides(node)))
    elif isinstance(node, exp.Nullif) and _meet([node.this, node.expression]):
        node.type = types.TIMESTAMPTZ.copy()
    elif isinstance(node, exp.SetOperation):
        for selects in zip(*(part.selects for part in (node.left, node.right) if isinstance(part, exp.Query)), strict=False):
            _meet([select.unalias() for select in selects])
    elif _meet(_branches(node)) or (isinstance(node, (*_SAME, exp.Add, exp.Sub)) and _kind(node) is T.TIMESTAMPTZ):
        node.type = types.TIMESTAMPTZ.copy()
    if isinstance(node, exp.Case) and node.this:
        _meet([node.this, *(arm.this for arm in node.args["ifs"])])


def _meet(sides: list[exp.Expr]) -> bool:
    """Make instants of all of them where one is; whether it is so."""
    if not any(_kind(side) is T.TIMESTAMPTZ for side in sides):
        return False
    for side in sides:
        _as_instant(side)
    return True


def _branches(node: exp.Expr) -> list[exp.Expr]:
    """The expressions of which one is the value of the node."""
    found: list[exp.Expr | None] = []
    if isinstance(node, exp.Coalesce):
        found = [node.this, *node.expressions]
    elif isinstance(node, exp.Case):
        found = [*(arm.args["true"] for arm in node.args["ifs"]), node.args.get("default")]
    elif isinstance(node, exp.If) and not isinstance(node.parent, exp.Case):
        found = [node.args["true"], node.args.get("false")]
    elif isinstance(node, exp.Lag | exp.Lead):
        found = [node.this, node.args.get("default")]
    return [value for value in found if value is not None]


def _sides(node: exp.Expr) -> Iterator[exp.Expr]:
    yield node.this
    yield from (part for key in ("expression", "low", "high") if (part := node.args.get(key)))
    yield from node.expressions
    listed = node.args.get("query")  # IN (SELECT …)
    if isinstance(listed, exp.Subquery) and isinstance(listed.this, exp.Select):
        yield from (select.unalias() for select in listed.this.selects)


def _as_instant(side: exp.Expr) -> None:
    value = side if isinstance(side, exp.Subquery) else side.unnest()
    if isinstance(value, exp.Literal) and value.is_string:
        if _instant(value.name) is not None:
            made = exp.cast(value.copy(), types.TIMESTAMPTZ.copy())
            _say_zone(made.this)
            value.replace(made)
    elif (type_ := _sure(value)) is not None and type_.this in (T.DATE, T.TIMESTAMP):
        inner = value.copy()
        inner.type = type_
        made = exp.cast(inner, types.TIMESTAMPTZ.copy())
        made.type = types.TIMESTAMPTZ.copy()
        value.replace(made)


def _say_zone(value: exp.Expr) -> None:
    """'2026-01-01', as an instant, is 2026-01-01 00:00:00+00."""
    if isinstance(value, exp.Literal) and value.is_string and not value.meta.get("instant") and (said := _instant(value.name)) is not None:
        value.set("this", said)
        value.meta["instant"] = True


def _sure(value: exp.Expr) -> exp.DataType | None:
    """The type of a column, a CAST, what is made of some, or a subquery that gives one; of other expressions sqlglot's word is a guess."""
    if isinstance(value, exp.Column | exp.Cast):
        return types.canonical(value.type)
    if isinstance(value, _SAME):
        return _sure(value.this)
    if value.meta.get("add_days"):
        return types.DATE
    if isinstance(value, exp.Add | exp.Sub):
        return _moved(value)
    if values := [v for v in _branches(value) if not isinstance(v, exp.Null)]:
        kinds = [_sure(v) for v in values]
        if all(k is not None and k.this in types.TIMES for k in kinds):
            return kinds[0] if all(k == kinds[0] for k in kinds) else None if types.TIMESTAMPTZ in kinds else types.TIMESTAMP
    if isinstance(value, exp.Subquery) and isinstance(value.this, exp.Select) and len(value.this.selects) == 1:
        return _sure(value.this.selects[0])
    return None


def known_everywhere(value: exp.Expr) -> exp.DataType | None:
    """The type of a computed time, where engines agree on it: a date that is moved or truncated stays one on some of them only."""
    found = _sure(value)
    if found is None or found.this not in types.TIMES:
        return None
    dates = any(_sure(part) == types.DATE for part in value.find_all(exp.Column, exp.Cast))
    moved = value.find(exp.Interval, exp.TimestampTrunc) is not None
    return None if dates and (moved or found == types.TIMESTAMP) and found != types.TIMESTAMPTZ else found


def _moved(value: exp.Binary) -> exp.DataType | None:
    """The type of a time and an INTERVAL: that of the time, of a date a wall clock."""
    time, interval = (value.this, value.expression) if isinstance(value.expression, exp.Interval) else (value.expression, value.this)
    moved = _sure(time) if isinstance(interval, exp.Interval) else None
    return types.TIMESTAMP if moved == types.DATE else moved


def _instant(text: str) -> str | None:
    """'2026-01-01' → 2026-01-01 00:00:00+00; None where it is no time that ISO knows, or one beyond the calendar in UTC."""
    try:
        found = dt.datetime.fromisoformat(text.strip())
        utc = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return utc.replace(tzinfo=None).isoformat(sep=" ") + "+00"


def _kind(side: exp.Expr) -> exp.DType | None:
    found = _sure(side) or side.type
    return found.this if found is not None else None
