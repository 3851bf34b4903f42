"""Data tests as queries: rows that they return are failures."""

from __future__ import annotations

from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit.files import File, sql_file
from c360gen.emit.sql import print_sql
from c360gen.project.nodes import Node, Snapshot, Source, Test
from c360gen.strategies._history.versions import is_live
from c360gen.strategies._sql import is_null, not_null, several
from c360gen.terms.symbols import Kind, column, relation

FAILURES = "failures"
"""The column that says how many rows fail, where a row of the answer stands for several."""


def files(names: Names, dialect: Dialect) -> list[File]:
    """One file per relation that has tests, one statement per test."""
    out = []
    owners: list[Node | Source] = [*names.project.sources.values(), *names.project.nodes.values()]
    for owner in owners:
        if not owner.tests:
            continue
        texts = [f"-- {label(owner, test)}\n{text(owner, test, names, dialect)};" for test in owner.tests]
        title = f"data tests of {owner.name}: every row returned is a failure"
        path, origin = f"tests/{owner.name}.sql", owner.span.origin
        out.append(sql_file(path, "\n\n".join(texts), dialect=dialect.name, title=title, origin=origin, about=owner.id))
    return out


def label(owner: Node | Source, test: Test) -> str:
    """`unique shop.orders.order_id`, and what is not as usual about it."""
    about = ".".join((owner.name, *test.columns)) if len(test.columns) < 2 else f"{owner.name} ({', '.join(test.columns)})"
    return f"{test.kind} {about}{' (a warning)' if test.severity == 'warn' else ''}"


def text(owner: Node | Source, test: Test, names: Names, dialect: Dialect) -> str:
    """The query in the words of an engine."""
    return print_sql(dialect.lower(query(owner, test), names), dialect)


def query(owner: Node | Source, test: Test) -> exp.Select:
    """unique a → SELECT t.a, COUNT(*) AS failures FROM … GROUP BY t.a HAVING COUNT(*) > 1, NULLs left out as dbt does.

    A test of a snapshot looks at its open versions: its key repeats in closed ones by design.
    """
    kind: Kind = "source" if isinstance(owner, Source) else "ref"
    table = relation(kind, owner.name, "t")
    only = [is_live(owner, "t")] if isinstance(owner, Snapshot) else []
    only += [exp.paren(test.where.copy())] if test.where is not None else []
    columns = [column(name, "t") for name in test.columns]
    failures = exp.alias_(exp.Count(this=exp.Star()), FAILURES)

    def where(*conditions: exp.Expr) -> exp.Select:
        return exp.select(*(c.copy() for c in columns), failures).from_(table).where(*conditions, *only)

    if test.kind in ("unique", "unique_combination_of_columns"):
        known = [not_null(columns[0])] if test.kind == "unique" else []
        found = where(*known).group_by(*(c.copy() for c in columns))
        return found.having(several())
    if test.kind == "not_null":
        found = exp.select(failures).from_(table).where(is_null(columns[0]), *only)
        return found.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0)))
    if test.kind == "expression_is_true":
        assert test.condition is not None
        return _broken(owner, test, exp.select().from_(table).where(exp.Not(this=exp.paren(test.condition.copy())), *only))
    if test.kind == "accepted_values":
        listed = [exp.convert(v) for v in test.values]
        return where(exp.Not(this=exp.In(this=columns[0].copy(), expressions=listed))).group_by(columns[0].copy())
    there_kind, _, there = str(test.to).partition(":")
    other = relation("source" if there_kind == "source" else "ref", there, "p")
    same = exp.EQ(this=column(str(test.to_column), "p"), expression=columns[0].copy())
    parent = exp.select(exp.Literal.number(1)).from_(other).where(same)
    return where(not_null(columns[0]), exp.Not(this=exp.Exists(this=parent))).group_by(columns[0].copy())


def _broken(owner: Node | Source, test: Test, rows: exp.Select) -> exp.Select:
    """The rows themselves: their key, and the columns that the condition names."""
    key = owner.key if isinstance(owner, Node) else ()
    shown: list[exp.Expr] = [column(name, "t") for name in dict.fromkeys((*key, *test.mentions))]
    return rows.select(*(shown or [exp.alias_(exp.Literal.number(1), FAILURES)]))
