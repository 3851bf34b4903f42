"""Columns and constraints of dbt as ours: types from the catalog, descriptions and tests from the manifest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from c360gen.importers import yaml as written
from c360gen.importers.dbt import tests
from c360gen.importers.dbt.artifacts import Column, Node, Source
from c360gen.importers.dbt.work import Tell, Work
from c360gen.importers.types import data_type, vague
from c360gen.project.columns import fold
from c360gen.spec import models as spec


def of_source(work: Work, table: Source, tell: Tell) -> list[dict[str, Any]]:
    """Those that the catalog knows, in its order and with its types; without a catalog those that are declared or tested."""
    declared = _declared(work, table)
    out, open_ = [], []
    for there in work.catalog.columns(table.unique_id):
        name, quote = work.column_name(there.name)
        column = declared.pop(name.lower(), Column(name=name)).model_copy(update={"name": name, "quote": quote})
        type_ = data_type(there.type, work.dialect)
        if type_ is None:
            tell("left out", there.name, f"column {there.name} is {there.type}, which is not carried: CAST it in a view where it is needed")
            continue
        out.append(one(work, column, type_, table.unique_id, tell))
        open_ += [name] if vague(there.type, work.dialect) else []
    if open_:
        why = f"the catalog does not say how many digits {', '.join(open_)} have: numeric(38,9) was written; ids are bigint"
        tell("decide", table.name, why)
    known = bool(out)
    for column in declared.values():
        type_ = data_type(column.data_type, work.dialect) if column.data_type else None
        if known:
            tell("left out", column.name, f"column {column.name} is declared, and the table has none of that name")
        elif column.data_type and type_ is None:
            tell("decide", column.name, f"column {column.name} is {column.data_type}, which is not carried")
        else:
            if type_ is None:
                tell(
                    "decide",
                    column.name,
                    f"column {column.name} has no type: add its data_type, or run dbt docs generate and import once more",
                )
            out.append(one(work, column, type_, table.unique_id, tell))
    return out


def of_node(work: Work, node: Node, tell: Tell, *, bound: bool) -> list[dict[str, Any]]:
    """Those that are declared or tested, and those whose type the build asks for; `bound`: whether constraints count."""
    declared = _declared(work, node)
    known = (*work.readers.get(node.unique_id, ()), node.unique_id)  # of an ephemeral model dbt knows the columns of its readers
    there = {c.name.lower(): c for id_ in known for c in work.catalog.columns(id_)}
    for name in work.untyped.get(work.names.nodes[node.unique_id], ()):
        declared.setdefault(name.lower(), Column(name=name))
    out = []
    for key, column in declared.items():
        asked = column.name in work.untyped.get(work.names.nodes[node.unique_id], ())
        word = column.data_type or (there[key].type if asked and key in there else "")
        type_ = data_type(word, work.dialect) if word else None
        if word and type_ is None:
            tell("decide", column.name, f"column {column.name} is {word}, which is not carried: CAST it in the SQL")
        elif word and not column.data_type and vague(word, work.dialect):
            tell("decide", column.name, f"the catalog does not say how many digits {column.name} has: numeric(38,9) was written")
        made = one(work, column, type_, node.unique_id, tell, bound=bound)
        out += [made] if len(made) > 1 else []
    return out


def one(work: Work, column: Column, type_: str | None, owner: str, tell: Tell, *, bound: bool = True) -> dict[str, Any]:
    name = column.name if column.quote else fold(column.name, False)
    out: dict[str, Any] = {"name": name}
    if type_:
        out["data_type"] = type_
    if column.description.strip():
        out["description"] = column.description.strip()
    if column.quote and name != fold(name, False):
        out["quote"] = True
    if bound and (found := constraints(work, column.constraints, tell)):
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
        to = work.by_relation.get(str(each.get("to")))
        if kind == "foreign_key" and to is None:
            tell("left out", kind, f"constraints: {kind}: say to: and to_columns: instead of {each.get('expression') or each.get('to')}")
            continue
        keys: Collection[str] = ("name", "expression") if kind == "check" else ("name", "columns", "to_columns")
        out: dict[str, Any] = {"type": kind, **{key: each[key] for key in keys if each.get(key)}, **({"to": to} if to else {})}
        found.append(written.inline(out))
    return found


def _declared(work: Work, item: Node | Source) -> dict[str, Column]:
    """By their names in lower case: what is declared, and what is tested without being so."""
    declared = {c.name.lower(): c for c in item.columns.values()}
    for test in work.tests_of(item.unique_id):
        if tests.known(test) and (name := tests.column(test)):
            declared.setdefault(name.lower(), Column(name=name))
    return declared
