"""What every snapshot has in common: the history table and its helpers; and the run over a state source (README: What a snapshot does)."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Program
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, SchemaOp, Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.resolved import Resolved
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import Artefacts, _contract, _sql
from c360gen.strategies._history import adoption, helpers, stage, tasks
from c360gen.strategies._history.steps import QUARANTINE, counters, steps
from c360gen.strategies._history.versions import is_open, never_null, recorded_of
from c360gen.strategies._sql import is_null
from c360gen.terms import types
from c360gen.terms.symbols import column


def plan(node: Snapshot, project: Resolved, traits: Traits, dating: exp.Expr) -> Artefacts:
    """The objects and the run of a snapshot; `dating` gives a new version's start, over columns of `d`."""
    source = node.reading
    kept: tuple[SchemaOp, ...] = (quarantine_table(node, source),) if node.quarantines else ()
    return Artefacts(
        objects=(table(node, source), *indexes(node, traits), *kept),
        helpers=helpers.all_of(node),
        program=Program(
            node=node.name,
            summary=f"Brings the history {node.name} up to date with {source}",
            rules=_rules(node, source),
            steps=steps(node, traits, dating),
            counters=counters(node),
            checks=_contract.checks(node, project, traits),
            stage=stage.table(node),
            lookback=node.lookback if node.source_delta else None,
            tolerance=node.policies.future_tolerance,
        ),
        tasks=(*tasks.all_of(node), *adoption.tasks(node, project)),
    )


def _rules(node: Snapshot, source: str) -> tuple[str, ...]:
    others = [c.name for c in node.columns if c.origins and c.name not in node.tracked]
    many = f"any of its columns but {', '.join(others)}" if len(others) <= 4 else "any tracked column"
    tracked = many if node.strategy == "timestamp" or len(node.tracked) > 6 else ", ".join(node.tracked)
    changed = f"{tracked} differs from its open version (NULL-safe)"
    if node.detects == "time":
        changed = f"its {node.updated_at} is later than {node.valid_from} of its open version, and only then"
    when = f"{node.updated_at}, or the run time where {node.updated_at} is not usable" if node.updated_at else "the run time"
    ends = f"{node.deleted_at}, or the run time where it is not usable" if node.deleted_at else "the run time"
    gone = {
        "ignore": "stays open", "invalidate": f"closes at {ends}",
        "new_record": f"closes at {ends}, and a marker ({node.is_deleted}) begins there",
    }[node.hard_deletes]  # fmt: skip
    flags = ((node.deleted_flag, "is true"), (node.deleted_at, "is set"))
    flagged = " or ".join(f"{name} {state}" for name, state in flags if name)
    found = [f"a row of {source} is new or changed when {changed}"]
    if node.compat:
        found.insert(0, f"what {node.compat} snapshot keeps, with guards, and without versions that overlap or end before they start")
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


def table(node: Snapshot, source: str) -> CreateTable:
    must = never_null(node)
    opened, closed = OWN_COLUMNS
    return CreateTable(
        kind="ref",
        name=node.name,
        columns=(
            *(ColumnDef(c.name, _sql.known(c.type), c.name in must, c.description) for c in node.columns),
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


def indexes(node: Snapshot, traits: Traits) -> tuple[CreateIndex, ...]:
    found = [CreateIndex(node.name, f"{node.identifier}_{'_'.join(c)}_ix", c, unique) for c, unique in node.indexes]
    if traits.partial_indexes:
        because = "at most one open version per key"
        found.insert(0, CreateIndex(node.name, f"{node.identifier}_open_uq", node.key, True, is_open(node), because, _keys(node)))
    if traits.partial_indexes and node.nullable_key:  # in place of the primary key, which takes no NULL
        names = (*node.key, node.valid_from)
        found.insert(0, CreateIndex(node.name, f"{node.identifier}_version_uq", names, True, None, "versions are unique",
                                    (*_keys(node), column(node.valid_from))))  # fmt: skip
    return tuple(found)


def _keys(node: Snapshot) -> tuple[exp.Expr, ...]:
    """The key as an index takes it so that NULLs are equal; nothing where the plain columns do."""
    if not node.nullable_key:
        return ()
    found: list[exp.Expr] = []
    for name in node.key:
        found += [_sql.stand_in(node, name, column(name)), is_null(column(name))] if name in node.nullable_key else [column(name)]
    return tuple(found)


def quarantine_table(node: Snapshot, source: str) -> CreateTable:
    at, run, reason = QUARANTINE
    return CreateTable(
        kind="quarantine",
        name=node.name,
        columns=(
            ColumnDef(at, types.TIMESTAMPTZ, True, "Run time of the run that kept the row back first."),
            ColumnDef(run, types.RUN_ID, True, "That run."),
            ColumnDef(reason, types.TEXT, True, "Why: the name of the problem."),
            *(ColumnDef(c.name, _sql.known(c.type), False, c.description) for c in recorded_of(node)),
        ),
        description=f"Rows of {source} that were kept out of {node.name}, each once.",
    )
