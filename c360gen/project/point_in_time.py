"""`point_in_time:` of a model as written → as meant, once every node is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping

from c360gen.diagnostics import Diagnostics, nearest_or_list
from c360gen.project.columns import find
from c360gen.project.nodes import Node, PointInTime, Snapshot
from c360gen.project.references import parse_reference
from c360gen.spec.load import Located
from c360gen.spec.models import Model
from c360gen.terms import symbols, types


def point_in_time(
    located: Located[Model], node: Node, nodes: Mapping[str, Node], declared: Collection[str], diagnostics: Diagnostics
) -> tuple[PointInTime, ...]:
    """Every join that the model declares; mistakes are reported at the word that is wrong.

    Of what is `declared` and no node, because of mistakes of its own, nothing is said here."""
    found: list[PointInTime] = []
    taken = {c.name for c in node.columns}
    for index, given in enumerate(located.spec.point_in_time):
        at = ("point_in_time", index)
        id_ = parse_reference(given.snapshot) or ""
        snapshot = nodes.get(id_.removeprefix("ref:"))
        if snapshot is None and id_.removeprefix("ref:") in declared:
            continue
        if not isinstance(snapshot, Snapshot):
            names = [n.name for n in nodes.values() if isinstance(n, Snapshot)]
            message = f"point_in_time: {given.snapshot} is not a snapshot"
            bare = given.snapshot.strip() in names
            help = f"write ref('{given.snapshot.strip()}')" if bare else nearest_or_list(id_.removeprefix("ref:"), names, "snapshots")
            diagnostics.error("C201", message, located.span(*at, "snapshot"), help)
            continue

        def known(name: str, owner: Node, key: str, place: tuple[str | int, ...] = at) -> str:
            names = [c.name for c in owner.columns]
            return find(name, names, f"point_in_time: {owner.name}", located.span(*place, key), diagnostics)

        on = given.on or {k: k for k in snapshot.key}
        pairs = tuple((known(ours, node, "on"), known(theirs, snapshot, "on")) for ours, theirs in on.items())
        if {theirs for _, theirs in pairs} != set(snapshot.key):
            message = f"point_in_time: on must give every column of the key of {snapshot.name}, {', '.join(snapshot.key)}"
            diagnostics.error("C401", message, located.span(*at, "on"), "one row of the model may meet one version only")
        time = known(given.at, node, "at")
        kind = next((c.type or c.time for c in node.columns if c.name == time), None)
        if kind is None and node.kind == "view" and any(c.name == time for c in node.columns):  # a wall clock would be the reader's
            message, help = f"point_in_time: {time} is computed: its type is not known", f"columns: [{{name: {time}, data_type: …}}]"
            diagnostics.error("C304", message, located.span(*at, "at"), help, (node.name, time))
        if kind is not None and kind.this not in types.TIMES:
            diagnostics.error("C401", f"point_in_time: {time} is {types.text(kind)}, not a time", located.span(*at, "at"))
        hidden = {*snapshot.key, snapshot.valid_to, snapshot.is_deleted}
        shown = [known(c, snapshot, "columns") for c in given.columns] or [c.name for c in snapshot.columns if c.name not in hidden]
        prefix = f"{snapshot.name}_" if given.prefix is None else given.prefix
        if bad := [prefix + n for n in shown if prefix + n in taken or len((prefix + n).encode()) > symbols.LONGEST]:
            message = f"point_in_time: the view cannot have the columns {', '.join(bad)}: taken, or too long"
            diagnostics.error("C207", message, located.span(*at, "snapshot"), "choose another prefix:")
        taken |= {prefix + n for n in shown}
        found.append(PointInTime(snapshot.name, pairs, time, tuple((n, prefix + n) for n in shown)))
    return tuple(found)


def declare(items: Iterable[Located[Model]], nodes: dict[str, Node], declared: Collection[str], diagnostics: Diagnostics) -> None:
    """Give every model its joins."""
    for item in items:
        if item.spec.point_in_time and item.spec.name in nodes:
            node = nodes[item.spec.name]
            nodes[node.name] = dataclasses.replace(node, point_in_time=point_in_time(item, node, nodes, declared, diagnostics))
