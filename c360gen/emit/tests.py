"""Data tests as queries: rows that they return are failures."""

from __future__ import annotations

from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit.files import File, sql_file
from c360gen.emit.sql import print_sql
from c360gen.project.nodes import Node, Source, Test
from c360gen.project.references import parse_reference
from c360gen.strategies._history.versions import is_live
from c360gen.terms.symbols import Kind, column, relation


def files(names: Names, dialect: Dialect) -> list[File]:
    """One file per relation that has tests, one statement per test."""
    out = []
    owners: list[Node | Source] = [*names.project.sources.values(), *names.project.nodes.values()]
    for owner in owners:
        if not owner.tests:
            continue
        texts = []
        for test in owner.tests:
            what = f"{test.kind} {owner.name}.{test.column}"
            texts.append(f"-- {what}\n{print_sql(dialect.lower(query(owner, test), names), dialect)};")
        title = f"data tests of {owner.name}: every row returned is a failure"
        out.append(sql_file(f"tests/{owner.name}.sql", "\n\n".join(texts), dialect=dialect.name, title=title, origin=owner.span.path))
    return out


def query(owner: Node | Source, test: Test) -> exp.Select:
    """unique a → SELECT t.a, COUNT(*) AS failures FROM … GROUP BY t.a HAVING COUNT(*) > 1, NULLs left out as dbt does.

    A test of a snapshot looks at its open versions: its key repeats in closed ones by design.
    """
    kind: Kind = "source" if isinstance(owner, Source) else "ref"
    at = column(test.column, "t")
    table = relation(kind, owner.name, "t")
    only_open = None
    if isinstance(owner, Node) and owner.kind == "snapshot":
        only_open = is_live(owner, "t")
    known = exp.Not(this=exp.Is(this=at.copy(), expression=exp.null()))
    if test.kind == "unique":
        found = exp.select(at, exp.alias_(exp.Count(this=exp.Star()), "failures")).from_(table).where(known, only_open)
        return found.group_by(at.copy()).having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)))
    if test.kind == "not_null":
        count = exp.alias_(exp.Count(this=exp.Star()), "failures")
        found = exp.select(count).from_(table).where(exp.Is(this=at, expression=exp.null()), only_open)
        return found.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(0)))
    if test.kind == "accepted_values":
        listed = [exp.convert(v) for v in test.values]
        found = exp.select(at, exp.alias_(exp.Count(this=exp.Star()), "failures")).from_(table)
        return found.where(exp.Not(this=exp.In(this=at.copy(), expressions=listed)), only_open).group_by(at.copy())
    there_kind, _, there = str(parse_reference(str(test.to))).partition(":")
    other = relation("source" if there_kind == "source" else "ref", there, "p")
    parent = exp.select(exp.Literal.number(1)).from_(other).where(exp.EQ(this=column(str(test.field), "p"), expression=at.copy()))
    found = exp.select(at, exp.alias_(exp.Count(this=exp.Star()), "failures")).from_(table)
    return found.where(known, only_open, exp.Not(this=exp.Exists(this=parent))).group_by(at.copy())
