"""How old the newest row of a source may be: what a table says, else what its source says, and the query that finds the row."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from c360gen.diagnostics import Diagnostics, Span
from c360gen.project import syntax
from c360gen.project.nodes import Freshness, Source
from c360gen.project.query import Catalog, analyse
from c360gen.project.query import place as placed
from c360gen.project.render import RENDERED, SEPARATOR
from c360gen.spec import models as spec
from c360gen.spec.load import Located, Specs
from c360gen.terms import types

_Place = tuple[str | int, ...]
_Given = list[tuple[spec.Source | spec.SourceTable, _Place]]


def freshness(located: Located[spec.Source], index: int, source: Source, specs: Specs, diagnostics: Diagnostics) -> Freshness | None:
    """None where nothing is said, or where null switches it off. A mistake is reported where it stands."""
    levels: _Given = [(located.spec.tables[index], ("tables", index)), (located.spec, ())]
    field, at = _first(levels, "loaded_at_field")
    found, place = _first(levels, "freshness")
    if found is None and place is not None:
        return None
    warn_after, _ = _within(levels, "warn_after")
    error_after, _ = _within(levels, "error_after")
    filter_, filter_at = _within(levels, "filter")
    if warn_after is None and error_after is None:
        if place is not None:
            help = "add error_after: {count: 1, period: day}, or say freshness: null"
            diagnostics.error("C105", f"freshness of {source.name} has neither warn_after nor error_after", located.span(*place), help)
        return None
    if field is None or at is None:
        help = "add loaded_at_field: the column that says when a row was loaded; or freshness: null"
        diagnostics.error("C105", f"freshness of {source.name} needs loaded_at_field", located.span(*(place or ()), "name"), help)
        return None
    if warn_after and error_after and warn_after.seconds >= error_after.seconds:
        message = f"freshness of {source.name}: warn_after is not shorter than error_after, and would never be seen"
        diagnostics.error("C401", message, located.span(*(place or ())), "warn earlier, or omit warn_after")
        return None
    query = _query(located, source, (field, at), (filter_, filter_at), specs, diagnostics)
    if query is None:
        return None
    return Freshness(warn_after and warn_after.seconds, error_after and error_after.seconds, query)


def given_twice(located: Located[spec.Source], diagnostics: Diagnostics) -> None:
    """dbt's older and newer place for a key, both used at once."""
    levels: _Given = [(located.spec, ()), *((t, ("tables", i)) for i, t in enumerate(located.spec.tables))]
    for item, loc in levels:
        for key in ("loaded_at_field", "freshness"):
            if key in item.model_fields_set and key in item.config.model_fields_set:
                message = f"{key} of {item.name} is given twice: under config, and beside it"
                diagnostics.error("C401", message, located.key_span(*loc, key), "keep one of them")


def _first(levels: _Given, key: str) -> tuple[Any, _Place | None]:
    """The value that counts, the table's before the source's, and where it stands."""
    for item, loc in levels:
        for owner, place in ((item.config, (*loc, "config", key)), (item, (*loc, key))):
            if key in owner.model_fields_set:
                return getattr(owner, key), place
    return None, None


def _within(levels: _Given, key: str) -> tuple[Any, _Place | None]:
    """A part of freshness:, which a table takes from its source where it does not say it."""
    for item, loc in levels:
        for owner, place in ((item.config, (*loc, "config", "freshness", key)), (item, (*loc, "freshness", key))):
            if owner.freshness is not None and key in owner.freshness.model_fields_set:
                return getattr(owner.freshness, key), place
    return None, None


def _query(
    located: Located[spec.Source], source: Source, field: tuple[str, _Place], filter_: tuple[str | None, _Place | None], specs: Specs,
    diagnostics: Diagnostics,
) -> exp.Query | None:  # fmt: skip
    """SELECT loaded_at AS loaded_at FROM the source WHERE filter: analysed as a model's SQL is, so that it means the same everywhere."""
    project = specs.project.spec
    quote = "`" if project.sql_dialect == "bigquery" else '"'
    head = "select "
    relation = f" as loaded_at from {quote}{RENDERED}source{quote}.{quote}{source.name.replace('.', SEPARATOR)}{quote}"
    condition = f" where ({filter_[0]}\n)" if filter_[0] else ""
    begin = len(head) + len(field[0]) + len(relation) + len(" where (")

    def locate(start: int, end: int) -> Span:
        if start >= begin and filter_[1] is not None and located.tree is not None:
            return located.tree.sql((*located.loc, *filter_[1])).span(start - begin, end - begin)
        return located.span(*field[1])

    before = len(diagnostics.found)
    catalog = Catalog({source.id: source.columns})
    sql = head + field[0] + relation + condition
    others = specs.other_dialects
    found = analyse(sql, project.sql_dialect, catalog, locate, diagnostics, translate=others, functions=project.functions)
    if found is None or len(diagnostics.found) > before:
        return None
    if any(found.tree.args.get(part) for part in ("group", "having", "order", "limit", "joins", "with_")):
        message = f"the filter of {source.name} is not one condition"
        diagnostics.error("C301", message, located.span(*(filter_[1] or field[1])), "write what could stand behind WHERE")
        return None
    if not syntax.sound(found.tree, lambda node: placed(node, locate), diagnostics):
        return None
    for node in syntax.aggregates(found.tree):
        message = f"{node.sql_name().lower()}() cannot stand in loaded_at_field: the newest row is looked for"
        diagnostics.error("C301", message, placed(node, locate), "say when one row was loaded")
        return None
    (column,) = found.columns[:1]
    if len(found.columns) != 1 or column.type is None or column.type.this not in types.TIMES:
        what = f"is {types.text(column.type)}, not a time" if column.type is not None else "has no known type"
        help = "name a date, timestamp or timestamptz, or CAST it to one"
        diagnostics.error("C401", f"loaded_at_field: {field[0]} {what}", located.span(*field[1]), help)
        return None
    found.tree.selects[0].type = column.type
    return found.tree
