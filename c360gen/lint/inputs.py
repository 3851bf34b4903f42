"""Which nodes must have run before a node: its parents, through views."""

from __future__ import annotations

from c360gen.project.resolved import Resolved


class Inputs:
    def __init__(self, resolved: Resolved):
        self._found: dict[str, frozenset[str]] = {}
        for node in resolved.nodes.values():  # in dependency order
            parents = [resolved.nodes[p.removeprefix("ref:")] for p in node.depends_on if p.startswith("ref:") and p != node.id]
            through = [frozenset({p.name}) if p.runs else self._found[p.name] for p in parents]
            self._found[node.name] = frozenset().union(*through)

    def of(self, name: str) -> frozenset[str]:
        """The nearest nodes that run, upstream of `name`."""
        return self._found[name]
