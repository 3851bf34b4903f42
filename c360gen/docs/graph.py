"""A graph as a picture: layers from left to right, few crossings, edges around boxes. Plain arithmetic, the same on every machine."""

from __future__ import annotations

import bisect
import itertools
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from c360gen.project.graph import order

HEIGHT, BETWEEN, BEND, MARGIN = 28, 12, 10, 8
"""Pixels: of a box, between two, between an edge that passes by and what is beside it, around the picture."""
GUTTER = 64
"""Between layers, where edges cross."""
CELL, INSIDE = 7.3, 10
"""The width of a letter, and what is free on both sides of a label."""
LONGEST = 32
"""Letters of a label; the middle of a longer one is left out."""
SWEEPS = 8
MOST_BENDS = 20_000
"""With more, edges go straight from box to box: what has so many is no picture for people anyway."""


@dataclass(frozen=True)
class Box:
    """What is drawn as a box: `kind` chooses its colour."""

    id: str
    label: str
    kind: str
    href: str
    title: str = ""
    """What a pointer that rests on it is told."""


@dataclass(frozen=True)
class Placed:
    """A box at its place; `shown` is its label, cut to its width."""

    box: Box
    shown: str
    layer: int
    x: int
    y: int
    width: int
    height: int = HEIGHT

    @property
    def text_x(self) -> int:
        return self.x + INSIDE

    @property
    def text_y(self) -> int:
        """The line on which its letters stand."""
        return self.y + self.height // 2 + 4


@dataclass(frozen=True)
class Line:
    """An edge: where it begins, each layer that it passes, from left to right, where it ends."""

    origin: str
    to: str
    points: tuple[tuple[int, int], ...]

    @property
    def path(self) -> str:
        """As SVG: even across a layer, a curve from one to the next."""
        (x, y), *others = self.points
        parts = [f"M{x} {y}"]
        for number, (to_x, to_y) in enumerate(others):
            middle = (x + to_x) // 2
            parts.append(f"H{to_x}" if number % 2 else f"C{middle} {y} {middle} {to_y} {to_x} {to_y}")
            x, y = to_x, to_y
        return " ".join(parts)


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    boxes: tuple[Placed, ...]
    lines: tuple[Line, ...]


_Place = tuple[str, int]
"""A box in its layer, or the bend of the edges of a box in a later one."""


