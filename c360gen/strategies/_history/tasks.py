"""What a person may do to a history, through procedures that log it: check whether it is sound, rewind it to an earlier run."""

from __future__ import annotations

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step, Task, Write
from c360gen.project.nodes import Snapshot
from c360gen.project.snapshots import OWN_COLUMNS
from c360gen.strategies import _sql
from c360gen.strategies._history import helpers
from c360gen.strategies._history.versions import end_of_time
from c360gen.strategies._sql import any_of, count_where, equal, every, greater_than_zero, is_null, literal, named, not_null
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, variable

OPENED, CLOSED = OWN_COLUMNS


def all_of(node: Snapshot) -> tuple[Task, ...]:
    return (check(node), rewind(node))


def check(node: Snapshot) -> Task:
    """Fails with what is wrong; the view <node>_health shows the same."""
    steps: tuple[Step, ...] = (
        Count("Count the versions that break a rule, under the first one that each breaks.", ("damaged_rows", "damage"),
              helpers.told(helpers.damage(node))),
        Guard("ZC016", "A sound history has none.", greater_than_zero("damaged_rows"),
              (variable("damaged_rows"), " versions are damaged: ", variable("damage")), None,
              f"See the view {node.identifier}_health. Rewind to a run before the damage, or mend it by hand."),
    )  # fmt: skip
    rules = (
        "each key has one open version at most, versions begin before they end and do not overlap"
        + ("" if node.hard_deletes == "invalidate" else "; there are no gaps"),
    )
    return Task("check", node.name, f"Fails when the history {node.name} is not sound", rules, steps, {})


def rewind(node: Snapshot) -> Task:
    """The history as it was after the last run at or before an instant: each version knows the run that opened and closed it."""
    opened, closed = not_null(column("run_id", "o")), not_null(column("run_id", "c"))
    counted = exp.select(
        count_where(opened, "removed_rows"),
        count_where(every([closed, is_null(column("run_id", "o"))]), "reopened_rows"),
    ).from_(relation("ref", node.name, "h"))  # fmt: skip
    for alias, name in (("o", OPENED), ("c", CLOSED)):
        counted = counted.join(_later().subquery(alias), on=equal(column("run_id", alias), column(name, "h")), join_type="left")
    names: list[str] = ["removed_rows", "reopened_rows"]
    writes = [
        Write("Remove the versions that later runs opened.",
              exp.Delete(this=relation("ref", node.name, "t"), where=exp.Where(this=_by_later(OPENED, "t"))),
              _sql.for_real("removed_rows"), variable("removed_rows"), "versions to remove"),
        Write("Open those again that later runs closed.",
              exp.Update(this=relation("ref", node.name, "t"),
                         expressions=[equal(column(node.valid_to), end_of_time(node)), equal(column(CLOSED), exp.null())],
                         where=exp.Where(this=_by_later(CLOSED, "t"))),
              _sql.for_real("reopened_rows"), variable("reopened_rows"), "versions to open again"),
    ]  # fmt: skip
    if node.quarantines:
        held = exp.select(_sql.star_count("held_back_rows")).from_(relation("quarantine", node.name, "q"))
        counted = counted.select(named(held.where(_by_later("c360_run_id", "q")).subquery(), "held_back_rows"))
        names.append("held_back_rows")
        writes.append(Write(
            "What they kept back comes again when they do.",
            exp.Delete(this=relation("quarantine", node.name, "t"), where=exp.Where(this=_by_later("c360_run_id", "t"))),
            _sql.for_real("held_back_rows"), variable("held_back_rows"), "rows to let go",
        ))  # fmt: skip
    steps: tuple[Step, ...] = (
        Guard("ZC018", "Nobody means all of it by NULL.", is_null(variable("rewind_to")), ("the instant is NULL",), None,
              "Nothing was written. Say to which instant; the run log shows which runs there are."),
        Guard("ZC018", "Runs that are not in the log cannot be told from each other.", is_null(variable("kept_as_of")),
              ("the log has no run at or before ", variable("rewind_to")), None,
              "Nothing was written. Choose a later instant; the run log shows which runs there are."),
        Count("What a run did that is not in the log any more cannot be taken back.", ("unknown_rows",), _unknown(node)),
        Guard("ZC018", "A part of it would stay.", greater_than_zero("unknown_rows"),
              (variable("unknown_rows"), " versions began or ended after ", variable("rewind_to"), " by runs that the log has not"), None,
              "Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches."),
        Count("Count what the runs after that instant have done.", tuple(names), counted),
        *writes,
    )  # fmt: skip
    rules = [
        "versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked",
        "what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound",
    ]
    if node.overwritten:
        rules.append(f"values of {', '.join(node.overwritten)} that were overwritten since do not come back")
    return Task(
        "rewind", node.name, f"Takes the history {node.name} back to what it was after the last run at or before an instant",
        tuple(rules), steps,
        {"deleted_rows": variable("removed_rows"), "updated_rows": variable("reopened_rows")},
        (("to", "rewind_to", types.TIMESTAMPTZ),), known=("kept_as_of",),
    )  # fmt: skip


def _by_later(name: str, table: str) -> exp.Expr:
    """Whether a run after the instant did it."""
    return exp.In(this=column(name, table), query=_later().subquery())


def _later() -> exp.Select:
    """The runs after the instant; not an adoption, which the clock dates, and before which no run of this history was."""
    later = exp.select(column("run_id", "r")).from_(relation("control", "run_log", "r"))
    return later.where(
        equal(column("action", "r"), literal("run")), equal(column("status", "r"), literal("succeeded")),
        exp.GT(this=column("as_of", "r"), expression=variable("rewind_to")),
    )  # fmt: skip


def _unknown(node: Snapshot) -> exp.Select:
    """Versions that began or ended after the instant, so by a later run, of which the log has nothing."""
    known = exp.select(column("run_id", "r")).from_(relation("control", "run_log", "r"))
    after = [
        every([exp.GT(this=column(at, "h"), expression=variable("rewind_to")), not_null(column(run, "h")),
               exp.Not(this=exp.In(this=column(run, "h"), query=known.copy().subquery()))])
        for at, run in ((node.valid_from, OPENED), (node.valid_to, CLOSED))
    ]  # fmt: skip
    query = exp.select(_sql.star_count("unknown_rows")).from_(relation("ref", node.name, "h"))
    return query.where(any_of(exp.Paren(this=a) for a in after))
