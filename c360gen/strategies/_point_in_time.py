"""The view that puts beside each row of a model the versions that held at a time of the row."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.schema import ColumnDef, CreateView
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import _sql
from c360gen.strategies._history.helpers import holds_at
from c360gen.strategies._sql import every, named
from c360gen.terms import types
from c360gen.terms.symbols import column, relation


def views(node: Node, project: Resolved) -> tuple[CreateView, ...]:
    """SELECT m.…, h1.email AS customer_email FROM model AS m LEFT JOIN history AS h1 ON key AND held at the row's time."""
    if not node.point_in_time:
        return ()
    projections: list[exp.Expr] = [column(c.name, "m") for c in node.columns]
    columns = [ColumnDef(c.name, c.type or types.TEXT, False, c.description) for c in node.columns]
    query = exp.select().from_(relation("ref", node.name, "m"))
    for number, join in enumerate(node.point_in_time, 1):
        snapshot, alias = project.snapshot(join.snapshot), f"h{number}"
        time = node.column(join.at)
        at = _sql.as_time(column(join.at, "m"), time.type or time.time)
        keys = [_sql.same_part(snapshot, theirs, column(theirs, alias), column(ours, "m")) for ours, theirs in join.on]
        query = query.join(relation("ref", snapshot.name, alias), on=every([*keys, holds_at(snapshot, alias, at)]), join_type="left")
        for name, shown in join.columns:
            projections.append(named(column(name, alias), shown))
            columns.append(ColumnDef(shown, snapshot.column(name).type or types.TEXT, False, snapshot.column(name).description))
    names = ", ".join(j.snapshot for j in node.point_in_time)
    description = f"Every row of {node.name}, with what {names} said at its time."
    return (CreateView(f"{node.identifier}_point_in_time", node.name, query.select(*projections), tuple(columns), description),)
