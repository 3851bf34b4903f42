"""`was:`, `history:` and `approvals:` as written → as meant: how what is stored came to be, for migrations only."""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from c360gen.diagnostics import Diagnostics, Span
from c360gen.project.columns import fold
from c360gen.project.nodes import Node, OldRows, Past, PastColumn, Snapshot
from c360gen.project.query import Catalog, analyse
from c360gen.project.render import RENDERED
from c360gen.project.resolved import ResolvedApproval
from c360gen.spec import models as spec
from c360gen.spec.load import Located, Specs
from c360gen.terms import types
from c360gen.terms.symbols import LONGEST

Stored = spec.Snapshot | spec.Model | spec.Seed
ROW = "h"
"""The alias of the row whose columns a backfill reads."""


def past(located: Located[Stored], node: Node, specs: Specs, diagnostics: Diagnostics) -> Node:
    """The node with what its spec says of its past; a seed is loaded anew, and has none."""
    given = located.spec
    if isinstance(given, spec.Seed):
        return node
    found: dict[str, PastColumn] = {}
    for index, column in enumerate(given.columns):
        if column.was is None and column.history is None:
            continue
        name = fold(column.name, column.quote)
        at = located.span("columns", index, "history" if column.history is not None else "was")
        if not node.runs:
            help = "a view stores nothing: say it where the column is stored"
            diagnostics.error("C401", f"was and history mean nothing in the view {node.name}", at, help)
            continue
        kind = _kind(column.history)
        back = bool(column.was) and _retired(str(column.was))
        if back and kind not in (None, "empty", "new_version"):
            since = "say empty or new_version, of what came since" if isinstance(node, Snapshot) else "keep was:"
            help = f"{since}; or keep history: alone, for a column that is new"
            diagnostics.error("C401", f"{name} is brought back with its values: history: {kind} means nothing beside them", at, help)
        elif column.was and column.history is not None and not back:
            diagnostics.error("C401", f"{name} is a renamed column, or a new one with a history", at, "keep was: or history:")
        if kind == "new_version" and not isinstance(node, Snapshot):
            diagnostics.error("C401", f"history: new_version means nothing in {node.name}, which has no versions", at,
                              "say empty, full_refresh or backfill")  # fmt: skip
        if kind == "full_refresh" and node.kind != "incremental":
            help = "snapshots have no full refresh: say empty, new_version or backfill"
            diagnostics.error("C401", f"history: full_refresh means nothing in {node.name}", at, help)
        if kind == "empty" and isinstance(node, Snapshot) and node.feed is not None:
            help = "say new_version (events say it from now on), or backfill"
            diagnostics.error("C401", f"history: empty means nothing in {node.name}: a feed has no state to take values from", at, help)
        value = _value(located, index, name, node, specs, diagnostics) if isinstance(column.history, spec.Backfill) else None
        was = fold(column.was, column.quote) if column.was else column.was
        found[name] = PastColumn(located.span("columns", index), was, kind, value)
    return dataclasses.replace(node, past=Past(given.was, found)) if found or given.was is not None else node


def _retired(name: str) -> bool:
    """Whether it can be the name of a column that a migration has retired, which may have been too long for an engine."""
    return "__retired_" in name or len(name.encode()) >= LONGEST


def _kind(history: OldRows | spec.Backfill | None) -> OldRows | None:
    return "backfill" if isinstance(history, spec.Backfill) else history


def _value(located: Located[Stored], index: int, name: str, node: Node, specs: Specs, diagnostics: Diagnostics) -> exp.Expr | None:
    """An expression over the node's own columns, qualified, typed and cast to the column's type."""
    assert located.tree is not None
    at = (*located.loc, "columns", index, "history", "backfill")
    text = located.tree.sql(at)
    project = specs.project.spec
    quote = "`" if project.sql_dialect == "bigquery" else '"'
    opening = "SELECT "
    sql = f"{opening}{text.text}\n AS {quote}{name}{quote} FROM {quote}{RENDERED}ref{quote}.{quote}{node.name}{quote} AS {ROW}"

    def locate(start: int, end: int) -> Span:
        begin = min(max(0, start - len(opening)), max(0, len(text.text) - 1))
        return text.span(begin, max(begin + 1, end - len(opening)))

    others = tuple(c for c in node.columns if c.name != name)
    catalog = Catalog({f"ref:{node.name}": others})
    everywhere = {t.spec.dialect for t in specs.targets.values()}  # a backfill has one text
    made = analyse(sql, project.sql_dialect, catalog, locate, diagnostics, translate=everywhere, functions=project.functions)
    if made is None:
        return None
    selects = made.tree.selects
    value = selects[0].unalias() if selects else exp.null()
    if len(selects) != 1 or value.find(exp.AggFunc, exp.Window, exp.Subquery):
        diagnostics.error("C307", "a backfill is one expression over the columns of its own row", locate(0, 1), "no aggregates, no queries")
        return None
    filled = {fold(c.name, c.quote) for c in located.spec.columns if isinstance(c.history, spec.Backfill)}
    if used := sorted({c.name for c in value.find_all(exp.Column)} & filled):
        message = f"the backfill of {name} reads {used[0]}, which is filled by the same migration"
        diagnostics.error("C307", message, locate(0, 1), f"write here what {used[0]} is filled with")
        return None
    kind = next((c.type for c in node.columns if c.name == name), None)
    if kind is None or types.canonical(value.type) == kind:
        return value
    return exp.cast(value, kind.copy())


def approvals(specs: Specs, diagnostics: Diagnostics) -> tuple[ResolvedApproval, ...]:
    found: dict[str, ResolvedApproval] = {}
    for item in specs.approvals:
        at = item.span("drop")
        if item.spec.drop.count(".") not in (1, 2):
            help = "write schema.table or schema.table.column, as c360gen plan shows it"
            diagnostics.error("C104", f"`drop` does not name a retired table or column: '{item.spec.drop}'", at, help)
        elif item.spec.drop in found:
            diagnostics.error("C108", f"{item.spec.drop} is approved twice", at, None)
        else:
            found[item.spec.drop] = ResolvedApproval(item.spec, at)
    return tuple(found.values())


def of_sources(specs: Specs, diagnostics: Diagnostics) -> None:
    """A source is not ours: nothing of it is ever renamed or filled by us."""
    for source in specs.sources:
        for t, table in enumerate(source.spec.tables):
            for c, column in enumerate(table.columns):
                if column.was is not None or column.history is not None:
                    at = source.span("tables", t, "columns", c, "was" if column.was is not None else "history")
                    help = "say it in the columns: of the snapshot or model that stores it"
                    diagnostics.error("C401", f"was and history mean nothing for a column of a source: {column.name}", at, help)