def draw(boxes: Sequence[Box], edges: Iterable[tuple[str, str]]) -> Drawing:
    """Boxes and who feeds whom → the picture. Edges of what is no box are left out; they form no circle."""
    known = {b.id: b for b in boxes}
    fed = [e for e in dict.fromkeys(edges) if e[0] in known and e[1] in known]
    layer = _layers(known, fed)
    bends = sum(layer[b] - layer[a] - 1 for a, b in fed) <= MOST_BENDS
    chains = {(a, b): _chain(a, b, layer, bends) for a, b in fed}
    hops = list(dict.fromkeys((one, two) for chain in chains.values() for one, two in itertools.pairwise(chain)))
    columns = _ordered(_columns(known, layer, chains), hops)
    middle = _heights(columns, hops, layer)
    top = min(middle.values(), default=0.0) - HEIGHT / 2 - MARGIN
    shown = {b.id: cut(b.label) for b in boxes}
    width = [max(round(cells(shown[id_]) * CELL) + 2 * INSIDE for id_, at in c if layer[id_] == at) for c in columns]
    left = [MARGIN + sum(width[:n]) + GUTTER * n for n in range(len(columns))]
    level = {place: round(at - top) for place, at in middle.items()}
    placed = tuple(
        Placed(b, shown[b.id], layer[b.id], left[layer[b.id]], level[b.id, layer[b.id]] - HEIGHT // 2, width[layer[b.id]]) for b in boxes
    )
    lines = tuple(Line(a, b, tuple(_points(chain, left, width, level))) for (a, b), chain in chains.items())
    right = max((p.x + p.width for p in placed), default=0) + MARGIN
    bottom = max(level.values(), default=0) + HEIGHT // 2 + MARGIN
    return Drawing(right, bottom, placed, lines)


def cells(text: str) -> int:
    """How many letters wide it is: two for those of East Asia, none for marks."""
    return sum(0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(label: str) -> str:
    """a_very_long_name_of_a_snapshot → a_very_lo…_snapshot: names of one project differ at both ends."""
    if cells(label) <= LONGEST and len(label) <= 2 * LONGEST:
        return label
    head, tail = label[: LONGEST // 2], label[-(LONGEST // 2) :]
    while cells(head) + cells(tail) >= LONGEST:
        head, tail = head[:-1], tail[1:]
    return f"{head}…{tail}"


def _layers(boxes: Mapping[str, Box], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each box."""
    reads: dict[str, list[str]] = {id_: [] for id_ in boxes}
    for origin, to in edges:
        reads[to].append(origin)
    found: dict[str, int] = {}
    for id_ in order(reads):
        found[id_] = max((found[r] + 1 for r in reads[id_]), default=0)
    return found


def _chain(origin: str, to: str, layer: Mapping[str, int], bends: bool) -> list[_Place]:
    """The places of one edge; edges of one origin share their bends, and so look like one that splits."""
    passed = range(layer[origin] + 1, layer[to]) if bends else ()
    return [(origin, layer[origin]), *((origin, at) for at in passed), (to, layer[to])]


def _columns(
    boxes: Iterable[str], layer: Mapping[str, int], chains: Mapping[tuple[str, str], Sequence[_Place]]
) -> list[list[_Place]]:  # fmt: skip
    found: list[list[_Place]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    places = [(id_, layer[id_]) for id_ in boxes] + [place for chain in chains.values() for place in chain]
    for place in dict.fromkeys(places):
        found[place[1]].append(place)
    return found


def _ordered(columns: list[list[_Place]], hops: Sequence[tuple[_Place, _Place]]) -> list[list[_Place]]:
    """Each place near the mean of its neighbours, to the left and to the right in turn; of all orders the one with the fewest crossings."""
    before, after = _neighbours(hops)
    best, fewest = columns, _crossings(columns, after)
    current = [list(c) for c in columns]
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for number in range(len(current)) if forward else range(len(current) - 1, -1, -1):
            beside = number - 1 if forward else number + 1
            if 0 <= beside < len(current):
                position = {place: n for n, place in enumerate(current[beside])}
                current[number] = _by_mean(current[number], before if forward else after, position)
        if (crossings := _crossings(current, after)) < fewest:
            best, fewest = [list(c) for c in current], crossings
    return best


def _by_mean(column: Sequence[_Place], neighbours: Mapping[_Place, Sequence[_Place]], position: Mapping[_Place, int]) -> list[_Place]:
    """Sorted by the mean place of neighbours in the column beside; what has none there stays where it is."""
    means: dict[_Place, float] = {}
    for number, place in enumerate(column):
        there = [position[n] for n in neighbours.get(place, ()) if n in position]
        means[place] = sum(there) / len(there) if there else float(number)
    return sorted(column, key=lambda place: means[place])


def _neighbours(hops: Iterable[tuple[_Place, _Place]]) -> tuple[dict[_Place, list[_Place]], dict[_Place, list[_Place]]]:
    before: dict[_Place, list[_Place]] = {}
    after: dict[_Place, list[_Place]] = {}
    for one, two in hops:
        before.setdefault(two, []).append(one)
        after.setdefault(one, []).append(two)
    return before, after


def _crossings(columns: Sequence[Sequence[_Place]], after: Mapping[_Place, Sequence[_Place]]) -> int:
    """How many pairs of edges between neighbouring columns cross."""
    found = 0
    for left, right in itertools.pairwise(columns):
        position = {place: n for n, place in enumerate(right)}
        seen: list[int] = []
        for place in left:
            ends = sorted(position[p] for p in after.get(place, ()) if p in position)
            found += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
            for end in ends:
                bisect.insort(seen, end)
    return found


def _heights(columns: Sequence[Sequence[_Place]], hops: Sequence[tuple[_Place, _Place]], layer: Mapping[str, int]) -> dict[_Place, float]:
    """The middle of each place: near its neighbours, in the order of its column, and as far from the next as both need."""
    before, after = _neighbours(hops)
    gaps = [[_gap(one, two, layer) for one, two in itertools.pairwise(c)] for c in columns]
    middle: dict[_Place, float] = {}
    for column, between in zip(columns, gaps):
        at = 0.0
        for place, gap in zip(column, [0, *between]):
            at += gap
            middle[place] = at
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for number in range(len(columns)) if forward else range(len(columns) - 1, -1, -1):
            wanted = []
            for place in columns[number]:
                there = [middle[n] for n in (before if forward else after).get(place, ())]
                wanted.append(sum(there) / len(there) if there else middle[place])
            middle.update(zip(columns[number], settled(wanted, gaps[number])))
    return middle


def _gap(one: _Place, two: _Place, layer: Mapping[str, int]) -> int:
    """From middle to middle."""
    halves = sum(HEIGHT // 2 for id_, at in (one, two) if layer[id_] == at)
    return halves + (BETWEEN if halves == HEIGHT else BEND)


def settled(wanted: Sequence[float], gaps: Sequence[int]) -> list[float]:
    """The places nearest to those wanted, by least squares, that keep their order and their distances: pools of adjacent violators."""
    offsets = [0]
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    pools: list[tuple[float, int]] = []
    for at, offset in zip(wanted, offsets):
        total, count = at - offset, 1
        while pools and pools[-1][0] * count >= total * pools[-1][1]:
            more, others = pools.pop()
            total, count = total + more, count + others
        pools.append((total, count))
    flat = [total / count for total, count in pools for _ in range(count)]
    return [at + offset for at, offset in zip(flat, offsets)]


def _points(
    chain: Sequence[_Place], left: Sequence[int], width: Sequence[int], level: Mapping[_Place, int]
) -> Iterable[tuple[int, int]]:  # fmt: skip
    """From the right side of the first box to the left side of the last, across the columns between."""
    for number, place in enumerate(chain):
        x, y = left[place[1]], level[place]
        if number:
            yield x, y
        if number < len(chain) - 1:
            yield x + width[place[1]], y
