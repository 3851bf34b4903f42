"""persist_docs: which descriptions become comments in the database; names and types stay."""

from __future__ import annotations

from dataclasses import replace

from c360gen.ops.schema import CreateTable, CreateTableFunction, CreateView, SchemaOp
from c360gen.project.nodes import Node
from c360gen.strategies import Artefacts


def applied(plan: Artefacts, node: Node) -> Artefacts:
    if len(node.comments) == 2:
        return plan
    return replace(
        plan, objects=tuple(_quiet(op, node) for op in plan.objects), helpers=tuple(_quiet(op, node) for op in plan.helpers),
        views=tuple(_quiet(op, node) for op in plan.views),
    )  # fmt: skip


def _quiet(op: SchemaOp, node: Node) -> SchemaOp:
    if not isinstance(op, CreateTable | CreateView | CreateTableFunction):
        return op
    columns = op.columns if "columns" in node.comments else tuple(replace(c, description="") for c in op.columns)
    return replace(op, columns=columns, description=op.description if "relation" in node.comments else "")
