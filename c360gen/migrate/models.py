"""What a change means for a model: how its next runs write, what of its rows stays, and what whoever reads a view will find."""

from __future__ import annotations

from sqlglot import exp

from c360gen.migrate.plan import Found, Hazard, HazardKind, Step, Symbol
from c360gen.migrate.state import NodeState
from c360gen.ops.change import ChangeOp, MustBeZero
from c360gen.project.nodes import Node
from c360gen.terms import types
from c360gen.terms.symbols import column, relation

AS_IT_WAS = "the view is as it was"


def facts(old: NodeState, new: NodeState, node: Node) -> Found:
    """Settings whose change moves rows, or changes what the next run does."""
    steps: list[Step] = []
    rows: list[ChangeOp] = []

    def say(what: str, kind: HazardKind, told: str) -> None:
        steps.append(Step("~", new.label, what, node.span, (Hazard(kind, told),)))

    if old.kind != new.kind:
        told = "its rows stay until its next run, which loads or replaces them by the new rule"
        say(f"{a(old.kind)} becomes {a(new.kind)}", "breaking", told)
    elif old.strategy != new.strategy:
        told = "rows that are there stay; the next runs write by the new rule"
        say(f"strategy changed from {old.strategy} to {new.strategy}", "breaking", told)
    before, after = (s.facts.get("key", ()) for s in (old, new))
    if before != after and list(before) != [was(node, old, k) for k in after]:
        one, two = (", ".join(key) or "nothing" for key in (before, after))
        told = "fails, before anything is changed, where rows share the new key or have none"
        say(f"key changed from {one} to {two}", "breaking", told)
        rows += unique_key(node)
    return Found(tuple(steps), rows=tuple(rows))


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


def unique_key(node: Node) -> list[ChangeOp]:
    """Rows that share a new key would be taken for one."""
    if not node.key or node.strategy != "merge":
        return []
    keys = [column(k, "t") for k in node.key]
    several = exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))
    twice = exp.select(*keys).from_(relation("ref", node.name, "t")).group_by(*(k.copy() for k in keys)).having(several)
    query = exp.select(exp.alias_(exp.Count(this=exp.Star()), "found")).from_(twice.subquery("d"))
    return [MustBeZero("No two rows share the new key.", query, f"rows of {node.name} share {', '.join(node.key)}")]


def was(node: Node, old: NodeState, name: str) -> str:
    """What a column was called in the released state."""
    past = node.past.columns.get(name)
    return past.was if past and past.was and past.was in old.columns else name


def a(kind: str) -> str:
    """a view, an incremental"""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
