"""What a person may do to a history, through procedures that log it: check whether it is sound, rewind it to an earlier run."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Task, Write
from c360gen.project.nodes import Node
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _sql
from c360gen.strategies._history import helpers
from c360gen.strategies._history.versions import end_of_time
from c360gen.strategies._sql import codes, count_where, equal, every, greater_than_zero, is_null, literal, named
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

OPENED, CLOSED = OWN_COLUMNS


def all_of(node: Node) -> tuple[Task, ...]:
    return (check(node), rewind(node))


def check(node: Node) -> Task:
    """Fails with what is wrong; the view <node>_health shows the same."""
    line: exp.Expr = column("problem", "d")
    for text, value in ((": ", "found"), (" (", "example")):
        part = exp.cast(column(value, "d"), types.TEXT.copy()) if value == "found" else column(value, "d")
        line = exp.DPipe(this=exp.DPipe(this=line, expression=literal(text), safe=True), expression=part, safe=True)
    line = exp.DPipe(this=line, expression=literal(")"), safe=True)
    lines = exp.select(named(column("found", "d"), "found"), named(line, "line")).from_(helpers.damage(node).subquery("d"))
    order = exp.Order(this=column("line", "l"), expressions=[exp.Ordered(this=column("line", "l"), nulls_first=False)])
    query = exp.select(
        named(exp.func("COALESCE", exp.Sum(this=column("found", "l")), _sql.zero()), "damaged_rows"),
        named(exp.GroupConcat(this=order, separator=literal(", ")), "damage"),
    ).from_(lines.subquery("l"))
    steps: tuple[Step, ...] = (
        Count("Count the versions that break a rule, under the first one that each breaks.", ("damaged_rows", "damage"), query),
        Guard("ZC016", "A sound history has none.", greater_than_zero("damaged_rows"),
              (variable("damaged_rows"), " versions are damaged: ", variable("damage")), None,
              f"See the view {node.identifier}_health. Rewind to a run before the damage, or mend it by hand."),
    )  # fmt: skip
    rules = (
        "each key has one open version at most, versions begin before they end and do not overlap"
        + ("" if node.hard_deletes == "invalidate" else "; there are no gaps"),
    )
    return Task("check", node.name, f"Fails when the history {node.name} is not sound", rules, _sql.variables(steps), steps, {},
                guards=codes(steps))  # fmt: skip


def rewind(node: Node) -> Task:
    """The history as it was after the last run at or before an instant: each version knows the run that opened and closed it."""
    counted = exp.select(
        count_where(_by_later(OPENED, "h"), "removed_rows"),
        count_where(every([_by_later(CLOSED, "h"), exp.Not(this=_by_later(OPENED, "h"))]), "reopened_rows"),
    ).from_(relation("ref", node.name, "h"))  # fmt: skip
    names: list[str] = ["removed_rows", "reopened_rows"]
    writes = [
        Write("Remove the versions that later runs opened.",
              exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=_by_later(OPENED, "t"))),
              _for_real("removed_rows"), variable("removed_rows"), "versions to remove"),
        Write("Open those again that later runs closed.",
              exp.Update(this=relation("ref", node.name, "t"),
                         expressions=[equal(column(node.valid_to), end_of_time(node)), equal(column(CLOSED), exp.null())],
                         where=exp.Where(this=_by_later(CLOSED, "t"))),
              _for_real("reopened_rows"), variable("reopened_rows"), "versions to open again"),
    ]  # fmt: skip
    if node.quarantines:
        held = exp.select(_sql.star_count("held_back_rows")).from_(relation("quarantine", node.name, "q"))
        counted = counted.select(named(held.where(_by_later("c360_run_id", "q")).subquery(), "held_back_rows"))
        names.append("held_back_rows")
        writes.append(Write(
            "What they kept back comes again when they do.",
            exp.Delete(this=relation("quarantine", node.name, "t"), where=exp.Where(this=_by_later("c360_run_id", "t"))),
            _for_real("held_back_rows"), variable("held_back_rows"), "rows to let go",
        ))  # fmt: skip
    steps: tuple[Step, ...] = (
        Guard("ZC018", "Runs that are not in the log cannot be told from each other.", is_null(variable("kept_as_of")),
              ("the log has no run at or before ", variable("rewind_to")), None,
              "Nothing was written. Choose a later instant; the run log shows which runs there are."),
        Count("Count what the runs after that instant have done.", tuple(names), counted),
        *writes,
    )  # fmt: skip
    rules = [
        "versions that were opened by later runs go, versions that they closed are open again; the next run reads from there",
        "the runs that are undone are marked in the log",
    ]
    if node.overwritten:
        rules.append(f"values of {', '.join(node.overwritten)} that were overwritten since do not come back")
    return Task(
        "rewind", node.name, f"Takes the history {node.name} back to what it was after the last run at or before an instant",
        tuple(rules), (*_sql.variables(steps), "kept_as_of"), steps,
        {"deleted_rows": variable("removed_rows"), "updated_rows": variable("reopened_rows")},
        (("to", "rewind_to", types.TIMESTAMPTZ),), codes(steps),
    )  # fmt: skip


def _by_later(name: str, table: str) -> exp.Expr:
    """Whether a run after the instant did it."""
    later = exp.select(column("run_id", "r")).from_(relation("control", "run_log", "r"))
    later = later.where(
        equal(column("status", "r"), literal("succeeded")), exp.GT(this=column("as_of", "r"), expression=variable("rewind_to"))
    )
    return exp.In(this=column(name, table), query=later.subquery())


def _for_real(counted: str) -> exp.Expr:
    return every([greater_than_zero(counted), exp.Not(this=variable("dry_run"))])
