"""strategy: check. History of a state source in which listed columns say that a row changed."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _history
from c360gen.strategies.timestamp import dating_time
from c360gen.terms.symbols import variable


def plan(node: Snapshot, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    """A change starts at `as_of`, or at `updated_at` where it is declared and usable (a NULL fails the comparison: not usable)."""
    dating: exp.Expr = dating_time(node, traits) if node.updated_at else variable("as_of")
    return _history.plan(node, project, traits, dating)
