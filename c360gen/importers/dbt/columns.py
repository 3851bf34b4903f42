"""Columns and constraints of dbt as ours: types from the catalog, descriptions and tests from the manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from c360gen.importers import yaml as written
from c360gen.importers.dbt import tests
from c360gen.importers.dbt.artifacts import CatalogColumn, Column, Node, Source
from c360gen.importers.dbt.work import Tell, Work
from c360gen.importers.types import data_type, vague
from c360gen.project.columns import fold
from c360gen.spec import models as spec


def columns(work: Work, item: Node | Source, catalog: Iterable[CatalogColumn], tell: Tell, *, need_types: bool) -> list[dict[str, Any]]:
    """Those that the catalog knows, in its order, then the others that are declared or tested."""
    declared = {c.name.lower(): c for c in item.columns.values()}
    for test in work.tests_of(item.unique_id):
        if test.column_name and tests.known(test):
            name = tests.bare(test.column_name)
            declared.setdefault(name.lower(), Column(name=name))
    out = []
    open_: list[str] = []
    for there in catalog:
        name, quote = work.column_name(there.name)
        column = declared.pop(name.lower(), Column(name=name)).model_copy(update={"name": name, "quote": quote})
        type_ = data_type(column.data_type or there.type, work.dialect)
        if type_ is None:
            tell("left out", there.name, f"column {there.name} is {there.type}, which is not carried: CAST it in a view where it is needed")
        else:
            out.append(one(work, column, type_, item.unique_id, tell))
            open_ += [name] if not column.data_type and vague(there.type, work.dialect) else []
    if open_:
        why = f"the catalog does not say how many digits {', '.join(open_)} have: numeric(38,9) was written; ids are bigint"
        tell("decide", item.name, why)
    for column in declared.values():
        type_ = data_type(column.data_type, work.dialect) if column.data_type else None
        if column.data_type and type_ is None:
            tell("decide", column.name, f"column {column.name} is {column.data_type}, which is not carried")
        elif type_ is None and need_types:
            why = f"column {column.name} has no type: add its data_type, or run dbt docs generate and import once more"
            tell("decide", column.name, why)
        out.append(one(work, column, type_, item.unique_id, tell))
    return out


def one(work: Work, column: Column, type_: str | None, owner: str, tell: Tell) -> dict[str, Any]:
    name = column.name if column.quote else fold(column.name, False)
    out: dict[str, Any] = {"name": name}
    if type_:
        out["data_type"] = type_
    if column.description.strip():
        out["description"] = column.description.strip()
    if column.quote and name != fold(name, False):
        out["quote"] = True
    if found := constraints(work, column.constraints, tell):
        out["constraints"] = found
    if tested := tests.of_column(work, owner, name):
        out["data_tests"] = tested
    if column.tags:
        out["tags"] = list(column.tags)
    if column.meta:
        out["meta"] = dict(column.meta)
    return written.inline(out)


def constraints(work: Work, given: Iterable[Mapping[str, Any]], tell: Tell) -> list[dict[str, Any]]:
    found = []
    for each in given:
        kind = str(each.get("type"))
        if reason := spec.VALUES_NOT_CARRIED.get(("type", kind)):
            tell("left out", kind, f"constraints: {kind}: {reason}")
            continue
        out: dict[str, Any] = {"type": kind}
        for key in ("name", "columns", "expression", "to_columns"):
            if each.get(key):
                out[key] = each[key]
        if to := str(each.get("to") or ""):
            everything: list[Node | Source] = [*work.manifest.nodes.values(), *work.manifest.sources.values()]
            out["to"] = next((work.called(r.unique_id) for r in everything if r.relation_name == to), None) or to
        found.append(written.inline(out))
    return found
