"""`was:` of the specs against what is released: what is renamed by it, what was renamed long ago, and what one release cannot carry out.

A `was:` that was carried out may stay in the specs: the released state remembers what its own specs said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from c360gen.diagnostics import Diagnostic, Span, nearest_or_list
from c360gen.migrate.plan import Problem
from c360gen.migrate.state import STORED, NodeState, State
from c360gen.ops.change import Stored
from c360gen.project.nodes import Node

ROLES = ("from", "to", "is_deleted", "row_id", "row_time")
TWICE = "use two releases, through a third name; or take was: away, if it was carried out long ago"


def was(node: Node, old: NodeState, name: str) -> str:
    """What a column was called in the released state."""
    past = node.past.columns.get(name)
    return past.was if past and past.was and past.was in old.columns and name not in old.columns else name


# --- columns -------------------------------------------------------------------------------------------------------------


@dataclass
class Columns:
    """`renamed`: new name → released name."""

    renamed: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def columns(before: Stored, old: NodeState, new: NodeState, node: Node) -> Columns:
    """What `was:` says, and the columns of the history, which are known by what they mean; `before` holds what is retired, too."""
    after = new.table("ref")
    assert after is not None
    found = Columns()

    def claim(name: str, said: str, span: Span) -> None:
        why = None
        if before.has(name):
            why = f"was: {old.label} has {name} and {said}, and only one of them can go on as {name}"
        elif after.has(said):
            why = f"was: {name} was {said}, and {said} is to be another column in the same release"
        elif other := next((n for n, w in found.renamed.items() if w == said), None):
            why = f"was: {other} and {name} cannot both be what {said} was"
        if why:
            found.problems.append(Problem(f"{new.label}.{name}", Diagnostic("C603", why, span, TWICE)))
        else:
            found.renamed[name] = said

    for name, past in node.past.columns.items():
        said = past.was
        if not said or said == name or not before.has(said) or not after.has(name):
            continue
        if not (before.has(name) and after.has(said) and old.facts.get("was", {}).get(name) == said):
            claim(name, said, past.span)
    one, two = old.interval, new.interval
    for role in ROLES:
        if role in one and role in two and one[role] != two[role] and found.renamed.get(two[role]) != one[role]:
            claim(two[role], one[role], node.span)
    return found


# --- nodes ---------------------------------------------------------------------------------------------------------------


@dataclass
class Nodes:
    """Which released node is which wanted one; `unclear` are the names of those of which nobody can tell."""

    pairs: list[tuple[NodeState, NodeState]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unclear: set[str] = field(default_factory=set)


def nodes(released: State, wanted: State, specs: Mapping[str, Node]) -> Nodes:
    """By name, or by what `was:` says."""
    found = Nodes()
    labels = {n.label: n for n in released.nodes.values()}
    for new in wanted.nodes.values():
        node = specs[new.name]
        there, said = released.nodes.get(new.name), node.past.was
        old = released.nodes.get(said) or labels.get(said) if said else None

        def no(message: str, help: str | None, new: NodeState = new, node: Node = node, old: NodeState | None = old) -> None:
            found.problems.append(Problem(new.label, Diagnostic("C603", message, node.span, help)))
            found.unclear.update({new.name, *([old.name] if old else [])})

        if there is not None:
            harmless = old is None or old is there or not {old.kind, new.kind} & {*STORED}
            if harmless or (old is not None and old.name in wanted.nodes and there.facts.get("renamed") == said):
                found.pairs.append((there, new))
            elif old is not None:
                no(f"was: {new.name} and {old.name} are both released, and only one of them can go on as {new.name}", TWICE)
        elif said and old is None:
            near = nearest_or_list(said, [*released.nodes, *labels], "released nodes")
            found.problems.append(Problem(new.label, Diagnostic("C603", f"was: nothing released is called {said}", node.span, near)))
        elif old is not None and old.name in wanted.nodes:
            no(f"was: {said} is still there", "a node can only be renamed, not copied")
        elif old is not None and (other := next((n.name for o, n in found.pairs if o is old), None)):
            no(f"was: {other} and {new.name} cannot both be what {said} was", "a node can only be renamed, not copied")
        elif old is not None:
            found.pairs.append((old, new))
    found.pairs = [(o, n) for o, n in found.pairs if not {o.name, n.name} & found.unclear]
    return found


def handed(released: State, pairs: Iterable[tuple[NodeState, NodeState]], specs: Mapping[str, Node]) -> Iterable[Problem]:
    """A table that moves to where another node's was: nobody orders such moves, and log and watermark would be mixed up with them."""
    owners = {(t.schema, t.name): n for n in released.nodes.values() for t in n.tables}
    for old, new in pairs:
        for table in new.tables:
            owner = owners.get((table.schema, table.name), old)
            if owner.name != old.name:
                help = f"use two releases: in the first {owner.name} goes or gets another name, in the second {new.name} takes this one"
                said = f"{new.name} cannot move to {table.schema}.{table.name}, which is released as a table of {owner.name}"
                yield Problem(new.label, Diagnostic("C604", said, specs[new.name].span, help))


def alike(gone: Iterable[NodeState], come: Iterable[NodeState], specs: Mapping[str, Node]) -> Iterable[Problem]:
    """A table that goes and one like it that comes: a rename, or not? Nobody guesses."""
    left = list(gone)
    for new in come:
        node = specs[new.name]
        found = [o.name for o in left if o.kind == new.kind and o.kind in STORED and set(o.columns) == set(new.columns)]
        if found and node.past.was is None:
            help = f"say was: {found[0]} in {new.name}, which keeps its rows; or was: false, if it is another thing"
            said = f"{found[0]} is gone, and {new.name} with the same columns is new"
            yield Problem(new.label, Diagnostic("C601", said, node.span, help))
