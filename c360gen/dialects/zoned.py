"""Postgres and DuckDB read the session's time zone when an instant becomes a date or a wall clock; we say UTC instead."""

from __future__ import annotations

from sqlglot import exp

from c360gen.terms.types import T

_UTC = "UTC"
_EXACT = ("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND")
"""Units that are as long in every zone; a day is not, where clocks change."""


def in_utc(node: exp.Expr) -> exp.Expr:
    """CAST(instant AS DATE) → CAST(instant AT TIME ZONE 'UTC' AS DATE), and the like for EXTRACT, DATE_TRUNC, days that are added, and
    the way back."""
    if isinstance(node, exp.Cast):
        if node.to.this in (T.DATE, T.TIMESTAMP) and _is(node.this, T.TIMESTAMPTZ):
            wall = _zone(node.this)
            return wall if node.to.this is T.TIMESTAMP else exp.cast(wall, node.to.copy())
        if node.to.this is T.TIMESTAMPTZ and _is(node.this, T.DATE, T.TIMESTAMP):
            return _back(node.this.copy() if _is(node.this, T.TIMESTAMP) else exp.cast(node.this.copy(), exp.DataType(this=T.TIMESTAMP)))
    if isinstance(node, exp.Extract) and _is(node.expression, T.TIMESTAMPTZ):
        node.set("expression", _zone(node.expression))
    if isinstance(node, exp.TimestampTrunc) and _is(node.this, T.TIMESTAMPTZ):
        inner = node.copy()
        inner.set("this", _zone(node.this))
        inner.type = exp.DataType(this=T.TIMESTAMP)
        return _back(inner)
    if isinstance(node, exp.Add | exp.Sub) and any(map(_days, (node.this, node.expression))):
        moved = node.copy()
        for side in ("this", "expression"):
            if _is(node.args[side], T.TIMESTAMPTZ):
                moved.set(side, _zone(node.args[side]))
                return _back(moved)
    return node


def _days(value: exp.Expr) -> bool:
    return isinstance(value, exp.Interval) and (value.unit is None or not value.unit.name.upper().startswith(_EXACT))


def _zone(value: exp.Expr) -> exp.Expr:
    if isinstance(value, exp.AtTimeZone) and _is(value, T.TIMESTAMPTZ):  # that was a wall clock in UTC before
        wall: exp.Expr = value.this.unnest().copy()
        return wall
    return _typed(_at_utc(value.copy()), T.TIMESTAMP)


def _back(wall: exp.Expr) -> exp.Expr:
    return _typed(_at_utc(wall), T.TIMESTAMPTZ)


def _at_utc(value: exp.Expr) -> exp.Expr:
    inner = exp.Paren(this=value) if isinstance(value, exp.Binary) else value
    return exp.AtTimeZone(this=inner, zone=exp.Literal.string(_UTC))


def _typed(node: exp.Expr, type_: exp.DType) -> exp.Expr:
    node.type = exp.DataType(this=type_)
    return node


def _is(node: exp.Expr, *kinds: exp.DType) -> bool:
    return node.type is not None and node.type.this in kinds
