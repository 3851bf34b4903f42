"""What a node remembers of its source, its watermark and its windows: whether a change makes that untrue, and what is true instead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlglot import exp

from c360gen.diagnostics import Diagnostic
from c360gen.migrate.plan import Found, Hazard, HazardKind, Problem, Step
from c360gen.migrate.renames import was
from c360gen.migrate.state import NodeState
from c360gen.ops.change import ChangeOp, ForgetWindows, MustBeZero, SetWatermark
from c360gen.project.nodes import Node, Snapshot
from c360gen.strategies import _sql
from c360gen.terms.symbols import column, relation

ALL = "the next run reads the whole source once, which is always right"


def of_snapshot(old: NodeState, new: NodeState, node: Snapshot, renamed: Mapping[str, str], before: str, label: str) -> Found:
    """A watermark of another column says nothing: whatever moved below it would never be read. Reading everything is always right."""
    found = _overwritten(old, new, node, renamed, label) + _brought_back(old, new, node, renamed, label)
    old_time, new_time = _orders(old), _orders(new)
    if old_time is None or new_time is None or renamed.get(new_time, new_time) == old_time:
        return found
    steps: tuple[Step, ...] = ()
    if node.source_delta or node.feed is not None:
        again = "; what was kept back is kept back again" if node.quarantines and node.feed is not None else ""
        what = f"{'cursor' if node.feed is not None else 'updated_at'} changed from {old_time} to {new_time}: its watermark is forgotten"
        steps = (Step("~", new.label, what, node.span, (Hazard("backfills", f"{ALL}{again}"),), "it is forgotten on the way back, too"),)
    return found + Found(steps, rows=(SetWatermark(label),), rows_back=(SetWatermark(before),))


def _overwritten(old: NodeState, new: NodeState, node: Snapshot, renamed: Mapping[str, str], label: str) -> Found:
    """A column that is overwritten from now on, where only rows that moved are read: the others would never get its value."""
    known = {*old.facts.get("tracked", ()), *old.facts.get("overwritten", ())}
    come = [n for n in node.overwritten if renamed.get(n, n) not in known] if node.source_delta else []
    what, told = "open versions take the source's value", Hazard("backfills", f"open versions; {ALL}")
    steps = (Step("~", f"{new.label}.{n}", what, node.span, (told,), "nothing to do") for n in come)
    return Found(tuple(steps), rows=(SetWatermark(label),) if come else ())


def _brought_back(old: NodeState, new: NodeState, node: Snapshot, renamed: Mapping[str, str], label: str) -> Found:
    """A column that is tracked again, where only rows that moved are read: what changed meanwhile was read while nobody looked at it."""
    known = {*old.facts.get("tracked", ()), *old.facts.get("overwritten", ()), *(c.name for t in old.tables for c in t.columns)}
    back = [n for n in node.tracked if renamed.get(n, n) not in known and n in renamed] if node.source_delta else []
    steps = (Step("~", f"{new.label}.{n}", "its watermark is forgotten", node.span, (Hazard("backfills", ALL),)) for n in back)
    return Found(tuple(steps), rows=(SetWatermark(label),) if back else ())


def _orders(state: NodeState) -> str | None:
    """The column that the watermark of a snapshot is one of; None where the released state does not know."""
    found: str | None = state.facts.get("feed_cursor" if state.facts.get("feed") else "updated_at")
    return found


def of_model(old: NodeState, new: NodeState, node: Node, before: str, label: str) -> Found:
    """A cursor that is another one, or that there was none before; `before` and `label` are the node's in the control tables."""
    read, reads = (s.facts.get("cursor") for s in (old, new))
    found = Found(rows_back=_back(old, new, node, before))
    if not reads or read == was(node, old, reads):
        return found
    what = f"cursor changed from {read} to {reads}" if read else f"cursor {reads}"
    if node.strategy == "merge" or (old.kind == "table" and node.strategy != "append"):
        step = Step("~", new.label, f"{what}: its watermark is forgotten", node.span, (Hazard("backfills", ALL),))
        return found + Found((step,) if old.kind != "table" else (), rows=(SetWatermark(label),))
    table, past = old.table("ref"), node.past.columns.get(reads)
    if (table is None or not table.has(was(node, old, reads))) and not (past and past.value is not None):
        return found + _unknown(new, node, what, reads, label)
    told: tuple[tuple[HazardKind, str], ...] = (
        ("breaking", f"a row that was not read yet is read only if its {reads} is not before the highest that is stored"),
    )
    rows: list[ChangeOp] = [SetWatermark(label, _highest(node.name, reads, node))]
    if node.strategy == "append":
        later = exp.select(exp.Count(this=exp.Star())).from_(relation("ref", node.name, "t"))
        later = later.where(exp.GT(this=_time(node, reads), expression=_sql.clock()))
        said = f"rows of {node.name} have a {reads} that is still to come: they would be appended again"
        rows.insert(0, MustBeZero("What is stored is not appended again.", later, said))
    step = Step("~", new.label, f"{what}: its watermark is the highest that is stored", node.span, tuple(Hazard(k, t) for k, t in told))
    return found + Found((step,), rows=tuple(rows))


