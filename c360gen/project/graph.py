"""The order in which nodes are built and run, and the cycle that forbids one."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping


class Cycle(Exception):
    def __init__(self, names: list[str]):
        super().__init__(" → ".join(names))
        self.names = names


def order(depends_on: Mapping[str, Iterable[str]]) -> list[str]:
    """{a: [b], b: []} → [b, a]; ties by name, so that the order never depends on the files. Raise Cycle."""
    sorter = graphlib.TopologicalSorter({n: sorted(set(d) & set(depends_on)) for n, d in sorted(depends_on.items())})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        names: list[str] = error.args[1][::-1]
        first = names.index(min(names[:-1]))
        raise Cycle(names[first:-1] + names[:first] + [names[first]]) from None
    out: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        out += ready
        sorter.done(*ready)
    return out


def reach(start: Iterable[str], edges: Mapping[str, Iterable[str]], steps: int | None) -> set[str]:
    """Everything that can be reached from any of `start` in at most `steps` steps (None: without limit), and they themselves."""
    found = set(start)
    frontier = set(found)
    while frontier and (steps is None or steps > 0):
        frontier = {to for name in frontier for to in edges.get(name, ())} - found
        found |= frontier
        steps = None if steps is None else steps - 1
    return found
