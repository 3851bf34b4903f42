"""An instant beside a date, a wall clock or a text: all of them are UTC, in every session and on every engine.

Postgres takes the session's time zone for such a comparison, and stores that of whoever deploys in a view; BigQuery takes its project's for
a text, and compares no wall clock with an instant.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlglot import exp

from c360gen.terms import types
from c360gen.terms.types import T

_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In)


def align(tree: exp.Expr) -> None:
    """Cast what is compared with an instant to one, in a typed tree and in place."""
    for node in reversed(list(tree.find_all(*_COMPARED))):  # the inner ones first: an outer one copies them
        sides = list(_sides(node))
        if any(_kind(side) is T.TIMESTAMPTZ for side in sides):
            for side in sides:
                _as_instant(side)


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
        if (said := _instant(value.name)) is not None:
            text = exp.Literal.string(said)
            text.meta.update({**value.meta, "instant": True})
            value.replace(exp.cast(text, types.TIMESTAMPTZ.copy()))
    elif (type_ := _sure(value)) is not None and type_.this in (T.DATE, T.TIMESTAMP):
        inner = value.copy()
        inner.type = type_
        made = exp.cast(inner, types.TIMESTAMPTZ.copy())
        made.type = types.TIMESTAMPTZ.copy()
        value.replace(made)


def _sure(value: exp.Expr) -> exp.DataType | None:
    """The type of a column, a CAST, the MIN or MAX of one, or a subquery that gives one; of other expressions sqlglot's word is a guess."""
    if isinstance(value, exp.Column | exp.Cast):
        return types.canonical(value.type)
    if isinstance(value, exp.Min | exp.Max | exp.Paren | exp.Alias):
        return _sure(value.this)
    if isinstance(value, exp.Subquery) and isinstance(value.this, exp.Select) and len(value.this.selects) == 1:
        return _sure(value.this.selects[0])
    return None


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