def _unknown(new: NodeState, node: Node, what: str, reads: str, label: str) -> Found:
    """No row says up to where the new cursor was read."""
    if node.strategy == "append" or node.keeps_rows:
        lost = "appended again" if node.strategy == "append" else "replaced, and lost where the source has them no more"
        message = f"{new.label}: {what}, which no row has yet: rows that are there would be {lost}"
        help = f"say history: {{backfill: …}} for {reads} in the columns: of {node.name}, or add a new model beside this one"
        return Found(problems=(Problem(new.label, Diagnostic("C604", message, node.span, help)),))
    told = "the next run reads the whole source once; what it replaces is lost where the source has it no more"
    step = Step("~", new.label, f"{what}: its watermark is forgotten", node.span, (Hazard("breaking", told),))
    return Found((step,), rows=(SetWatermark(label),))


def _back(old: NodeState, new: NodeState, node: Node, before: str) -> tuple[ChangeOp, ...]:
    """On the way back: the old cursor went on standing where it was, while runs read by the new one."""
    read, table = old.facts.get("cursor"), old.table("ref")
    if not read or table is None or (new.facts.get("cursor") and was(node, old, new.facts["cursor"]) == read):
        return ()
    if old.strategy == "merge":
        return (SetWatermark(before),)
    return (SetWatermark(before, _max(_sql.as_time(column(read, "t"), table.column(read).type), old.name)),)


def windows(old: NodeState, new: NodeState, node: Node, before: str, label: str) -> Found:
    """Windows that are cut otherwise are all due again; where only `begin` moves, those that it adds are due."""
    loaded, loads = (s.facts.get("windows") for s in (old, new))
    if not loads:
        return Found(rows_back=(ForgetWindows(before),) if loaded else ())
    if loaded and [was(node, old, loads[0]), loads[1]] == loaded[:2]:
        return _begin(loaded[2], loads[2], new, node)
    forgotten = Found(rows=(ForgetWindows(label),), rows_back=(ForgetWindows(before),) if loaded else ())
    if old.kind != "incremental":
        return forgotten  # rows of a table are what its source had when it ran last
    what = f"windows of {loads[1]}s by {loads[0]}" + (f" instead of {loaded[1]}s by {loaded[0]}" if loaded else "")
    if node.keeps_rows:
        message = f"{new.label}: {what}: every one is due again, and would lose what the source has no more, though full_refresh is false"
        help = "keep event_time and batch_size, or add a new model beside this one, and move its readers when it holds enough"
        return Found(problems=(Problem(new.label, Diagnostic("C604", message, node.span, help)),))
    told = f"{new.label}: the next run loads every window, and rows that the source has no more are deleted with it"
    hazards = (Hazard("backfills", "every window"), Hazard("destructive", told))
    step = Step("~", new.label, f"{what}: every one is due again", node.span, hazards, "every one is due again")
    return forgotten + Found((step,), lost=(f"which windows of {new.label} were loaded: all of them are loaded again",))


def _begin(one: str, two: str, new: NodeState, node: Node) -> Found:
    if one == two:
        return Found()
    earlier = dt.datetime.fromisoformat(two) < dt.datetime.fromisoformat(one)
    stay = "rows before it stay until a full refresh, and are not loaded any more"
    told = "the next run loads the windows before, and only those" if earlier else stay
    hazard = Hazard("backfills" if earlier else "breaking", told)
    step = Step("~", new.label, f"begin moved from {_shown(one)} to {_shown(two)}", node.span, (hazard,), "it is moved back")
    return Found((step,))


def _shown(said: str) -> str:
    return str(dt.datetime.fromisoformat(said).replace(tzinfo=None).isoformat(" ", "minutes"))


def _time(node: Node, name: str) -> exp.Expr:
    return _sql.as_time(column(name, "t"), node.column(name).type)


def _highest(table: str, name: str, node: Node) -> exp.Select:
    return _max(_time(node, name), table)


def _max(value: exp.Expr, table: str) -> exp.Select:
    """SELECT MAX(cursor) FROM table WHERE it is not still to come: a watermark is never later than the run."""
    past = exp.LTE(this=value.copy(), expression=_sql.clock())
    return exp.select(_sql.named(exp.Max(this=value), "found")).from_(relation("ref", table, "t")).where(past)
