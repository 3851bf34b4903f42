"""dbt's data tests: those that are ours as well, and those that are queries."""

from __future__ import annotations

import re
from typing import Any

from c360gen.importers import yaml as written
from c360gen.importers.dbt import settings, sql
from c360gen.importers.dbt.artifacts import Node
from c360gen.importers.dbt.work import Work
from c360gen.spec.models.tests import KINDS

_MACROS = ("macro.dbt.test_{}", "macro.dbt_utils.test_{}")
"""Whose generic tests are ours as well: one of the project's own under the same name is another test."""
_ARGUMENTS = {
    "accepted_values": ("values",), "relationships": ("to", "field"), "expression_is_true": ("expression",),
    "unique_combination_of_columns": ("combination_of_columns",),
}  # fmt: skip
_OF_COLUMNS = KINDS[:4]
_COLUMN = re.compile(r"""["`]?([A-Za-z_][\w ]*)["`]?""")


def column(test: Node) -> str | None:
    """The column that a test is of, where it says one, without the quotes of an engine."""
    said = test.column_name or (test.test_metadata.arguments.get("column_name") if test.test_metadata else None)
    found = _COLUMN.fullmatch(str(said or "").strip())
    return found[1] if found else None


def known(test: Node) -> bool:
    """Whether it is one of ours: of a column, where its kind is of one; an expression in the place of a column is a query."""
    found = test.test_metadata
    if found is None or found.name not in KINDS or not any(m.format(found.name) in test.depends_on.macros for m in _MACROS):
        return False
    return found.name not in _OF_COLUMNS or column(test) is not None


def of_column(work: Work, id_: str, name: str) -> list[Any]:
    return [_test(work, t) for t in work.tests_of(id_) if known(t) and (column(t) or "").lower() == name.lower()]


def of_whole(work: Work, id_: str) -> dict[str, Any]:
    found = [_test(work, t) for t in work.tests_of(id_) if known(t) and column(t) is None]
    return {"data_tests": found} if found else {}


def as_model(work: Work, node: Node, taken: sql.Taken) -> None:
    """A test that is a query: an ephemeral model of its rows, and a test that no row of it passes."""
    name = work.names.of_test(node)
    config = settings.of_test(node, work.teller(node), "fail_calc")
    if node.test_metadata is not None:
        config.pop("where", None)  # it is in the compiled SQL
    text = taken.text
    if name in work.nameless:
        text = f"select 1 as failure from (\n{text.rstrip()}\n) as found\n"
    counted = str(node.config.get("fail_calc") or "count(*)")
    if counted.replace(" ", "") != "count(*)":
        text = f"select counted.failures from (\n  select {counted} as failures from (\n{text.rstrip()}\n  ) as found\n) as counted\n"
        text += "where counted.failures <> 0\n"
    test = {"expression_is_true": {"expression": "1 = 0", "name": name, **({"config": written.inline(config)} if config else {})}}
    work.files[f"tests/{name}.sql"] = text.encode()
    described = {"description": node.description.strip()} if node.description.strip() else {}
    work.add("tests/tests.yml", "models", {
        "name": name, **described, "config": written.inline({"materialized": "ephemeral"}), "sql_file": f"{name}.sql", "data_tests": [test],
    })  # fmt: skip
    why = "a test that is a query became an ephemeral model of its rows, and a test that no row passes"
    work.teller(node)("said otherwise", node.test_metadata.name if node.test_metadata else "", why)


def _test(work: Work, test: Node) -> Any:
    """A word, or a mapping with its arguments."""
    assert test.test_metadata is not None
    kind, given = test.test_metadata.name, test.test_metadata.arguments
    body: dict[str, Any] = {k: given[k] for k in _ARGUMENTS.get(kind, ()) if k in given}
    if "to" in body:
        body["to"] = sql.renamed(str(body["to"]), work.around(test))
    if not re.match(rf"(?:source_|dbt_utils_(?:source_)?)?{kind}_", test.name):
        body["name"] = test.name
    if test.description.strip():
        body["description"] = test.description.strip()
    if config := settings.of_test(test, work.teller(test)):
        body["config"] = written.inline(config)
    return {kind: written.inline(body)} if body else kind
