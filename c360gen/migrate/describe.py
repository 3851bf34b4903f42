"""The specs → the state that they lead to, in one target."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from sqlglot import exp

from c360gen import dialects
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit import identity
from c360gen.emit.bundle import Bundle, jobs
from c360gen.migrate.state import NodeState, State
from c360gen.ops.change import Stored
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable
from c360gen.project.nodes import Node, Snapshot, Source
from c360gen.strategies import Artefacts
from c360gen.terms import types
from c360gen.terms.symbols import cut


def describe(names: Names, bundle: Bundle) -> State:
    """Without migrations and without what is retired: those are of the released state."""
    project, dialect = names.project, dialects.get(str(names.target.dialect))
    tasks = {n: p.tasks for n, p in bundle.plans.items()}
    return State(
        target=names.target_name, dialect=dialect.name, shape=identity.shape(project, names.target), control=project.project.control_schema,
        nodes={
            n: _node(project.nodes[n], plan, dialect, names) for n, plan in bundle.plans.items() if project.nodes[n].kind != "ephemeral"
        },
        routines=tuple(dialect.routines(names, bundle.programs, tasks, jobs(project))),
        sections={s.path: hashlib.sha256(s.text.encode()).hexdigest() for s in bundle.sections if s.deployed},
        exposures={e.spec.name: e.depends_on for e in project.exposures},
    )  # fmt: skip


def _node(node: Node, plan: Artefacts, dialect: Dialect, names: Names) -> NodeState:
    return NodeState(
        name=node.name, kind=node.kind, strategy=node.strategy, schema=node.schema, identifier=node.identifier,
        columns={c.name: types.text(c.type) if c.type is not None else "unknown" for c in node.columns},
        facts=_facts(node, names), tables=tuple(_tables(node, plan, dialect, names)),
    )  # fmt: skip


def _facts(node: Node, names: Names) -> Mapping[str, Any]:
    """Only what is used, so that a new word of the language changes nobody's released state."""
    found: dict[str, Any] = {
        "key": list(node.key), "nullable_key": list(node.nullable_key), "cursor": node.cursor, "version_column": node.version_column,
        "windows": [node.batches.event_time, node.batches.size, node.batches.begin.isoformat()] if node.batches else None,
        "partition": [node.partition_by, node.partition_size] if node.partition_by else None, "reads": _reads(node, names),
        "erasure": [node.erasure.by, *node.erasure.redact] if node.erasure else None,
        "constraints": [[c.kind, *c.columns, *([c.condition.sql()] if c.condition is not None else [])] for c in node.constraints],
        "views": [*node.views, *([node.identifier] if node.kind == "view" else [])], "functions": list(node.functions),
        "beside": [p.snapshot for p in node.point_in_time], "shown_beside": _shown_beside(node, names),
        "renamed": node.past.was, "was": {name: c.was for name, c in node.past.columns.items() if c.was},
    }  # fmt: skip
    if isinstance(node, Snapshot):
        interval = {"from": node.valid_from, "to": node.valid_to, "is_deleted": node.is_deleted, "row_id": node.row_id,
                    "row_time": node.row_time}  # fmt: skip
        found |= {
            "tracked": sorted(node.tracked), "overwritten": sorted(node.overwritten), "detects": node.detects, "compat": node.compat,
            "updated_at": node.updated_at, "hard_deletes": node.hard_deletes, "interval": {k: v for k, v in interval.items() if v},
            "open_until": node.open_until.isoformat() if node.open_until else None,
            "feed": node.feed is not None, "feed_cursor": node.feed.cursor if node.feed else None,
        }  # fmt: skip
    return {name: value for name, value in found.items() if value}


def _shown_beside(node: Node, names: Names) -> dict[str, str]:
    """Name → type of what its point_in_time view takes from snapshots."""
    found: dict[str, str] = {}
    for join in node.point_in_time:
        snapshot = names.project.snapshot(join.snapshot)
        found |= {shown: types.text(snapshot.column(name).type or types.TEXT) for name, shown in join.columns}
    return found


def _reads(node: Node, names: Names) -> list[str]:
    """What it reads, itself or through what is only a part of its text."""
    read = names.project.upstream(node, lambda found: not found.exists)
    return [found.id for found in read if isinstance(found, Source) or found.exists]


def _declared(op: CreateTable, dialect: Dialect, names: Names) -> tuple[tuple[str, str], ...]:
    """Constraints as the engine's CREATE TABLE has them, but the key's and the interval's, which we know by themselves."""
    if not op.constraints or not dialect.changes.enforces:
        return ()
    made = next(p for p in dialect.create_table(op, names) if isinstance(p, exp.Create))
    wanted = {cut(c.name) for c in op.constraints}
    return tuple((c.name, c.sql(dialect.name)) for c in made.this.expressions if isinstance(c, exp.Constraint) and c.name in wanted)


def _tables(node: Node, plan: Artefacts, dialect: Dialect, names: Names) -> Iterable[Stored]:
    indexes: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for op in plan.objects:
        if isinstance(op, CreateIndex) and dialect.create_index(op, names):
            indexes.setdefault((op.kind, op.table), []).append((cut(op.name), _index(op)))
    for op in plan.objects:
        if not isinstance(op, CreateTable):
            continue
        name = node.identifier if op.kind == "ref" else f"{node.identifier}_{op.kind}"
        columns = tuple(ColumnDef(c.name, c.type, c.not_null) for c in op.columns)  # what a column is said to be is not its shape
        yield Stored(
            node.name, op.kind, node.schema, cut(name), columns, op.primary_key, op.ordered, tuple(indexes.get((op.kind, op.name), ())),
            _declared(op, dialect, names), dialect.clustered(op),
        )  # fmt: skip


def _index(op: CreateIndex) -> str:
    keys = ", ".join(k.sql() for k in op.keys) if op.keys else ", ".join(op.columns)
    where = f" where {op.where.sql()}" if op.where is not None else ""
    return f"{'unique ' if op.unique else ''}({keys}){where}"
