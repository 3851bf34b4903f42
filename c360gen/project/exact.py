"""Exact arithmetic: which divisions and averages are of exact numbers, so that every engine gives the same digits.

sqlglot types AVG and `/` as floating; Postgres computes them exactly. The rule here, on every engine: dividing exact numbers
and averaging them gives nine decimals, rounded half away from zero; dividing integers truncates; SUM(bigint) is numeric.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from c360gen.terms import types
from c360gen.terms.types import T

_INEXACT = frozenset({T.DOUBLE, T.FLOAT})
_NINE = types.numeric(38, 9)
_TEXTS = frozenset({T.TEXT, T.VARCHAR, T.CHAR, T.NCHAR, T.NVARCHAR})


def annotate(tree: exp.Expr, report: Callable[[exp.Expr, str, str], None]) -> None:
    """Correct the types of a qualified, typed tree in place and mark `/` and AVG with meta `exact` or `integers`."""
    for scope in traverse_scope(tree):
        for node in reversed(list(scope.expression.walk(bfs=False))):
            if isinstance(node, exp.Column):
                _column(node, scope)
            elif isinstance(node, exp.Expr):
                _node(node, report)


def _column(node: exp.Column, scope: Scope) -> None:
    source = scope.sources.get(node.table)
    if isinstance(source, Scope) and isinstance(query := source.expression, exp.Query) and node.name in query.named_selects:
        select = query.selects[query.named_selects.index(node.name)]
        if select.type is not None:
            node.type = select.type.copy()


def _node(node: exp.Expr, report: Callable[[exp.Expr, str, str], None]) -> None:
    match node:
        case exp.Alias() | exp.Paren() | exp.Neg() | exp.Abs() | exp.Max() | exp.Min() | exp.Subquery() | exp.Window():
            inner = node.this
            _take(node, inner.selects[0] if isinstance(inner, exp.Query) and inner.selects else inner)
        case exp.Avg() if _exact(node.this):
            node.type, node.meta["exact"] = _NINE.copy(), True
        case exp.Sum() if types.kind(node.this) is T.BIGINT:
            node.type = types.numeric(38, 0)
        case exp.Sum() if _exact(node.this):
            node.type = types.BIGINT.copy() if _integer(node.this) else types.numeric(38, _scale(node.this))
        case exp.Div() if _integer(node.this) and _integer(node.expression):
            node.type, node.meta["integers"] = types.BIGINT.copy(), True
        case exp.Div() if _exact(node.this) and _exact(node.expression):
            node.type, node.meta["exact"] = _NINE.copy(), True
        case exp.Add() | exp.Sub() | exp.Mul():
            _arithmetic(node, report)
        case exp.Round():
            if _exact(node.this):
                node.type = _NINE.copy() if not _integer(node.this) else types.numeric(38, 0)
            elif types.kind(node.this) in _INEXACT:
                help = "CAST it to numeric(p,s), which rounds half away from zero on every engine"
                report(node, "ROUND of a floating number", help)
        case exp.Cast() if node.to.this in _TEXTS and types.kind(node.this) in (T.TIMESTAMP, T.TIMESTAMPTZ):
            report(
                node, "a time as text", "each engine spells it differently: give the model a text of its own for each dialect, or a date"
            )
        case exp.Cast() if node.to.this in _TEXTS and _decimals(node.this):
            report(node, "a number with decimals as text", "BigQuery writes 1.5 where others write 1.50: let it be a number, or an integer")
        case exp.Cast() if node.to.this in types.INTEGERS and types.kind(node.this) in _INEXACT:
            help = "CAST it to numeric(38,0) first, which rounds half away from zero on every engine"
            report(node, "a floating number as an integer", help)
        case exp.Coalesce() | exp.Nullif():
            first = [node.this, *node.expressions] if isinstance(node, exp.Coalesce) else [node.this]
            _widest(node, first)
        case exp.Case():
            _widest(node, [i.args["true"] for i in node.args["ifs"]] + ([node.args["default"]] if node.args.get("default") else []))


def _arithmetic(node: exp.Binary, report: Callable[[exp.Expr, str, str], None]) -> None:
    left, right = types.kind(node.left), types.kind(node.right)
    if isinstance(node, exp.Sub) and left is T.DATE and right is T.DATE:
        node.type, node.meta["days"] = types.BIGINT.copy(), True
    elif (left is T.DATE and _integer(node.right)) or (right is T.DATE and _integer(node.left)):
        node.type, node.meta["add_days"] = types.DATE.copy(), True
    elif isinstance(node, exp.Sub) and {left, right} <= types.TIMES and left is not None and right is not None:
        report(node, "the difference of two timestamps", "CAST both to date: date - date is a number of days on every engine")
    elif _integer(node.left) and _integer(node.right):
        node.type = types.BIGINT.copy()
    elif _exact(node.left) and _exact(node.right):
        scales = (_scale(node.left), _scale(node.right))
        node.type = types.numeric(38, min(38, sum(scales)) if isinstance(node, exp.Mul) else max(scales))


def _widest(node: exp.Expr, values: list[exp.Expr]) -> None:
    known = [v for v in values if not isinstance(v, exp.Null)]
    if known and all(_exact(v) for v in known):
        if all(_integer(v) for v in known):
            node.type = types.BIGINT.copy()
        else:
            node.type = types.numeric(38, max(_scale(v) for v in known))
    elif known and known[0].type is not None and all(types.kind(v) is types.kind(known[0]) for v in known):
        node.type = known[0].type.copy()


def _take(node: exp.Expr, other: exp.Expr) -> None:
    if other.type is not None:
        node.type = other.type.copy()


def _integer(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal):
        return not node.is_string and node.name.isdigit()
    return types.kind(node) in types.INTEGERS


def _exact(node: exp.Expr) -> bool:
    return _integer(node) or types.kind(node) is T.DECIMAL or (isinstance(node, exp.Literal) and not node.is_string)


def _decimals(node: exp.Expr) -> bool:
    return types.kind(node) in _INEXACT or (types.kind(node) is T.DECIMAL and _scale(node) > 0)


def _scale(node: exp.Expr) -> int:
    if isinstance(node, exp.Literal):
        return len(node.name.partition(".")[2])
    sizes = types.sizes(node.type) if node.type is not None and types.kind(node) is T.DECIMAL else ()
    return sizes[1] if len(sizes) > 1 else (0 if sizes or _integer(node) else 9)
