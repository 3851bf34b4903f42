"""A row that is committed after the run, with an earlier time, is never read."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from c360gen.lint.project import Finding, Linted
from c360gen.project.nodes import Node
from c360gen.terms import symbols

CODE, TITLE, LEVEL = "L202", "a watermark without lookback", "warning"


_NEWER = (exp.GT, exp.GTE)


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.models("incremental"):
        if node.cursor is not None and not node.lookback and node.strategy in ("merge", "delete_insert", "insert_overwrite"):
            message = f"{node.name} has a cursor without lookback: a row that is committed late, with an earlier time, is never read"
            yield Finding(message, located.span("config", "cursor"), "add lookback: how late a row may come, such as '3 days'")
        yield from _written(project, node)


def _written(project: Linted, node: Node) -> Iterator[Finding]:
    """`where t > (select max(t) from {{ this }})`."""
    tree = node.query("").incremental
    for comparison in tree.find_all(*_NEWER) if tree is not None else ():
        inner = comparison.expression.unnest() if isinstance(comparison.expression, exp.Subquery) else None
        if not isinstance(inner, exp.Select) or len(inner.selects) != 1:
            continue
        value = inner.selects[0].unalias()
        value = value.this if isinstance(value, exp.Coalesce) else value
        reads_itself = any(symbols.symbol(t) == ("ref", node.name) for t in inner.find_all(exp.Table))
        if isinstance(value, exp.Max) and reads_itself:
            at = project.place(node, comparison, incremental=True)
            message = f"{node.name} reads what is later than its own MAX: a row that is committed late is never read"
            help = "remove the condition, and say cursor: and lookback: instead; they are kept in the database"
            yield Finding(message, at, help)
