"""strategy: timestamp. History of a state source whose `updated_at` dates a change; it never decides whether one is seen."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Snapshot
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts, _history
from c360gen.strategies._history.stage import BOUNDARY
from c360gen.strategies._history.versions import as_instant, infinitely_early
from c360gen.strategies._sql import any_of, case, every, is_null
from c360gen.terms.symbols import column, variable


def plan(node: Snapshot, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    return _history.plan(node, project, traits, dating_time(node, traits))


def dating_time(node: Snapshot, traits: Traits) -> exp.Expr:
    """updated_at where it is finite, later than the last known boundary and not beyond the horizon; else as_of."""
    at = as_instant(node, str(node.updated_at), "d")
    boundary = column(BOUNDARY, "d")
    conditions = [
        exp.Paren(this=any_of([is_null(boundary), exp.GT(this=at.copy(), expression=boundary.copy())])),
        exp.LTE(this=at.copy(), expression=variable(node.horizon)),
    ]
    let_through = node.strategy == "check" or node.policies.on_null_updated_at == "as_of"  # otherwise it is refused before
    if traits.infinite_times and let_through:
        conditions.append(exp.NEQ(this=at.copy(), expression=infinitely_early(node, str(node.updated_at))))
    usable = every(conditions)
    return case((usable, at), otherwise=variable("as_of"))
