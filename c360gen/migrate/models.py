"""What a change means for a model: how its next runs write, what of its rows stays, and what whoever reads a view will find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from c360gen.migrate.plan import Found, Hazard, HazardKind, Step, Symbol
from c360gen.migrate.renames import was
from c360gen.migrate.state import NodeState
from c360gen.ops.change import MustBeZero
from c360gen.project.nodes import Node
from c360gen.strategies import _sql
from c360gen.terms import types
from c360gen.terms.symbols import column, relation

AS_IT_WAS = "the view is as it was"


def facts(old: NodeState, new: NodeState, node: Node) -> Found:
    """Settings whose change moves rows, or changes what the next run does."""
    steps: list[Step] = []

    def say(what: str, kind: HazardKind, told: str) -> None:
        steps.append(Step("~", new.label, what, node.span, (Hazard(kind, told),)))

    if old.kind != new.kind:
        told = "its rows stay until its next run, which loads or replaces them by the new rule"
        say(f"{a(old.kind)} becomes {a(new.kind)}", "breaking", told)
    elif old.strategy != new.strategy:
        told = "rows that are there stay; the next runs write by the new rule"
        say(f"strategy changed from {old.strategy} to {new.strategy}", "breaking", told)
    before, after = (s.facts.get("key", ()) for s in (old, new))
    held, holds = ({*(t.primary_key if (t := s.table("ref")) else ())} for s in (old, new))
    unique = bool(holds) and {was(node, old, k) for k in holds} != held
    if before != after and list(before) != [was(node, old, k) for k in after]:
        one, two = (", ".join(key) or "nothing" for key in (before, after))
        told = f"fails, before anything is changed, where rows {'share the new key or ' if unique else ''}have none"
        say(f"key changed from {one} to {two}", "breaking", told if after else "rows are known by nothing from now on")
    elif unique:
        told = "fails, before anything is changed, where rows share it or have none"
        say(f"key {', '.join(after)}: it must tell rows apart from now on", "breaking", told)
    elif old.kind == new.kind and old.strategy == new.strategy:
        return Found(tuple(steps))
    checks = tuple(keys(node, unique)) if node.kind == "incremental" else ()
    there, table = old.table("ref"), new.table("ref")
    as_it_was = there is not None and table is not None and (there.schema, there.name) == (table.schema, table.name)
    if as_it_was and there is not None and all(there.has(k) and was(node, old, k) == k for k in node.key):
        return Found(tuple(steps), checks=checks)
    return Found(tuple(steps), rows=checks)


def rebuilt(old: NodeState, new: NodeState, node: Node) -> bool:
    """Whether a table is rather made anew: its rows are those of its last run, and cannot have what is asked now."""
    before, after = old.table("ref"), new.table("ref")
    if before is None or after is None:
        return False
    there = {was(node, old, c.name): c for c in after.columns}
    needs = any(c.not_null and not before.has(name) for name, c in there.items())
    key = tuple(was(node, old, k) for k in after.primary_key)
    retyped = any(
        before.has(name) and not types.widens(before.column(name).type, c.type) and before.column(name).type != c.type
        for name, c in there.items()
    )
    return needs or bool(key and key != before.primary_key) or retyped


def view(old: NodeState, new: NodeState, node: Node) -> Found:
    """A view that is called otherwise, or shows other columns."""
    steps: list[Step] = []

    def say(symbol: Symbol, at: str, what: str, *told: str, undo: str = AS_IT_WAS) -> None:
        steps.append(Step(symbol, at, what, node.span, tuple(Hazard("breaking", t) for t in told), undo))

    if old.label != new.label:
        say(">", new.label, f"view moved from {old.label}", f"{old.label} is gone", undo="the same, backwards")
    for name, type_ in old.columns.items():
        at = f"{new.label}.{name}"
        if name not in new.columns:
            say("-", at, "column of a view removed", "its readers fail")
        elif type_ != new.columns[name]:
            told = f"{type_} becomes {new.columns[name]} for whoever reads it"
            say("~", at, f"type changed from {type_} to {new.columns[name]}", told)
    for name, type_ in new.columns.items():
        if name not in old.columns:
            say("+", f"{new.label}.{name}", f"column of a view: {type_}")
    if set(old.columns) == set(new.columns) and list(old.columns) != list(new.columns):
        say("~", new.label, "columns in another order")
    return Found(tuple(steps))


def beside(old: NodeState, new: NodeState, node: Node) -> Found:
    """A view of rows beside a snapshot that comes, goes, or shows other columns of it."""
    steps: list[Step] = []
    before, after = old.shown_beside, new.shown_beside
    for name in {*old.beside} - {*new.beside} if old.label == new.label else ():
        told = Hazard("breaking", "its readers fail")
        steps.append(Step("-", f"{old.schema}.{name}", "view dropped: no point_in_time is said any more", node.span, (told,), AS_IT_WAS))
    steps += [Step("+", f"{new.schema}.{n}", "view", node.span, undo="it is dropped") for n in new.beside if not old.beside]
    if before and after and before != after:
        was, is_ = (replace(new, identifier=new.beside[0], columns=dict(shown)) for shown in (before, after))
        return Found(tuple(steps)) + view(was, is_, node)
    return Found(tuple(steps))


def key_back(old: NodeState, new: NodeState, node: Node) -> Found:
    """On the way back: rows that came since may share the key that tells rows apart again, and no engine declares it over them.

    Where its columns, or the table, have another name now, the engine itself says so, if it enforces keys.
    """
    there, table = old.table("ref"), new.table("ref")
    if there is None or table is None or not there.primary_key:
        return Found()
    held, holds = {*there.primary_key}, {was(node, old, k) for k in table.primary_key}
    same = (there.schema, there.name) == (table.schema, table.name)
    if held == holds or not same or not all(table.has(k) and was(node, old, k) == k for k in held):
        return Found()
    key = ", ".join(there.primary_key)
    said = f"rows of {node.name} share {key}, or have none, which was the key: mend that, then roll back"
    return Found(checks_back=(MustBeZero("No two rows share the key.", _sharing(node, there.primary_key, True), said),))


def keys(node: Node, unique: bool) -> list[MustBeZero]:
    """Rows that share a new key would be taken for one; rows without one would be found by nobody."""
    if not node.key:
        return []
    query = _sharing(node, node.key, unique)
    because = "No two rows share the key, and none is without." if unique else "No row is without its key."
    said = f"rows of {node.name} {'share' if unique else 'have no'} {', '.join(node.key)}{', or have none' if unique else ''}"
    return [MustBeZero(because, query, said)]


def _sharing(node: Node, key: Sequence[str], unique: bool) -> exp.Select:
    """How many keys stand in several rows, or are NULL in part."""
    grouped = [column(k, "t") for k in key]
    wrong: list[exp.Expr] = [exp.Is(this=k.copy(), expression=exp.null()) for k in grouped]
    if unique:
        wrong.insert(0, _sql.several())
    found = exp.select(*grouped).from_(relation("ref", node.name, "t")).group_by(*(k.copy() for k in grouped)).having(exp.or_(*wrong))
    return exp.select(exp.alias_(exp.Count(this=exp.Star()), "found")).from_(found.subquery("d"))


def a(kind: str) -> str:
    """a view, an incremental"""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
