"""The words of a history table: which version is open, which one is live, what is recorded of the source."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Column, Node
from c360gen.strategies import _sql
from c360gen.strategies._sql import any_of, equal, every, is_null, literal, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column


def recorded_of(node: Node) -> tuple[Column, ...]:
    """The columns that come from the source: all but the interval and the mark of a deletion."""
    return tuple(c for c in node.columns if c.name not in (node.valid_from, node.valid_to, node.is_deleted))


def stored_type(type_: exp.DataType | None) -> exp.DataType:
    assert type_ is not None, "resolve lets no persisted column through without a type"
    return type_


def end_of_time(node: Node) -> exp.Expr:
    """valid_to of open versions: NULL, or the sentinel that the spec declares."""
    return exp.null() if node.open_until is None else _sql.instant(node.open_until.strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000"))


def is_open(node: Node, table: str | None = None) -> exp.Expr:
    at = column(node.valid_to, table)
    return is_null(at) if node.open_until is None else equal(at, end_of_time(node))


def is_closed(node: Node, table: str) -> exp.Expr:
    at = column(node.valid_to, table)
    return not_null(at) if node.open_until is None else exp.NEQ(this=at, expression=end_of_time(node))


def lives_at(node: Node, table: str, at: exp.Expr) -> exp.Expr:
    """valid_from <= at < valid_to."""
    started = exp.LTE(this=column(node.valid_from, table), expression=at)
    return every([started, reaches(node, table, exp.GT, at.copy())])


def reaches(node: Node, table: str, operator: type[exp.Binary], at: exp.Expr) -> exp.Expr:
    """valid_to > at, or open; `operator` may be another comparison."""
    until = column(node.valid_to, table)
    later = operator(this=until, expression=at)
    return later if node.open_until is not None else exp.Paren(this=any_of([later, is_null(until.copy())]))


def is_marker(node: Node, table: str) -> exp.Expr | None:
    """Whether a version only says that its key is gone; None where there are no such versions."""
    return column(node.is_deleted, table) if node.is_deleted else None


def not_marker(node: Node, table: str) -> exp.Expr | None:
    return exp.Not(this=column(node.is_deleted, table)) if node.is_deleted else None


def is_live(node: Node, table: str) -> exp.Expr:
    """Open, and not the marker of a deletion."""
    return every(c for c in (is_open(node, table), not_marker(node, table)) if c is not None)


def as_instant(node: Node, name: str, table: str) -> exp.Expr:
    """A time column of the source as an instant."""
    return _sql.as_time(column(name, table), node.column(name).type)


def infinitely_early(node: Node, name: str) -> exp.Expr:
    return exp.cast(literal("-infinity"), node.column(name).type or types.TIMESTAMPTZ)


def address(traits: Traits, table: str) -> exp.Column:
    """The physical place of a row of a table."""
    return exp.Column(this=exp.to_identifier(str(traits.row_address)), table=exp.to_identifier(table, quoted=True))
