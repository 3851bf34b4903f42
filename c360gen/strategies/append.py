"""incremental_strategy: append. Rows beyond the watermark are added; nothing is ever changed."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Step, Write
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _sql
from c360gen.strategies._sql import action_is, case, literal, named
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    names = [c.name for c in node.columns]
    stage = _batch.stage_table(node)
    counted = {"new_rows": action_is("insert", table="s"), **_batch.null_counts(node)}
    rows = exp.select(*(column(n, "s") for n in names)).from_(relation("stage", node.name, "s")).where(action_is("insert", table="s"))
    steps: list[Step] = [
        *_batch.stage(node, dialect, "Read the rows beyond the watermark.", [_sql.ACTION, *names], lambda q: _staged(node, q, traits)),
        _batch.count(node, counted, source_rows=exp.Count(this=exp.Star())),
        *_batch.null_guards(node),
        *_batch.clear_target(node),
        Write("Append the rows.", _sql.insert(relation("ref", node.name), names, rows), _sql.greater_than_zero("new_rows"),
              variable("new_rows"), "rows to append"),
    ]  # fmt: skip
    counters: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"),
        "inserted_rows": variable("new_rows"),
        "deleted_rows": case((variable("full_refresh"), variable("target_rows")), otherwise=exp.Literal.number(0)),
        "unchanged_rows": exp.Literal.number(0),
    }
    rules = ["rows are added, never changed; rows that arrive later with a cursor at or below the watermark are not read"]
    run = _batch.program(node, project, traits, steps, counters, rules, stage)
    return _batch.artefacts(node, _batch.table(node, unique=False), _batch.indexes(node, key=False), run)


def _staged(node: Node, query: exp.Query, traits: Traits) -> exp.Select:
    arms = _batch.null_arms(node, traits)
    action: exp.Expr = case(*arms, otherwise=literal("insert")) if arms else literal("insert")
    read = _batch.batch(node, query, traits, append=True).subquery("b")
    return exp.select(named(action, _sql.ACTION), *(column(c.name, "b") for c in node.columns)).from_(read)
