"""Sources, seeds, snapshots, models and exposures of dbt as sections of specs."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from c360gen.importers import yaml as written
from c360gen.importers.dbt import settings, sql, tests
from c360gen.importers.dbt.artifacts import Column, Exposure, Node, Source
from c360gen.importers.dbt.columns import columns, constraints, one
from c360gen.importers.dbt.work import Work
from c360gen.importers.types import data_type
from c360gen.spec import models as spec


def sources(work: Work) -> None:
    by_name: dict[str, list[Source]] = {}
    for table in sorted(work.manifest.sources.values(), key=lambda s: (s.original_file_path, s.source_name, s.name)):
        by_name.setdefault(table.source_name, []).append(table)
    ours = {n.database for n in work.manifest.nodes.values() if n.resource_type != "test"}
    for name, tables in by_name.items():
        first = tables[0]
        item: dict[str, Any] = {"name": name} | _described(first.source_description)
        if first.database and first.database not in ours:
            item["database"] = work.name(first.database, bool(first.quoting.get("database")))
        if (schema := work.name(first.schema_, bool(first.quoting.get("schema")))) != name:
            item["schema"] = schema
        if first.loader:
            work.note("left out", first.original_file_path, name, f"loader: {spec.NOT_CARRIED['sources']['loader']}", "loader")
        item["tables"] = [_table(work, table) for table in tables]
        work.add(posixpath.join(work.folder(first), "sources.yml"), "sources", item)


def _table(work: Work, table: Source) -> dict[str, Any]:
    def tell(verdict: Any, word: str, why: str) -> None:
        work.note(verdict, table.original_file_path, table.name, why, word)

    out: dict[str, Any] = {"name": table.name}
    if (identifier := work.name(table.identifier or table.name, bool(table.quoting.get("identifier")))) != table.name:
        out["identifier"] = identifier
    out |= _described(table.description)
    said = table.freshness or {}
    ages = {k: v for k in ("warn_after", "error_after") if (v := said.get(k)) and v.get("count")}
    if ages and table.loaded_at_field:
        out["loaded_at_field"] = table.loaded_at_field
        shown = {k: written.inline({"count": v["count"], "period": v["period"]}) for k, v in ages.items()}
        out["freshness"] = {**shown, **({"filter": said["filter"]} if said.get("filter") else {})}
    elif ages:
        tell("decide", "freshness", "freshness: says no loaded_at_field: name the column that tells when a row was loaded")
    if table.external:
        tell("left out", "external", f"external: {spec.NOT_CARRIED['tables']['external']}")
    if found := columns(work, table, work.catalog.columns(table.unique_id), tell, need_types=True):
        out["columns"] = found
    elif work.catalog.sources or work.catalog.nodes:
        tell("decide", "name", "dbt has not found the table, and no column of it is declared: list those that are read")
    return out | tests.of_whole(work, table.unique_id) | _labels(table)


def seed(work: Work, node: Node) -> None:
    tell = work.teller(node)
    path = Path(node.root_path or work.root) / node.original_file_path
    try:
        rows = (path if path.is_file() else work.root / node.original_file_path).read_bytes()
    except OSError:
        work.note("decide", node.original_file_path, node.name, f"its file was not found: write seeds/{node.name}.csv")
        rows = b""
    delimiter = str(node.config.get("delimiter") or ",")
    header = rows.decode("utf-8-sig", "replace").splitlines()[:1]
    names = [n.strip().strip('"') for n in header[0].split(delimiter)] if header else []
    if re.search(rb"(?im)(^|[,;\t|])null([,;\t|\r]|$)", rows):
        tell("decide", "null", "dbt reads the word null as NULL: leave the field empty, or it stays the text")
    types = {str(k).lower(): str(v) for k, v in dict(node.config.get("column_types") or {}).items()}
    catalog = {c.name.lower(): c.type for c in work.catalog.columns(node.unique_id)}
    found = []
    for name in names:
        column = node.columns.get(name) or Column(name=name)
        word = types.get(name.lower()) or catalog.get(name.lower()) or column.data_type or ""
        type_ = data_type(word, work.dialect)
        if type_ is None:
            said = f"{word} is not carried" if word else "its type is not known"
            tell("decide", name, f"column {name}: {said}: text was written")
        found.append(one(work, column, type_ or "text", node.unique_id, tell))
    item = {"name": node.name, **_described(node.description), **_placed(work, node, settings.of_seed(node, tell)), "columns": found}
    work.files[f"seeds/{node.name}.csv"] = rows
    work.add("seeds/seeds.yml", "seeds", item | tests.of_whole(work, node.unique_id))


def snapshot(work: Work, node: Node) -> None:
    tell = work.teller(node)
    taken = select(work, node)
    path = work.file(node)
    item: dict[str, Any] = {"name": node.name, **_described(node.description)}
    if relation := sql.relation_of(taken.text):
        item["relation"] = relation
    else:
        item["sql_file"] = _beside(work, path, node, taken)
    item |= _placed(work, node, settings.of_snapshot(node, tell))
    if found := columns(work, node, (), tell, need_types=False):
        item["columns"] = found
    work.add(path, "snapshots", item | tests.of_whole(work, node.unique_id))


def model(work: Work, node: Node) -> None:
    tell = work.teller(node)
    if node.language != "sql":
        work.note("left out", node.original_file_path, node.name, spec.NOT_CARRIED["model_config"]["packages"])
        return
    if node.deprecation_date:
        tell("left out", "deprecation_date", f"deprecation_date: {spec.NOT_CARRIED['models']['deprecation_date']}")
    if node.version is not None:
        tell("decide", "versions", f"version {node.version}: {spec.NOT_CARRIED['models']['versions']}")
    taken = select(work, node)
    config = settings.of_model(node, work.dialect, tell)
    if config["materialized"] == "incremental" and taken.expanded and "{{ this }}" in taken.text:
        why = "its compiled SQL is that of an incremental run: compile with --full-refresh, import once more, and say cursor: instead"
        tell("decide", "is_incremental", why)
    stored = config["materialized"] in ("table", "incremental")
    if config["materialized"] == "view":  # which it is anyway
        del config["materialized"]
    path = work.file(node)
    item = {"name": node.name, **_described(node.description), **_placed(work, node, config)}
    item["sql_file"] = _beside(work, path, node, taken)
    if found := columns(work, node, work.catalog.columns(node.unique_id) if stored else (), tell, need_types=False):
        item["columns"] = found
    if bound := constraints(work, node.constraints, tell):
        item["constraints"] = bound
    work.add(path, "models", item | tests.of_whole(work, node.unique_id))


def exposure(work: Work, each: Exposure) -> None:
    item: dict[str, Any] = {"name": each.name}
    for key in ("label", "type", "maturity", "url"):
        if value := getattr(each, key):
            item[key] = value
    item |= _described(each.description)
    item["owner"] = written.inline({k: each.owner[k] for k in ("name", "email") if each.owner.get(k)})
    item["depends_on"] = [said for id_ in each.depends_on.nodes if (said := work.called(id_))]
    if lost := [id_ for id_ in each.depends_on.nodes if work.called(id_) is None]:
        work.note("left out", each.original_file_path, each.name, f"it reads {', '.join(lost)}, which is not carried")
    work.add("exposures.yml", "exposures", item | _labels(each))


def test(work: Work, node: Node) -> None:
    """Generic tests of ours stand at what they test; every other one is a query."""
    if not tests.known(node):
        taken = select(work, node)
        if not taken.problem:
            tests.as_model(work, node, taken)


def select(work: Work, node: Node) -> sql.Taken:
    """The SQL of a node, with a note where it is not what was written."""
    taken = sql.take(node, work.relations(node))
    for name, optional in taken.variables:
        work.variables[name] = work.variables.get(name, True) and optional
    if taken.problem:
        work.note("decide", node.original_file_path, node.name, taken.problem)
    elif taken.expanded and node.test_metadata is None:
        why = f"what dbt has compiled was taken for {', '.join(taken.expanded)}"
        work.note("said otherwise", node.original_file_path, node.name, why, taken.expanded[0])
    return taken


def _beside(work: Work, path: str, node: Node, taken: sql.Taken) -> str:
    """Writes the SQL beside the YAML, and gives the name of its file."""
    work.files[posixpath.join(posixpath.dirname(path), f"{node.name}.sql")] = taken.text.encode()
    return f"{node.name}.sql"


def _placed(work: Work, node: Node, config: dict[str, Any]) -> dict[str, Any]:
    """With schema, alias and labels, as dbt has worked them out."""
    out: dict[str, Any] = {"materialized": config.pop("materialized")} if "materialized" in config else {}
    if out.get("materialized") != "ephemeral":
        schema = work.name(node.schema_)
        if schema != ("snapshots" if node.resource_type == "snapshot" else work.usual_schema):
            out["schema"] = schema
        if node.alias and node.alias != node.name:
            out["alias"] = work.name(node.alias)
    found = out | config | _labels(node)
    return {"config": written.inline(found)} if found else {}


def _described(text: str) -> dict[str, str]:
    return {"description": text.strip()} if text.strip() else {}


def _labels(item: Node | Source | Exposure) -> dict[str, Any]:
    labels = {"tags": sorted(set(item.tags)), "meta": dict(item.config.get("meta") or item.meta)}
    return {k: v for k, v in labels.items() if v}
