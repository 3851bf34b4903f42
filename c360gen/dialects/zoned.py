"""Postgres and DuckDB read the session's time zone when an instant becomes a date or a wall clock; we say UTC instead."""

from __future__ import annotations

from sqlglot import exp

from c360gen.terms.types import T

_UTC = "UTC"


def in_utc(node: exp.Expr) -> exp.Expr:
    """CAST(instant AS DATE) → CAST(instant AT TIME ZONE 'UTC' AS DATE), and the like for EXTRACT, DATE_TRUNC and the way back."""
    if isinstance(node, exp.Cast):
        if node.to.this in (T.DATE, T.TIMESTAMP) and _is(node.this, T.TIMESTAMPTZ):
            wall = _zone(node.this)
            return wall if node.to.this is T.TIMESTAMP else exp.cast(wall, node.to.copy())
        if node.to.this is T.TIMESTAMPTZ and _is(node.this, T.DATE, T.TIMESTAMP):
            wall = node.this.copy() if _is(node.this, T.TIMESTAMP) else exp.cast(node.this.copy(), exp.DataType(this=T.TIMESTAMP))
            return _typed(exp.AtTimeZone(this=wall, zone=exp.Literal.string(_UTC)), T.TIMESTAMPTZ)
    if isinstance(node, exp.Extract) and _is(node.expression, T.TIMESTAMPTZ):
        node.set("expression", _zone(node.expression))
    if isinstance(node, exp.TimestampTrunc) and _is(node.this, T.TIMESTAMPTZ):
        inner = node.copy()
        inner.set("this", _zone(node.this))
        inner.type = exp.DataType(this=T.TIMESTAMP)
        return _typed(exp.AtTimeZone(this=inner, zone=exp.Literal.string(_UTC)), T.TIMESTAMPTZ)
    return node


def _zone(value: exp.Expr) -> exp.Expr:
    inner = exp.Paren(this=value.copy()) if isinstance(value, exp.Binary) else value.copy()
    return _typed(exp.AtTimeZone(this=inner, zone=exp.Literal.string(_UTC)), T.TIMESTAMP)


def _typed(node: exp.Expr, type_: exp.DType) -> exp.Expr:
    node.type = exp.DataType(this=type_)
    return node


def _is(node: exp.Expr, *kinds: exp.DType) -> bool:
    return node.type is not None and node.type.this in kinds
