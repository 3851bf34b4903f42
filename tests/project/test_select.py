"""The selection grammar, word by word."""

from __future__ import annotations

import pytest

from c360gen.project.graph import Cycle, order
from c360gen.project.select import BadSelection, Selectable, select


def item(id_: str, kind: str, parents: tuple[str, ...] = (), tags: tuple[str, ...] = (), path: str = "specs/x.yml") -> Selectable:
    return Selectable(id_, id_.partition(":")[2], kind, path, tags, parents)


ITEMS = {
    i.id: i
    for i in (
        item("source:raw.orders", "source"),
        item("ref:stg_orders", "model", ("source:raw.orders",), ("nightly",), "specs/staging/s.yml"),
        item("ref:int_orders", "model", ("ref:stg_orders",)),
        item("ref:mart", "model", ("ref:int_orders", "ref:snap"), ("nightly",)),
        item("ref:snap", "snapshot", ("source:raw.orders",)),
        item("exposure:board", "exposure", ("ref:mart",)),
    )
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mart", {"ref:mart"}),
        ("*_orders", {"ref:stg_orders", "ref:int_orders"}),
        ("int_orders+", {"ref:int_orders", "ref:mart", "exposure:board"}),
        ("int_orders+1", {"ref:int_orders", "ref:mart"}),
        ("+int_orders", {"ref:int_orders", "ref:stg_orders", "source:raw.orders"}),
        ("1+mart", {"ref:mart", "ref:int_orders", "ref:snap"}),
        ("tag:nightly", {"ref:stg_orders", "ref:mart"}),
        ("tag:nightly,+mart", {"ref:stg_orders", "ref:mart"}),
        ("stg_orders snap", {"ref:stg_orders", "ref:snap"}),
        ("resource_type:snapshot", {"ref:snap"}),
        ("source:raw", {"source:raw.orders"}),
        ("source:raw.orders+1", {"source:raw.orders", "ref:stg_orders", "ref:snap"}),
        ("path:specs/staging", {"ref:stg_orders"}),
        ("+exposure:board,resource_type:snapshot", {"ref:snap"}),
    ],
)
def test_select(text: str, expected: set[str]) -> None:
    assert select(text, ITEMS) == expected


def test_exclude() -> None:
    assert select("resource_type:model", ITEMS, "tag:nightly") == {"ref:int_orders"}


@pytest.mark.parametrize("text", ["nix", "nix+", "colour:red", "", "tag:nix", "++x"])
def test_what_matches_nothing_is_an_error(text: str) -> None:
    with pytest.raises(BadSelection):
        select(text, ITEMS)


def test_order_does_not_depend_on_the_order_of_files() -> None:
    assert (
        order({"c": ["b"], "b": ["a"], "a": [], "d": ["a"]}) == order({"a": [], "d": ["a"], "b": ["a"], "c": ["b"]}) == ["a", "b", "d", "c"]
    )


def test_a_cycle_is_named_from_its_first_name() -> None:
    with pytest.raises(Cycle, match="a → c → b → a"):
        order({"b": ["a"], "c": ["b"], "a": ["c"]})
