"""The layout of graphs: no box over another, edges from left to right and around boxes, names that fit."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360gen.docs.graph import CELL, INSIDE, LONGEST, Box, Drawing, Placed, cells, cut, draw, settled

Edges = list[tuple[str, str]]


def boxes(count: int) -> list[Box]:
    return [Box(f"n{i}", f"schema.a_name_{'x' * (i % 40)}_{i}", "view", f"nodes/n{i}.html") for i in range(count)]


@st.composite
def graphs(draw_: st.DrawFn) -> tuple[int, Edges]:
    """Edges lead to later boxes only, so there is no circle."""
    count = draw_(st.integers(1, 25))
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda p: p[0] < p[1])
    found = draw_(st.lists(pairs, max_size=60)) if count > 1 else []
    order = draw_(st.permutations(range(count)))
    return count, [(f"n{order[a]}", f"n{order[b]}") for a, b in found]


def overlap(one: Placed, two: Placed) -> bool:
    return (one.x < two.x + two.width and two.x < one.x + one.width) and (one.y < two.y + two.height and two.y < one.y + one.height)


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_what_holds_of_every_picture(graph: tuple[int, Edges]) -> None:
    count, edges = graph
    drawing = draw(boxes(count), edges)
    placed = {p.box.id: p for p in drawing.boxes}
    assert len(placed) == count and {(line.origin, line.to) for line in drawing.lines} == set(edges)
    listed = list(placed.values())
    assert not [(a.box.id, b.box.id) for i, a in enumerate(listed) for b in listed[:i] if overlap(a, b)]
    for p in listed:
        assert p.x >= 0 and p.y >= 0 and p.x + p.width <= drawing.width and p.y + p.height <= drawing.height
        assert cells(p.shown) * CELL + 2 * INSIDE <= p.width + 1
    for line in drawing.lines:
        origin, to = placed[line.origin], placed[line.to]
        assert origin.layer < to.layer
        assert line.points[0] == (origin.x + origin.width, origin.y + origin.height // 2)
        assert line.points[-1] == (to.x, to.y + to.height // 2)
        assert all(a[0] < b[0] for a, b in zip(line.points, line.points[1:], strict=False))
        assert all(0 <= y <= drawing.height for _, y in line.points)
        for number in range(1, len(line.points) - 1, 2):  # where it passes a layer, it passes between its boxes
            (x, y), (_, same) = line.points[number : number + 2]
            assert y == same and not [p for p in listed if p.x <= x < p.x + p.width and p.y <= y <= p.y + p.height]
    assert draw(boxes(count), edges) == drawing


def test_layers_are_the_longest_ways() -> None:
    drawing = draw(boxes(4), [("n0", "n1"), ("n1", "n2"), ("n0", "n2"), ("n0", "n3")])
    assert {p.box.id: p.layer for p in drawing.boxes} == {"n0": 0, "n1": 1, "n2": 2, "n3": 1}


def test_edges_do_not_cross_where_they_need_not() -> None:
    """As they come, all three would cross."""
    drawing = draw(boxes(6), [("n0", "n5"), ("n1", "n4"), ("n2", "n3")])
    at = {p.box.id: p.y for p in drawing.boxes}
    assert [at["n5"], at["n4"], at["n3"]] == [at["n0"], at["n1"], at["n2"]]


def test_edges_of_what_is_no_box_are_left_out() -> None:
    assert draw(boxes(2), [("n0", "elsewhere"), ("elsewhere", "n1")]).lines == ()
    assert draw([], []) == Drawing(8, 22, (), ())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(1, 50)), min_size=1, max_size=30))
def test_places_keep_their_order_and_distances(given_: list[tuple[int, int]]) -> None:
    wanted, gaps = [w for w, _ in given_], [g for _, g in given_][1:]
    found = settled(wanted, gaps)
    assert all(b - a >= g - 1e-6 for a, b, g in zip(found, found[1:], gaps, strict=False))
    if all(b - a >= g for a, b, g in zip(wanted, wanted[1:], gaps, strict=False)):
        assert found == pytest.approx(wanted)


@given(st.text())
def test_a_label_fits_its_box(label: str) -> None:
    shown = cut(label)
    assert cells(shown) <= LONGEST and len(shown) <= 2 * LONGEST
    if shown != label:
        head, tail = shown.split("…", 1) if "…" not in label else ("", "")
        assert label.startswith(head) and label.endswith(tail)


def test_both_ends_of_a_long_name_are_shown() -> None:
    assert cut("intermediate.int_customer_orders_by_country_and_month") == "intermediate.in…untry_and_month"
    assert cut("a" * LONGEST) == "a" * LONGEST


def test_a_thousand_boxes_take_a_moment() -> None:
    """And one that everything reads, which makes an edge as long as the picture of each."""
    many = [(f"n{i * 7 % (i or 1)}", f"n{i}") for i in range(1, 1000)] + [(f"n{max(0, i - 40)}", f"n{i}") for i in range(1, 1000)]
    chain = [(f"n{i}", f"n{i + 1}") for i in range(999)] + [("n0", f"n{i}") for i in range(1, 1000)]
    for edges in (many, chain):
        begun = time.process_time()
        assert len(draw(boxes(1000), edges).boxes) == 1000
        assert time.process_time() - begun < 10
