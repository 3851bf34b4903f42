"""0.1 + 0.2 is not 0.3 in binary, and sums depend on the order of rows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from c360gen.diagnostics import Span
from c360gen.lint.project import Finding, Linted
from c360gen.project.nodes import Column
from c360gen.terms import types

CODE, TITLE, LEVEL = "L302", "money as floating point", "warning"


_MONEY = re.compile(
    r"(^|_)(amounts?|price|prices|cost|costs|total|subtotal|balance|revenue|fees?|tax|vat|salary|wage|income|payment|paid|discount|refund|"
    r"credit|debit|value|margin|profit|money|eur|usd|gbp|chf|cents)(_|$)", re.I,
)  # fmt: skip


def check(project: Linted) -> Iterator[Finding]:
    for name, (located, loc) in project.source_items.items():
        for index, column in enumerate(project.resolved.sources[name].columns):
            if _is_float_money(column):
                yield _finding(name, column, located.span(*loc, "columns", index, "data_type"))
    for node in project.resolved.nodes.values():
        located = project.located[node.name]
        declared = {c.name.lower(): i for i, c in enumerate(located.spec.columns) if c.data_type is not None}
        for column in node.columns:
            if column.name.lower() in declared and _is_float_money(column):
                yield _finding(node.name, column, located.span("columns", declared[column.name.lower()], "data_type"))


def _is_float_money(column: Column) -> bool:
    return column.type is not None and column.type.this is types.T.DOUBLE and bool(_MONEY.search(column.name))


def _finding(owner: str, column: Column, at: Span) -> Finding:
    message = f"{owner}.{column.name} is floating point: cents are rounded, and a sum depends on the order of its rows"
    return Finding(message, at, "declare numeric(p,s), such as numeric(18,2)")
