"""dbt's data tests: those that are ours as well, and those that are queries."""

from __future__ import annotations

from typing import Any

from c360gen.importers import yaml as written
from c360gen.importers.dbt import settings, sql
from c360gen.importers.dbt.artifacts import Node
from c360gen.importers.dbt.work import Work
from c360gen.spec.models.tests import KINDS

_PACKAGES = (None, "", "dbt_utils")
"""Whose generic tests are ours as well."""
_ARGUMENTS = {
    "accepted_values": ("values",), "relationships": ("to", "field"), "expression_is_true": ("expression",),
    "unique_combination_of_columns": ("combination_of_columns",),
}  # fmt: skip
_LONGEST = 50
"""Of the name of a test that becomes a model: names are 63 bytes at most, and something may be put before it."""


def bare(name: str) -> str:
    """The name of a column without the quotes of an engine."""
    return name.strip('"`')


def known(test: Node) -> bool:
    found = test.test_metadata
    return found is not None and found.namespace in _PACKAGES and found.name in KINDS


def of_column(work: Work, id_: str, name: str) -> list[Any]:
    return [_test(work, t) for t in work.tests_of(id_) if t.column_name and bare(t.column_name).lower() == name.lower() and known(t)]


def of_whole(work: Work, id_: str) -> dict[str, Any]:
    found = [_test(work, t) for t in work.tests_of(id_) if not t.column_name and known(t)]
    return {"data_tests": found} if found else {}


def as_model(work: Work, node: Node, taken: sql.Taken) -> None:
    """A test that is a query: an ephemeral model of its rows, and a test that no row of it passes."""
    name = node.name if len(node.name) <= _LONGEST else f"{node.name[: _LONGEST - 11].rstrip('_')}_{node.unique_id[-10:]}"
    config = settings.of_test(node, work.teller(node))
    if node.test_metadata is not None:
        config.pop("where", None)  # it is in the compiled SQL
    test = {"expression_is_true": {"expression": "1 = 0", "name": name, **({"config": written.inline(config)} if config else {})}}
    work.files[f"tests/{name}.sql"] = taken.text.encode()
    work.add("tests/tests.yml", "models", {
        "name": name, "config": written.inline({"materialized": "ephemeral"}), "sql_file": f"{name}.sql", "data_tests": [test],
    })  # fmt: skip
    why = "a test that is a query became an ephemeral model of its rows, and a test that no row passes"
    work.note("said otherwise", node.original_file_path, name, why, *([node.test_metadata.name] if node.test_metadata else []))


def _test(work: Work, test: Node) -> Any:
    """A word, or a mapping with its arguments."""
    assert test.test_metadata is not None
    kind, given = test.test_metadata.name, test.test_metadata.arguments
    body: dict[str, Any] = {k: given[k] for k in _ARGUMENTS.get(kind, ()) if k in given}
    if config := settings.of_test(test, work.teller(test)):
        body["config"] = written.inline(config)
    return {kind: written.inline(body)} if body else kind
