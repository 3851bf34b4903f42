"""Sources, snapshots, models and exposures of dbt as sections of specs."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from c360gen.importers import yaml as written
from c360gen.importers.dbt import settings, sql, tests
from c360gen.importers.dbt.artifacts import Exposure, Node, Source
from c360gen.importers.dbt.columns import constraints, of_node, of_source
from c360gen.importers.dbt.names import plain
from c360gen.importers.dbt.work import Work
from c360gen.spec import models as spec


def sources(work: Work) -> None:
    by_name: dict[str, list[Source]] = {}
    for table in sorted(work.manifest.sources.values(), key=lambda s: (s.original_file_path, s.source_name, s.name, s.package_name)):
        known = by_name.setdefault(work.names.sources[table.unique_id], [])
        if table.name not in {t.name for t in known}:
            known.append(table)
    for name, tables in by_name.items():
        first = tables[0]
        item: dict[str, Any] = {"name": name} | described(first.source_description)
        if first.database and first.database != work.usual_database:
            item["database"] = work.name(first.database, bool(first.quoting.get("database")))
        if (schema := work.name(first.schema_, bool(first.quoting.get("schema")))) != name:
            item["schema"] = schema
        if name != first.source_name:
            why = f"two sources are called {first.source_name}: that of {first.schema_} is {name} here"
            work.note("said otherwise", first.original_file_path, first.source_name, why)
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
    out |= described(table.description)
    said = table.freshness or {}
    asked = table.config.get("loaded_at_query")
    for key, reason in spec.NOT_CARRIED["source_config"].items():
        if table.config.get(key):
            tell("decide" if key == "loaded_at_query" else "left out", key, f"{key}: {reason}")
    ages = {k: v for k in ("warn_after", "error_after") if (v := said.get(k)) and v.get("count")}
    if ages and table.loaded_at_field and not asked:
        out["loaded_at_field"] = table.loaded_at_field
        shown = {k: written.inline({"count": v["count"], "period": v["period"]}) for k, v in ages.items()}
        out["freshness"] = {**shown, **({"filter": said["filter"]} if said.get("filter") else {})}
    elif ages and not asked:
        tell("decide", "freshness", "freshness: says no loaded_at_field: name the column that tells when a row was loaded")
    if table.external:
        tell("left out", "external", f"external: {spec.NOT_CARRIED['tables']['external']}")
    if found := of_source(work, table, tell):
        out["columns"] = found
    elif work.catalog.sources or work.catalog.nodes:
        tell("decide", "name", "dbt has not found the table, and no column of it is declared: list those that are read")
    return out | tests.of_whole(work, table.unique_id) | _labels(table)


def snapshot(work: Work, node: Node) -> None:
    tell = work.teller(node)
    taken = select(work, node)
    path = work.file(node)
    item: dict[str, Any] = {"name": work.names.nodes[node.unique_id], **described(node.description)}
    if relation := sql.relation_of(taken.text):
        item["relation"] = relation
    else:
        item["sql_file"] = _beside(work, path, node, taken)
    item |= placed(work, node, settings.of_snapshot(node, tell))
    if found := of_node(work, node, tell, bound=False):
        item["columns"] = found
    whole = tests.of_whole(work, node.unique_id)
    if whole or any("data_tests" in column for column in found):
        tell("differs", "", "tests of a snapshot look at its open versions; dbt's look at closed ones as well")
    work.add(path, "snapshots", item | whole)


def model(work: Work, node: Node) -> None:
    tell = work.teller(node)
    if node.language != "sql":
        work.note("left out", node.original_file_path, node.name, spec.NOT_CARRIED["model_config"]["packages"])
        return
    name = work.names.nodes[node.unique_id]
    if node.deprecation_date:
        tell("left out", "deprecation_date", f"deprecation_date: {spec.NOT_CARRIED['models']['deprecation_date']}")
    if node.version is not None:
        tell("said otherwise", "versions", f"version {node.version} is called {name}: {spec.NOT_CARRIED['models']['versions']}")
    elif name != node.name:
        tell("said otherwise", "", f"it is called {name} here: a name of its own, in lower case")
    taken = select(work, node)
    config = settings.of_model(node, work.dialect, tell)
    stored = config["materialized"] in ("table", "incremental")
    bound = stored and bool(dict(node.config.get("contract") or {}).get("enforced"))
    if not bound and (node.constraints or any(c.constraints for c in node.columns.values())):
        tell("left out", "constraints", "constraints: dbt makes none without contract: {enforced: true}; here every run would check them")
    if config["materialized"] == "view":  # which it is anyway
        del config["materialized"]
    path = work.file(node)
    item = {"name": name, **described(node.description), **placed(work, node, config)}
    item["sql_file"] = _beside(work, path, node, taken)
    if found := of_node(work, node, tell, bound=bound):
        item["columns"] = found
    if bound and (held := constraints(work, node.constraints, tell)):
        item["constraints"] = held
    work.add(path, "models", item | tests.of_whole(work, node.unique_id))


def exposure(work: Work, each: Exposure) -> None:
    item: dict[str, Any] = {"name": each.name}
    for key in ("label", "type", "maturity", "url"):
        if value := getattr(each, key):
            item[key] = value
    item |= described(each.description)
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
    first = work.full_refresh.nodes.get(node.unique_id) if work.full_refresh else None
    around = work.around(node)
    taken = sql.take(node, around, first)
    clash = [n for n in taken.variables if n in around.variables and work.variables.get(n, around.variables[n]) != around.variables[n]]
    if clash:  # a var is one value here: what dbt has made of another one stays
        taken = sql.compiled(node, around, tuple(f"var {n}" for n in clash), first)
    work.variables |= {n: around.variables[n] for n in taken.variables if n in around.variables}
    tell = work.teller(node)
    if taken.problem:
        tell("decide", taken.expanded[0] if taken.expanded else "", taken.problem)
    if taken.expanded and (frozen := sorted(_asked(work, node) & sql.FROZEN)):
        time = "; for the time of a run write {{ as_of() }}" if "run_started_at" in frozen else ""
        why = f"{', '.join(frozen)}: asked when dbt compiled, and frozen in the SQL since{time}"
        tell("decide", frozen[0], why)
    elif taken.expanded and node.test_metadata is None and not taken.problem:
        tell("compiled", taken.expanded[0], ", ".join(taken.expanded))
    return taken


def _asked(work: Work, node: Node) -> set[str]:
    """Every word of dbt's context that a node says, or a macro of the project's that it calls."""
    texts, waiting, seen = [node.raw_code], list(node.depends_on.macros), set(node.depends_on.macros)
    while waiting:
        macro = work.manifest.macros.get(waiting.pop())
        if macro is None or macro.package_name in ("dbt", f"dbt_{work.adapter}"):
            continue
        texts.append(macro.macro_sql)
        new = [m for m in macro.depends_on.macros if m not in seen]
        seen.update(new)
        waiting += new
    said = " ".join(re.findall(r"\{[{%].*?[}%]\}", " ".join(texts), re.S))
    return set(re.findall(r"\b[a-z_]+\b", re.sub(r"\badapter\.(dispatch|quote)\b|'[^']*'|\"[^\"]*\"", "", said)))


def _beside(work: Work, path: str, node: Node, taken: sql.Taken) -> str:
    """Writes the SQL beside the YAML, and gives the name of its file."""
    name = f"{work.names.nodes[node.unique_id]}.sql"
    work.files[posixpath.join(posixpath.dirname(path), name)] = taken.text.encode()
    return name


def placed(work: Work, node: Node, config: dict[str, Any]) -> dict[str, Any]:
    """With schema, alias and labels, as dbt has worked them out."""
    out: dict[str, Any] = {"materialized": config.pop("materialized")} if "materialized" in config else {}
    if out.get("materialized") != "ephemeral":
        schema = plain(work.name(node.schema_))
        if schema != work.name(node.schema_):
            work.teller(node)("decide", "schema", f"its schema is called {node.schema_} in dbt, and {schema} here")
        if schema != ("snapshots" if node.resource_type == "snapshot" else work.usual_schema):
            out["schema"] = schema
        alias = work.name(node.alias or node.name)
        if alias != plain(alias):
            why = f"its table is called {alias} in dbt, and {plain(alias)} here: names are plain words in lower case"
            work.teller(node)("decide", alias, why)
        if plain(alias) != work.names.nodes[node.unique_id]:
            out["alias"] = plain(alias)
        if node.database and node.database != work.usual_database:
            work.teller(node)("decide", "database", f"database: {node.database}: {spec.NOT_CARRIED['model_config']['database']}")
    found = out | config | _labels(node)
    return {"config": written.inline(found)} if found else {}


def described(text: str) -> dict[str, str]:
    return {"description": text.strip()} if text.strip() else {}


def _labels(item: Node | Source | Exposure) -> dict[str, Any]:
    labels = {"tags": sorted(set(item.tags)), "meta": dict(item.config.get("meta") or item.meta)}
    return {k: v for k, v in labels.items() if v}
