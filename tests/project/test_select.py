"""The selection grammar, word by word."""

from __future__ import annotations

import re
import time

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


@pytest.mark.parametrize(
    "text,message,help",
    [
        ("int_order", "'int_order' matches nothing", "did you mean 'int_orders'?"),
        ("board", "'board' matches nothing", "it is an exposure: write exposure:board"),
        ("raw.orders+", "'raw.orders' matches nothing", "it is a source: write source:raw.orders"),
        ("nightly", "'nightly' matches nothing", "it is a tag: write tag:nightly"),
        ("tags:nightly", "'tags:' is not a method; known: tag, path, source, exposure, resource_type", "did you mean 'tag:nightly'?"),
        ("tag:nigthly", "'tag:nigthly' matches nothing", "did you mean 'nightly'?"),
        ("source:row", "'source:row' matches nothing", "did you mean 'raw'?"),
        ("resource_type:models", "'resource_type:models' matches nothing", "did you mean 'model'?"),
        ("path:specs/stagin", "'path:specs/stagin' matches nothing", "did you mean 'specs/staging'?"),
        ("snap,stg_orders", "'snap,stg_orders' matches nothing: its parts have nothing in common", "a comma"),
    ],
)
def test_the_nearest_name_is_offered(text: str, message: str, help: str) -> None:
    with pytest.raises(BadSelection, match=re.escape(message)) as found:
        select(text, ITEMS)
    assert help in str(found.value.help)


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(BadSelection, match=r"'resource_type:model' excludes all that 'mart' selects"):
        select("mart", ITEMS, "resource_type:model")


def test_a_union_over_a_long_chain_is_linear() -> None:
    """`*+` starts everywhere and walks every edge once."""
    chain = {f"ref:n{i}": item(f"ref:n{i}", "model", (f"ref:n{i - 1}",) if i else ()) for i in range(5000)}
    started = time.process_time()
    assert len(select("+*+", chain)) == 5000
    assert time.process_time() - started < 2


def test_order_does_not_depend_on_the_order_of_files() -> None:
    assert (
        order({"c": ["b"], "b": ["a"], "a": [], "d": ["a"]}) == order({"a": [], "d": ["a"], "b": ["a"], "c": ["b"]}) == ["a", "b", "d", "c"]
    )


def test_a_cycle_is_named_from_its_first_name() -> None:
    with pytest.raises(Cycle, match="a → c → b → a"):
        order({"b": ["a"], "c": ["b"], "a": ["c"]})
