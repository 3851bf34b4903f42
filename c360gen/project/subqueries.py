"""Subqueries that depend on their outer row, and outer joins: Postgres and DuckDB take any, warehouses those that are a join to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope


def refused(tree: exp.Expr) -> Iterator[tuple[exp.Expr, str, str]]:
    """Yield (node, what it is, help) for what Snowflake or BigQuery refuse in a qualified tree, though their parsers do not.

    Snowflake: "Unsupported subquery type cannot be evaluated". BigQuery: "Correlated subqueries that reference other tables are not
    supported unless they can be de-correlated", "LEFT OUTER JOIN cannot be used without a condition that is an equality of fields".
    """
    for scope in traverse_scope(tree):
        query = scope.expression
        for join in query.args.get("joins") or ():
            on = join.args.get("on")
            if join.side and on is not None and not isinstance(on, exp.Boolean) and not any(map(_joins, _conditions(on))):
                yield join, f"a {join.side} JOIN without an equality of both sides", "BigQuery finds its rows by one: join by a key as well"
        outer = {column.sql() for column in scope.external_columns} if scope.is_correlated_subquery else set()
        if not outer or not isinstance(query, exp.Select):
            continue
        alone = isinstance(query.parent, exp.Subquery) and not isinstance(query.parent.parent, exp.In | exp.From | exp.Join)
        if query.args.get("limit") is not None:
            yield query, "LIMIT in a subquery that depends on its outer row", "join the row instead: ROW_NUMBER() OVER (…) = 1"
        elif alone and (query.args.get("group") or not query.selects[0].find(exp.AggFunc)):
            yield query, "a subquery that may give several rows for its outer row", "write MAX(…) or MIN(…), or a join"
        elif not _by_equality(query, outer, alone):
            help = "write a join: Snowflake and BigQuery find its rows by equalities"
            yield query, "a subquery that depends on its outer row by no equality", help


def _by_equality(query: exp.Select, outer: Collection[str], alone: bool) -> bool:
    """Whether rows are found by an equality with the outer row; where a value is asked for, by nothing else of it."""
    where = query.args.get("where")
    asked = [part for part in _conditions(where.this) if any(c.sql() in outer for c in part.find_all(exp.Column))] if where else []
    equal = [_sides(part, outer) for part in asked]
    return (all(equal) if alone else True) and any(equal)


def _conditions(tree: exp.Expr) -> list[exp.Expr]:
    """a AND (b AND c) → a, b, c."""
    tree = tree.unnest()
    return [*_conditions(tree.left), *_conditions(tree.right)] if isinstance(tree, exp.And) else [tree]


def _joins(part: exp.Expr) -> bool:
    if not isinstance(part, exp.EQ | exp.NullSafeEQ):
        return False
    left, right = ({c.table for c in side.find_all(exp.Column)} for side in (part.left, part.right))
    return bool(left and right and left != right)


def _sides(part: exp.Expr, outer: Collection[str]) -> bool:
    """Whether it is an equality, one side of which is of the outer row, and the other is not."""
    if not isinstance(part, exp.EQ | exp.NullSafeEQ):
        return False
    left, right = ({c.sql() for c in side.find_all(exp.Column)} for side in (part.left, part.right))
    return bool((left and left <= {*outer} and not right & {*outer}) or (right and right <= {*outer} and not left & {*outer}))
