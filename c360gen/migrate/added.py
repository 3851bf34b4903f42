"""New columns of a table that is released: whether one is a column that is gone, under another name, and what old rows have in it."""

from __future__ import annotations

from c360gen.diagnostics import Diagnostic, Span, nearest_or_list
from c360gen.migrate.columns import Differ
from c360gen.migrate.plan import Found, Hazard, Problem, Step
from c360gen.migrate.state import retired_of
from c360gen.project.nodes import Snapshot
from c360gen.terms import types

HELD = {"backfill": "old rows are computed", "full_refresh": "NULL until the rows are loaded anew"}
"""By what `history:` says; otherwise NULL in old rows."""
RISKS = {"backfill": Hazard("backfills", "every row"), "full_refresh": Hazard("refreshes", "run it once with --full-refresh")}


def say(differ: Differ) -> Found:
    """A step for each; a problem where nobody can tell a rename from a removal, or what is said of the past is not so."""
    node, old, new = differ.node, differ.old, differ.new
    table = new.table("ref")
    there = old.table("ref")
    assert table is not None and there is not None
    gone = [m for m in differ.found.retired if (m.schema, m.table) == (table.schema, table.name)]

    steps: list[Step] = []
    problems: list[Problem] = []
    lost: list[str] = []

    def problem(code: str, message: str, span: Span, help: str | None) -> None:
        problems.append(Problem(at, Diagnostic(code, message, span, help)))

    for name in differ.found.added:
        past = node.past.columns.get(name)
        type_, at, span = table.column(name).type, f"{new.label}.{name}", past.span if past else node.span
        alike = [c.was for c in gone if c.type == type_ and not c.copied and c.was in old.columns]
        unsaid = past is None or (past.was is None and past.history is None)
        if past and past.was and not differ.there(past.was) and past.was != name:
            near = nearest_or_list(past.was, old.columns, "released columns")
            problem("C603", f"was: {old.label} has no column {past.was}", span, near)
        elif alike and unsaid and node.kind not in ("table", "seed") and name in new.columns:
            help = f"say was: {alike[0]} in the columns: of {node.name}, which keeps its values; or was: false, if it is another thing"
            problem("C601", f"{old.label}.{alike[0]} is gone, and {name} of the same type is new", span, help)
        history = past.history if past else None
        if node.kind == "incremental" and node.on_schema_change == "fail" and history is None:
            help = f"say history: empty, full_refresh or {{backfill: …}} in the columns: of {node.name}, or append_new_columns"
            problem("C604", f"{at} is new, and on_schema_change is fail: what do old rows have?", node.span, help)
        held = HELD.get(history or "", "NULL in old rows")
        if isinstance(node, Snapshot) and name == node.is_deleted:
            held = "false in old rows"
        if node.kind in ("table", "seed"):
            held = "filled by its next run" if node.kind == "table" else "filled by the deploy"
        kept = [c.name for c in retired_of(differ.released, there) if c.was == name and not c.copied]
        if kept and history is None and node.kind == "incremental":
            held += f"; was: {kept[-1]} would bring their values back"
        hazards = (RISKS[history],) if history in RISKS else ()
        what = f"column {types.text(type_)}: {held}"
        steps.append(Step("+", at, what, span, hazards, "it is dropped, with what it holds"))
        lost.append(f"what {at} holds")
    return Found(tuple(steps), tuple(problems), lost=tuple(lost))
