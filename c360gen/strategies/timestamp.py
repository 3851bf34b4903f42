"""strategy: timestamp. History of a state source whose `updated_at` dates a change; it never decides whether one is seen."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node, Resolved
from c360gen.strategies import Artefacts, _history
from c360gen.strategies import _history_run as run
from c360gen.strategies._sql import any_of, case, every, is_null, literal
from c360gen.terms import types
from c360gen.terms.symbols import column, variable


def plan(node: Node, project: Resolved, dialect: str, traits: Traits) -> Artefacts:
    at = column(str(node.updated_at), "s")
    missing = [is_null(at)]
    if traits.infinite_times:
        missing.append(exp.EQ(this=at.copy(), expression=infinitely_early(node)))
    problems = (
        (any_of(missing), run.NULL_TIME),
        (exp.GT(this=run.source_time(node), expression=variable("latest")), run.FUTURE_TIME),
    )
    return _history.plan(node, traits, dating=dating_time(node, traits), problems=problems, project=project)


def dating_time(node: Node, traits: Traits) -> exp.Expr:
    """updated_at where it is finite, later than the last known boundary and not later than as_of; else as_of."""
    at = run.changed_time(node)
    boundary = column("c360_boundary", "d")
    conditions = [
        exp.Paren(this=any_of([is_null(boundary), exp.GT(this=at.copy(), expression=boundary.copy())])),
        exp.LTE(this=at.copy(), expression=variable("as_of")),
    ]
    if traits.infinite_times and node.strategy == "check":  # strategy timestamp refuses it before
        conditions.append(exp.NEQ(this=at.copy(), expression=infinitely_early(node)))
    usable = every(conditions)
    return case((usable, at), otherwise=variable("as_of"))


def infinitely_early(node: Node) -> exp.Expr:
    return exp.cast(literal("-infinity"), node.column(str(node.updated_at)).type or types.TIMESTAMPTZ)
