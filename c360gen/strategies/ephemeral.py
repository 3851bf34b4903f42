"""materialized: ephemeral. Nothing of it is in the database: dialects put its query in front of what reads it."""

from __future__ import annotations

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    return Artefacts(objects=())
