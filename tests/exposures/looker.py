"""As much of Looker as it takes to execute a view: fields, what their `sql` means, and what a filter of time becomes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import lkml

WORDS = {
    "model": {"connection", "label", "includes", "explores"},
    "explore": {"name", "description", "joins"},
    "join": {"name", "from", "type", "relationship", "sql_on"},
    "view": {"name", "sql_table_name", "derived_table", "filters", "dimensions", "dimension_groups", "measures"},
    "derived_table": {"sql"},
    "filter": {"name", "type", "label", "description"},
    "dimension": {"name", "type", "label", "description", "primary_key", "hidden", "value_format_name", "sql"},
    "dimension_group": {"name", "type", "label", "description", "timeframes", "datatype", "convert_tz", "sql"},
    "measure": {"name", "type", "drill_fields"},
}
"""What Looker's reference has of each, as far as we say it; lkml itself would take any word."""
VALUES = {
    "filter.type": {"date_time"}, "dimension.type": {"string", "number", "yesno"}, "dimension_group.type": {"time"},
    "measure.type": {"count"},
    "dimension_group.datatype": {"date", "datetime", "timestamp"}, "dimension_group.convert_tz": {"no"}, "dimension.primary_key": {"yes"},
    "dimension.hidden": {"yes"}, "dimension.value_format_name": {"id"}, "join.type": {"left_outer"},
    "join.relationship": {"many_to_one", "many_to_many"},
}  # fmt: skip
TIMEFRAMES = {"raw", "time", "date", "week", "month", "quarter", "year"}


@dataclass
class View:
    name: str
    table: str | None
    query: str | None
    fields: dict[str, str]
    """Every name that a query of Looker may say → its SQL."""
    types: dict[str, str]
    key: str | None
    said: dict[str, Any] = field(repr=False)

    def rows_of(self, at: str | None = None) -> str:
        """What stands in FROM; `at` is the SQL of the beginning of the filter as_of."""
        if self.query is None:
            assert self.table is not None
            return self.table
        return f"({self.query.replace('{% date_start as_of %}', at or 'NULL')})"

    def select(self, at: str | None = None) -> str:
        """Every field once."""
        listed = ", ".join(sql.replace("${TABLE}", "t") + f" AS f{n}" for n, sql in enumerate(self.fields.values()))
        return f"SELECT {listed} FROM {self.rows_of(at)} AS t"


def read(text: str) -> dict[str, Any]:
    """A file as lkml reads it. Raise AssertionError where a word or a value is none of Looker's."""
    found: dict[str, Any] = lkml.load(text)
    assert lkml.load(lkml.dump(copy.deepcopy(found))) == found  # dump takes names out of what it is given
    for kind, block in blocks(found):
        assert {*block} <= WORDS[kind], (kind, block)
        for word, value in block.items():
            assert f"{kind}.{word}" not in VALUES or value in VALUES[f"{kind}.{word}"], (kind, word, value)
            assert not (word in ("label", "description") and ("{{" in value or "{%" in value)), "Looker would render a template"
    return found


def blocks(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "connection" in found:
        yield "model", found
    for view in found.get("views", ()):
        yield "view", view
        yield from (("derived_table", view["derived_table"]),) if "derived_table" in view else ()
        for kind in ("filter", "dimension", "dimension_group", "measure"):
            yield from ((kind, block) for block in view.get(f"{kind}s", ()))
    for explore in found.get("explores", ()):
        yield "explore", explore
        yield from (("join", join) for join in explore.get("joins", ()))


def view(text: str) -> View:
    (said,) = read(text)["views"]
    fields, types = {}, {}
    for one in said.get("dimensions", ()):
        assert one["name"] not in fields, f"{one['name']} is there twice"
        fields[one["name"]], types[one["name"]] = one["sql"], one["type"]
    for group in said.get("dimension_groups", ()):
        assert {*group["timeframes"]} <= TIMEFRAMES
        for name in (f"{group['name']}_{frame}" for frame in group["timeframes"]):
            assert name not in fields, f"{name} is there twice"
            fields[name], types[name] = group["sql"], group["datatype"]
    for one in (*said.get("measures", ()), *said.get("filters", ())):
        assert one["name"] not in fields, f"{one['name']} is there twice"
    keys = [d["name"] for d in said.get("dimensions", ()) if d.get("primary_key")]
    assert len(keys) <= 1
    query = said["derived_table"]["sql"] if "derived_table" in said else None
    return View(said["name"], said.get("sql_table_name"), query, fields, types, next(iter(keys), None), said)
