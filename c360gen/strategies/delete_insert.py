"""incremental_strategy: delete+insert. The keys of the batch are replaced by its rows; a key may have several."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Stage, Step, Write
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _batch, _replace, _sql
from c360gen.strategies._sql import action_is, case, every, joined, literal, named
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    names = [c.name for c in node.columns]
    stage = _batch.stage_table(node)
    counted = {"source_rows": action_is("batch", "null_key", "null_time", table="s"), **_batch.null_counts(node)}
    steps: list[Step] = [
        *_batch.stage(node, dialect, "Read the batch once.", [_sql.ACTION, *names], lambda q: _staged(node, q, traits)),
        _batch.count(node, counted),
        *_batch.null_guards(node),
        *_batch.clear_target(node),
        Stage("Find the keys whose rows differ, as multisets: what is equal is not written again.", _differing(node)),
        Count("Count what will be replaced.", ("deleted_rows", "new_rows"), _replaced(node)),
        _delete(node),
        _insert(node),
    ]
    counters: dict[str, exp.Expr] = {
        "source_rows": variable("source_rows"),
        "inserted_rows": variable("new_rows"),
        "deleted_rows": case((variable("full_refresh"), variable("target_rows")), otherwise=variable("deleted_rows")),
        "unchanged_rows": exp.Sub(this=variable("source_rows"), expression=variable("new_rows")),
    }
    rules = [f"the rows of every {', '.join(node.key)} in the batch replace those in the table; other rows are kept"]
    run = _batch.program(node, project, traits, steps, counters, rules, stage)
    return _batch.artefacts(node, _batch.table(node, unique=False), _batch.indexes(node, key=True), run)


def _staged(node: Node, query: exp.Query, traits: Traits) -> exp.Select:
    action = case(*_batch.null_arms(node, traits), otherwise=literal("batch"))
    read = _batch.batch(node, query, traits).subquery("b")
    return exp.select(named(action, _sql.ACTION), *(column(c.name, "b") for c in node.columns)).from_(read)


def _differing(node: Node) -> exp.Insert:
    """The keys of every row that batch and table do not hold equally often."""
    keys_of_batch = exp.select(*(column(k, "k") for k in node.key)).from_(relation("stage", node.name, "k"))
    keys_of_batch = keys_of_batch.where(action_is("batch", table="k")).distinct()
    theirs = _replace.table_rows(node).join(keys_of_batch.subquery("b"), on=joined(node.key, "b", "t"), join_type="inner")
    groups = _replace.differing(node, node.key, _replace.batch_rows(node), theirs)
    query = exp.select(named(literal("replace"), _sql.ACTION), *(column(k, "g") for k in node.key))
    query = query.from_(groups.subquery("g")).distinct()
    return _sql.insert(relation("stage", node.name), [_sql.ACTION, *node.key], query)


def _replaced(node: Node) -> exp.Select:
    def counted(table: exp.Table, alias: str, condition: exp.Expr | None) -> exp.Subquery:
        query = exp.select(exp.Count(this=exp.Star())).from_(table).join(
            relation("stage", node.name, "r"), on=every([joined(node.key, "r", alias), action_is("replace", table="r")]), join_type="inner"
        )  # fmt: skip
        return (query.where(condition) if condition else query).subquery()

    gone = counted(relation("ref", node.name, "t"), "t", None)
    come = counted(relation("stage", node.name, "s"), "s", action_is("batch", table="s"))
    return exp.select(named(gone, "deleted_rows"), named(come, "new_rows"))


def _delete(node: Node) -> Write:
    marked = exp.select(exp.Literal.number(1)).from_(relation("stage", node.name, "r"))
    marked = marked.where(every([action_is("replace", table="r"), joined(node.key, "r", "t")]))
    statement = exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=exp.Exists(this=marked)))
    return Write("Remove the rows of the keys that differ.", statement, _sql.greater_than_zero("deleted_rows"),
                 variable("deleted_rows"), "rows to remove")  # fmt: skip


def _insert(node: Node) -> Write:
    names = [c.name for c in node.columns]
    query = exp.select(*(column(n, "s") for n in names)).from_(relation("stage", node.name, "s"))
    query = query.join(
        relation("stage", node.name, "r"), on=every([joined(node.key, "r", "s"), action_is("replace", table="r")]), join_type="inner"
    )
    query = query.where(action_is("batch", table="s"))
    return Write("Insert the rows that replace them.", _sql.insert(relation("ref", node.name), names, query),
                 _sql.greater_than_zero("new_rows"), variable("new_rows"), "rows to insert")  # fmt: skip
