"""materialized: view. Nothing to run."""

from __future__ import annotations

from c360gen.ops.schema import ColumnDef, CreateView, Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts
from c360gen.terms import types


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    columns = tuple(ColumnDef(c.name, c.type or types.TEXT, False, c.description) for c in node.columns)
    return Artefacts(objects=(CreateView(node.identifier, node.name, node.query(dialect).first, columns, node.description),))
