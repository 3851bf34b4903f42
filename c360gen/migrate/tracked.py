"""Columns whose changes make versions from now on: what the versions that are there hold in them, and what the next run does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from c360gen.diagnostics import Diagnostic
from c360gen.migrate.columns import ROW
from c360gen.migrate.plan import Found, Hazard, Problem, Step
from c360gen.migrate.reads import unreadable
from c360gen.migrate.state import NodeState, State, retired_of
from c360gen.ops.change import ChangeRows, MustBeZero
from c360gen.project.nodes import Snapshot
from c360gen.strategies import _sql
from c360gen.strategies._history.versions import is_live
from c360gen.strategies._sql import equal, every, named, not_null, star_count
from c360gen.terms.symbols import column, relation


@dataclass(frozen=True)
class Came:
    """How a column comes to be tracked: in words, whether its values are brought back, and the last retired column of its name."""

    how: str
    back: bool
    retired: str | None


def columns(old: NodeState, new: NodeState, node: Snapshot, renamed: Mapping[str, str], released: State, wanted: State) -> Found:
    """Every column that is tracked now and was not: what becomes of the versions that are there."""
    found = Found()
    before = {*old.facts.get("tracked", ()), *old.facts.get("overwritten", ())}
    table = old.table("ref")
    assert table is not None
    now, then = set(new.facts.get("tracked", ())), set(old.facts.get("tracked", ()))
    for name in sorted(now):
        was = renamed.get(name, name)
        if was in before or (old.facts.get("detects") == "time" and table.has(was)):
            continue
        kept = [c.name for c in retired_of(released, table)]
        stored = "tracked from now on" if table.has(was) else "brought back, and tracked" if was in kept else "new and tracked"
        last = next((c.name for c in reversed(retired_of(released, table)) if c.was == name and not c.copied), None)
        found += _needs_history(new, node, name, Came(stored, was in kept, last), unreadable(node, name, released, wanted))
    if old.facts.get("detects") == new.facts.get("detects") == "values":
        for was in sorted(then - {renamed.get(n, n) for n in now}):
            back = next((n for n, w in renamed.items() if w == was), was)
            if any(t.has(back) for t in new.tables if t.kind == "ref"):
                told = Hazard("breaking", "its changes make no version any more")
                found += Found((Step("~", f"{new.label}.{back}", "no longer tracked", node.span, (told,), "it is tracked again"),))
    return found


def _needs_history(new: NodeState, node: Snapshot, name: str, came: Came, unread: tuple[str, str] | None) -> Found:
    past = node.past.columns.get(name)
    at = f"{new.label}.{name}"
    if past is None or past.history is None:
        words = "empty (no version is made), new_version, or {backfill: …}"
        if came.back:
            words = "empty (no version is made where a row has no value) or new_version"
        help = f"say history: {words} in the columns: of {node.name}"
        if came.retired and not came.back:
            help += f"; beside was: {came.retired} its old values come back"
        if past is not None and past.was and not came.back:
            help = "rename it in one release, and track it in the next"
        message = f"{at} is {came.how}: every key would get a version in the next run"
        return Found(problems=(Problem(at, Diagnostic("C602", message, past.span if past else node.span, help)),))
    if past.history == "empty" and unread is not None:
        message = f"{at}: history: empty needs the value that the source has now: {unread[0]}"
        return Found(problems=(Problem(at, Diagnostic("C604", message, past.span, "say new_version" if came.back else unread[1])),))
    if past.history == "empty":
        what, risks = "open versions take the source's value, without a new version", [Hazard("backfills", "open versions")]
        if came.back:
            what = "open versions that have no value take the source's, without a new version"
            risks.append(Hazard("versions", "the next run makes a version of every key whose value is another one since it was retired"))
        step = Step("~", at, what, past.span, tuple(risks), "nothing to do")
        return Found((step,), rows=tuple(open_versions(node, name, came.back)))
    if past.history == "new_version":
        if (why := _unseen(node)) is not None:
            otherwise = "" if came.back else ", or {backfill: …}"
            help = f"say history: empty, which gives open versions the source's value{otherwise} in the columns: of {node.name}"
            message = f"{at}: history: new_version is a promise that no run keeps: {why}"
            return Found(problems=(Problem(at, Diagnostic("C604", message, past.span, help)),))
        has = "another value there" if came.back else "a value there"
        told = Hazard("versions", f"the next run makes a version of every key whose source has {has}")
        step = Step("~", at, "the next run makes versions", past.span, (told,), "versions that came since stay")
        return Found((step,), versioned=((node.name, name),))
    return Found()


def _unseen(node: Snapshot) -> str | None:
    """Why a run makes no version of a row that has a value in a new column and nothing else that is new."""
    unmoved = node.policies.on_unmoved_timestamp
    if node.detects == "time":
        return "a row changes only when its updated_at moves"
    if node.strategy != "timestamp" or unmoved == "version":
        return None
    does = "passes over" if unmoved == "ignore" else "fails at"
    return f"on_unmoved_timestamp: {unmoved} {does} rows that change while {node.updated_at} stays"


def open_versions(node: Snapshot, name: str, back: bool = False) -> list[MustBeZero | ChangeRows]:
    """UPDATE history SET phone = source.phone WHERE open: what the source says now was true all the time, as far as anybody knows.

    What is brought back was seen: where a version has a value, another one is a change, and the next run's.
    """
    theirs, source = _sql.reading(node, "s"), node.reading
    keys = [column(k, "s") for k in node.key]
    twice = exp.select(*keys).from_(theirs.copy()).group_by(*(k.copy() for k in keys)).having(_sql.several())
    doubled = exp.select(star_count("doubled")).from_(twice.subquery("d"))
    unknown = [_sql.is_null(column(name, ROW))] if back else []
    where = every([_sql.same_key(node, ROW, "s"), is_live(node, ROW), *unknown, not_null(column(name, "s"))])
    update = exp.Update(
        this=relation("ref", node.name, ROW), expressions=[equal(column(name), column(name, "s"))], from_=exp.From(this=theirs),
        where=exp.Where(this=where),
    )  # fmt: skip
    return [
        MustBeZero("A key that the source has twice has no value.", doubled, f"{source} has keys in several rows"),
        ChangeRows("Open versions take the value that the source has now.", update),
    ]


def count_new_versions(node: Snapshot, name: str) -> exp.Select:
    """How many keys the next run makes a version of for the sake of a column that is new, or is back."""
    theirs = _sql.reading(node, "s")
    query = exp.select(named(exp.Count(this=exp.Star()), "found")).from_(relation("ref", node.name, ROW))
    differs = exp.NullSafeNEQ(this=column(name, ROW), expression=column(name, "s"))
    return query.join(theirs, on=_sql.same_key(node, ROW, "s")).where(every([is_live(node, ROW), differs]))
