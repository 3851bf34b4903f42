"""`c360gen ls` over the shipped specs: orders, shapes, and what is said when nothing is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from c360gen.cli.main import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def ls(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["ls", *arguments])


def test_names_in_dependency_order() -> None:
    names = ls().stdout.splitlines()
    assert names[0] == "raw_data.customers" and names[-1] == "customer_360_dashboard"
    assert names.index("stg_orders") < names.index("int_customer_orders") < names.index("mart_customer_360")


@pytest.mark.parametrize(
    "selection,exclude,expected",
    [
        ("+int_customer_orders", None, ["raw_data.orders", "stg_orders", "int_customer_orders"]),
        ("1+int_customer_orders", None, ["stg_orders", "int_customer_orders"]),
        ("source:raw_data.orders+1", "resource_type:source", ["order_snapshot", "stg_orders"]),
        ("stg_* int_*,resource_type:model", "*payments *interactions", ["stg_customers", "stg_orders", "int_customer_orders"]),
        ("path:specs/marts", None, ["mart_customer_360"]),
        ("+exposure:customer_360_dashboard,resource_type:snapshot", None, ["customer_snapshot"]),
    ],
)
def test_selections(selection: str, exclude: str | None, expected: list[str]) -> None:
    result = ls("--select", selection, *(["--exclude", exclude] if exclude else []))
    assert (result.exit_code, result.stdout.splitlines()) == (0, expected)


def test_repeated_options_are_united() -> None:
    result = ls("-s", "stg_orders", "--select", "stg_customers mart_customer_360", "--exclude", "mart_*", "--exclude", "nix stg_customers")
    assert result.exit_code == 1 and "'nix' matches nothing" in result.stderr
    result = ls("-s", "stg_orders", "--select", "stg_customers mart_customer_360", "--exclude", "mart_*", "--exclude", "stg_customers")
    assert (result.exit_code, result.stdout.splitlines()) == (0, ["stg_orders"])


def test_words_without_quotes_around_them() -> None:
    result = ls("--select", "stg_orders", "stg_customers")
    assert result.exit_code == 2 and "(stg_customers): a selection of several words needs quotes around all of them" in _line(result.stderr)
    assert "quotes" not in ls("stg_orders").stderr


def _line(text: str) -> str:
    return " ".join(text.split())


def test_json_is_one_object_per_line() -> None:
    entries = [json.loads(line) for line in ls("-s", "customer_snapshot source:raw_data.customers", "--output", "json").stdout.splitlines()]
    assert [e["resource_type"] for e in entries] == ["source", "snapshot"]
    assert entries[1] == {
        "name": "customer_snapshot", "resource_type": "snapshot", "path": "specs/snapshots.yml", "tags": [],
        "depends_on": ["source:raw_data.customers"], "kind": "snapshot", "strategy": "timestamp", "schema": "snapshots",
        "identifier": "customer_snapshot",
    }  # fmt: skip


def test_paths_are_told_once() -> None:
    assert ls("-s", "resource_type:snapshot", "--output", "path").stdout == "specs/snapshots.yml\n"


@pytest.mark.parametrize(
    "arguments,said",
    [
        (["-s", "customer_snapshto"], "did you mean 'customer_snapshot'?"),
        (["-s", ""], "the selection is empty"),
        (["-s", "stg_orders", "--exclude", "stg_*"], "'stg_*' excludes everything"),
        (["--exclude", "nix"], "'nix' matches nothing"),
    ],
)
def test_nothing_matched_exits_1_and_says_so(arguments: list[str], said: str) -> None:
    result = ls(*arguments)
    assert (result.exit_code, result.stdout) == (1, "") and "error[C206]" in result.stderr and said in result.stderr
