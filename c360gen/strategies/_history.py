"""What every snapshot over a state source has in common: the history table, its helpers, and the run (README: What a snapshot does)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from c360gen.ops.program import Program
from c360gen.ops.schema import (
    ColumnDef,
    CreateIndex,
    CreateTable,
    CreateTableFunction,
    CreateView,
    StageTable,
    Traits,
)
from c360gen.project.nodes import Node, Resolved
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import Artefacts, _contract, _sql
from c360gen.strategies import _history_run as run
from c360gen.strategies._sql import ACTION, any_of, codes, every, is_null, plus
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable


def plan(node: Node, traits: Traits, *, dating: exp.Expr, problems: Sequence[run.Problem], project: Resolved) -> Artefacts:
    """The objects and the run of a snapshot; `dating` gives a new version's start, `problems` what a source row may not be."""
    steps = run.steps(node, traits, dating, problems)
    stage = StageTable(
        node.name,
        (
            ColumnDef(ACTION, types.TEXT),
            ColumnDef(run.OPEN_FROM, types.TIMESTAMPTZ),
            ColumnDef(run.STARTS, types.TIMESTAMPTZ),
            ColumnDef(run.ENDS, types.TIMESTAMPTZ),
            *(ColumnDef(c.name, run.stored_type(c.type)) for c in run.recorded_of(node)),
        ),
        row_address=True,
    )
    deletes = node.hard_deletes == "invalidate"
    same = exp.Sub(this=exp.Sub(this=variable("open_rows"), expression=variable("deleted_rows")), expression=variable("changed_rows"))
    total = exp.Add(this=exp.Add(this=same.copy(), expression=variable("changed_rows")), expression=plus("new_rows", "revived_rows"))
    source = project.relation(str(node.relation)).name
    return Artefacts(
        objects=(_table(node, source), *_indexes(node, traits), stage),
        helpers=(_current(node), _as_of(node)),
        program=Program(
            node=node.name,
            summary=f"Brings the history {node.name} up to date with {source}",
            rules=_rules(node, source),
            variables=_sql.variables((*_contract.checks(node, project), *steps)),
            steps=steps,
            counters={
                "source_rows": total if deletes else variable("source_rows"),
                "inserted_rows": plus("new_rows", "changed_rows", "revived_rows"),
                "closed_rows": plus("changed_rows", "deleted_rows"),
                "deleted_rows": variable("deleted_rows"),
                "revived_rows": variable("revived_rows"),
                "unchanged_rows": same
                if deletes
                else exp.Sub(this=variable("source_rows"), expression=exp.Paren(this=plus("new_rows", "changed_rows", "revived_rows"))),
                "dated_by_run": variable("dated_by_run"),
            },
            checks=_contract.checks(node, project),
            stage=stage,
            guards=codes([*steps, *_contract.checks(node, project)]),
        ),
    )


def _rules(node: Node, source: str) -> tuple[str, ...]:
    tracked = "any of its columns" if node.strategy == "timestamp" or len(node.tracked) > 6 else ", ".join(node.tracked)
    when = f"{node.updated_at}, or the run time where {node.updated_at} is not usable" if node.updated_at else "the run time"
    gone = "closes at the run time" if node.hard_deletes == "invalidate" else "stays open"
    return (
        f"a row of {source} is new or changed when {tracked} differs from its open version (NULL-safe)",
        f"a version starts at {when}; the version before it ends there",
        f"a key that is gone from {source} {gone}",
        "a closed version never changes again; running again writes nothing but the log",
    )


# --- objects -----------------------------------------------------------------------------------------------------------


def _table(node: Node, source: str) -> CreateTable:
    must = {*node.key, node.valid_from, *([node.updated_at] if node.strategy == "timestamp" else [])}
    opened, closed = OWN_COLUMNS
    return CreateTable(
        kind="ref",
        name=node.name,
        columns=(
            *(ColumnDef(c.name, run.stored_type(c.type), c.name in must, c.description) for c in node.columns),
            ColumnDef(opened, types.RUN_ID, True, "Run that wrote this version."),
            ColumnDef(closed, types.RUN_ID, False, "Run that closed this version."),
        ),
        description=node.description or f"History of {source}, one row per version.",
        primary_key=(*node.key, node.valid_from),
        ordered=((node.valid_from, node.valid_to),),
        partition_by=node.partition_by or node.valid_to,
        cluster_by=node.cluster_by,
    )


def _indexes(node: Node, traits: Traits) -> tuple[CreateIndex, ...]:
    found = [CreateIndex(node.name, f"{node.identifier}_{'_'.join(c)}_ix", c, unique) for c, unique in node.indexes]
    if traits.partial_indexes:
        because = "at most one open version per key"
        found.insert(0, CreateIndex(node.name, f"{node.identifier}_open_uq", node.key, True, is_null(column(node.valid_to)), because))
    return tuple(found)


def _current(node: Node) -> CreateView:
    names = [c.name for c in node.columns if c.name != node.valid_to]
    query = exp.select(*(column(n, "h") for n in names)).from_(relation("ref", node.name, "h"))
    return CreateView(
        f"{node.identifier}_current", query.where(is_null(column(node.valid_to, "h"))),
        tuple(ColumnDef(c.name, run.stored_type(c.type), False, c.description) for c in node.columns if c.name != node.valid_to),
        f"The open versions of {node.name}: one row per key.", of=node.name,
    )  # fmt: skip


def _as_of(node: Node) -> CreateTableFunction:
    query = exp.select(*(column(c.name, "h") for c in node.columns)).from_(relation("ref", node.name, "h"))
    at = exp.Placeholder(this="at")
    later = any_of([exp.GT(this=column(node.valid_to, "h"), expression=at), is_null(column(node.valid_to, "h"))])
    query = query.where(every([exp.LTE(this=column(node.valid_from, "h"), expression=at.copy()), exp.Paren(this=later)]))
    return CreateTableFunction(
        f"{node.identifier}_as_of", node.name, query, tuple(ColumnDef(c.name, run.stored_type(c.type)) for c in node.columns),
        f"{node.name} as it was at an instant: at most one row per key.",
    )  # fmt: skip
