"""What every snapshot over a state source has in common: the history table, its helpers, and the run (README: What a snapshot does)."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Program
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, CreateTableFunction, CreateView, SchemaOp, Traits
from c360gen.project.nodes import Node, Resolved
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import Artefacts, _contract, _sql
from c360gen.strategies._history import stage
from c360gen.strategies._history.steps import QUARANTINE, counters, steps
from c360gen.strategies._history.versions import is_live, is_open, not_marker, recorded_of, stored_type
from c360gen.strategies._sql import any_of, codes, every, is_null
from c360gen.terms import types
from c360gen.terms.symbols import column, relation


def plan(node: Node, project: Resolved, traits: Traits, dating: exp.Expr) -> Artefacts:
    """The objects and the run of a snapshot; `dating` gives a new version's start, over columns of `d`."""
    done, checks, staged = steps(node, traits, dating), _contract.checks(node, project), stage.table(node)
    source = project.relation(str(node.relation)).name
    kept: tuple[SchemaOp, ...] = (_quarantine(node, source),) if node.policies.quarantines else ()
    return Artefacts(
        objects=(_table(node, source), *_indexes(node, traits), *kept, staged),
        helpers=(_current(node), _as_of(node)),
        program=Program(
            node=node.name,
            summary=f"Brings the history {node.name} up to date with {source}",
            rules=_rules(node, source),
            variables=_sql.variables((*checks, *done)),
            steps=done,
            counters=counters(node),
            checks=checks,
            stage=staged,
            guards=codes([*done, *checks]),
            lookback=node.lookback if node.source_delta else None,
            tolerance=node.policies.future_tolerance,
        ),
    )


def _rules(node: Node, source: str) -> tuple[str, ...]:
    tracked = "any of its columns" if node.strategy == "timestamp" or len(node.tracked) > 6 else ", ".join(node.tracked)
    when = f"{node.updated_at}, or the run time where {node.updated_at} is not usable" if node.updated_at else "the run time"
    ends = f"{node.deleted_at}, or the run time where it is not usable" if node.deleted_at else "the run time"
    gone = {
        "ignore": "stays open", "invalidate": f"closes at {ends}",
        "new_record": f"closes at {ends}, and a marker ({node.is_deleted}) begins there",
    }[node.hard_deletes]  # fmt: skip
    flags = ((node.deleted_flag, "is true"), (node.deleted_at, "is set"))
    flagged = " or ".join(f"{name} {state}" for name, state in flags if name)
    found = [f"a row of {source} is new or changed when {tracked} differs from its open version (NULL-safe)"]
    if node.source_delta:
        found.append(f"only rows whose {node.updated_at} is at or after the watermark are read")
    if node.policies.on_unmoved_timestamp == "ignore":
        found.append(f"a change without a later {node.updated_at} is not a change")
    found += [
        f"a version starts at {when}; the version before it ends there",
        f"a key that is gone from {source}" + (f", or whose {flagged}," if flagged else "") + f" {gone}",
        *([f"{', '.join(node.overwritten)} is overwritten in the open version"] if node.overwritten else []),
        "a closed version never changes again; running again writes nothing but the log",
    ]
    return tuple(found)


# --- objects -----------------------------------------------------------------------------------------------------------


def _table(node: Node, source: str) -> CreateTable:
    must = {*node.key, node.valid_from, node.is_deleted} - set(node.nullable_key)
    if node.strategy == "timestamp" and node.policies.on_null_updated_at != "as_of" and not (node.deleted_flag or node.deleted_at):
        must.add(node.updated_at)
    if node.open_until is not None:
        must.add(node.valid_to)
    opened, closed = OWN_COLUMNS
    return CreateTable(
        kind="ref",
        name=node.name,
        columns=(
            *(ColumnDef(c.name, stored_type(c.type), c.name in must, c.description) for c in node.columns),
            ColumnDef(opened, types.RUN_ID, True, "Run that wrote this version."),
            ColumnDef(closed, types.RUN_ID, False, "Run that closed this version."),
        ),
        description=node.description or f"History of {source}, one row per version.",
        primary_key=() if node.nullable_key else (*node.key, node.valid_from),
        ordered=((node.valid_from, node.valid_to),),
        partition_by=node.partition_by or node.valid_to,
        partition_size=node.partition_size,
        cluster_by=node.cluster_by,
    )


def _indexes(node: Node, traits: Traits) -> tuple[CreateIndex, ...]:
    found = [CreateIndex(node.name, f"{node.identifier}_{'_'.join(c)}_ix", c, unique) for c, unique in node.indexes]
    if traits.partial_indexes:
        because = "at most one open version per key"
        found.insert(0, CreateIndex(node.name, f"{node.identifier}_open_uq", node.key, True, is_open(node), because, _keys(node)))
    if traits.partial_indexes and node.nullable_key:  # in place of the primary key, which takes no NULL
        names = (*node.key, node.valid_from)
        found.insert(0, CreateIndex(node.name, f"{node.identifier}_version_uq", names, True, None, "versions are unique",
                                    (*_keys(node), column(node.valid_from))))  # fmt: skip
    return tuple(found)


def _keys(node: Node) -> tuple[exp.Expr, ...]:
    """The key as an index takes it so that NULLs are equal; nothing where the plain columns do."""
    if not node.nullable_key:
        return ()
    found: list[exp.Expr] = []
    for name in node.key:
        found += [_sql.stand_in(node, column(name)), is_null(column(name))] if name in node.nullable_key else [column(name)]
    return tuple(found)


def _quarantine(node: Node, source: str) -> CreateTable:
    at, run, reason = QUARANTINE
    return CreateTable(
        kind="quarantine",
        name=node.name,
        columns=(
            ColumnDef(at, types.TIMESTAMPTZ, True, "Run time of the run that kept the row back first."),
            ColumnDef(run, types.RUN_ID, True, "That run."),
            ColumnDef(reason, types.TEXT, True, "Why: the name of the problem."),
            *(ColumnDef(c.name, stored_type(c.type), False, c.description) for c in recorded_of(node)),
        ),
        description=f"Rows of {source} that were kept out of {node.name}, each once.",
    )


def _current(node: Node) -> CreateView:
    hidden = (node.valid_to, node.is_deleted)
    shown = [c for c in node.columns if c.name not in hidden]
    query = exp.select(*(column(c.name, "h") for c in shown)).from_(relation("ref", node.name, "h"))
    return CreateView(
        f"{node.identifier}_current", query.where(is_live(node, "h")),
        tuple(ColumnDef(c.name, stored_type(c.type), False, c.description) for c in shown),
        f"The open versions of {node.name}: one row per key.", of=node.name,
    )  # fmt: skip


def _as_of(node: Node) -> CreateTableFunction:
    shown = [c for c in node.columns if c.name != node.is_deleted]
    query = exp.select(*(column(c.name, "h") for c in shown)).from_(relation("ref", node.name, "h"))
    at = exp.Placeholder(this="at")
    later = [exp.GT(this=column(node.valid_to, "h"), expression=at)]
    still: exp.Expr = later[0] if node.open_until is not None else exp.Paren(this=any_of([*later, is_null(column(node.valid_to, "h"))]))
    started = exp.LTE(this=column(node.valid_from, "h"), expression=at.copy())
    query = query.where(every(c for c in (started, still, not_marker(node, "h")) if c is not None))
    return CreateTableFunction(
        f"{node.identifier}_as_of", node.name, query, tuple(ColumnDef(c.name, stored_type(c.type)) for c in shown),
        f"{node.name} as it was at an instant: at most one row per key.",
    )  # fmt: skip
