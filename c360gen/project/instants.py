"""An instant beside a date, a wall clock or a text: all of them are UTC, in every session and on every engine.

Postgres takes the session's time zone for such a comparison, and stores that of whoever deploys in a view; BigQuery takes its project's for
a text, and compares no wall clock with an instant.
"""

from __future__ import annotations

import datetime as dt

from sqlglot import exp

from c360gen.terms import types

T = exp.DataType.Type
_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In)


def align(tree: exp.Expr) -> None:
    """Cast what is compared with an instant to one, in a typed tree and in place."""
    for node in reversed(list(tree.find_all(*_COMPARED))):  # the inner ones first: an outer one copies them
        sides = [node.this, *(part for key in ("expression", "low", "high") if (part := node.args.get(key))), *node.expressions]
        if any(_kind(side) is T.TIMESTAMPTZ for side in sides):
            for side in sides:
                _as_instant(side)


def _as_instant(side: exp.Expr) -> None:
    value = side.unnest()
    if isinstance(value, exp.Literal) and value.is_string:
        if (said := _instant(value.name)) is not None:
            text = exp.Literal.string(said)
            text.meta.update({**value.meta, "instant": True})
            value.replace(exp.cast(text, types.TIMESTAMPTZ.copy()))
    elif isinstance(value, exp.Column | exp.Cast) and _kind(value) in (T.DATE, T.TIMESTAMP):  # of others the type is not sure
        made = exp.cast(value.copy(), types.TIMESTAMPTZ.copy())
        made.type = types.TIMESTAMPTZ.copy()
        value.replace(made)


def _instant(text: str) -> str | None:
    """'2026-01-01' → 2026-01-01 00:00:00+00; None where it is no time that ISO knows, or one beyond the calendar in UTC."""
    try:
        found = dt.datetime.fromisoformat(text.strip())
        utc = found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None
    return utc.replace(tzinfo=None).isoformat(sep=" ") + "+00"


def _kind(node: exp.Expr) -> exp.DType | None:
    return node.type.this if node.type is not None else None
