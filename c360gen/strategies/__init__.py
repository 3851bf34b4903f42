"""What to do for a node: one file per strategy, found by its name, a node in and operations out."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, replace

from c360gen.ops.program import Program, Task
from c360gen.ops.schema import SchemaOp, Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved


@dataclass(frozen=True)
class Artefacts:
    """Everything that one node needs in a database."""

    objects: tuple[SchemaOp, ...]
    helpers: tuple[SchemaOp, ...] = ()
    program: Program | None = None
    tasks: tuple[Task, ...] = ()
    views: tuple[SchemaOp, ...] = ()
    """Views that read other nodes as well: created when all of these are there."""


def names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def artefacts(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    """The operations for a node; `dialect` only chooses between texts that the user wrote."""
    module = importlib.import_module(f"{__name__}.{node.strategy}")
    if any(c.name.lower() == traits.row_address for c in node.columns):  # DuckDB lets a column hide rowid
        traits = replace(traits, row_address=None)
    plan: Artefacts = module.plan(node, project, dialect, traits)
    from c360gen.strategies import _constraints, _docs, _erasure, _point_in_time

    plan = _constraints.applied(plan, node, project, traits)
    plan = replace(plan, tasks=(*plan.tasks, *_erasure.tasks(node, dialect)), views=_point_in_time.views(node, project))
    return _docs.applied(plan, node)
