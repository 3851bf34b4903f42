"""A dbt project as specs: everything that its manifest knows, in our words.

What dbt has worked out is taken from the manifest (configs of folders, packages, schemas), types from the catalog, values of vars and seeds
from the project's files. A snapshot goes on under `compat: dbt`, so that its history means what it meant.
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c360gen import pipeline
from c360gen.diagnostics import Diagnostic, SpecError
from c360gen.importers import Imported
from c360gen.importers import yaml as written
from c360gen.importers.dbt import relations, seeds
from c360gen.importers.dbt.artifacts import BadArtifact, Catalog, Manifest, read_catalog, read_manifest
from c360gen.importers.dbt.names import plain
from c360gen.importers.dbt.work import Files, Work
from c360gen.spec import models as spec
from c360gen.spec.schema import FILE as SCHEMA_FILE

__all__ = ["BadArtifact", "read_catalog", "read_manifest", "take"]

_SECTIONS = ("project", "targets", "sources", "seeds", "snapshots", "models", "exposures")
_TAKEN = {"seed": seeds.seed, "snapshot": relations.snapshot, "model": relations.model, "test": relations.test}
_ROUNDS = 10
"""How often types and names are added that the build asks for: a view that is typed lets the next one be."""
_NAMED = re.compile(r"^.*\btests/(\w+)\.sql$")


def take(root: Path, manifest: Manifest, catalog: Catalog | None, full_refresh: Manifest | None = None) -> Imported:
    """`root`: the folder of dbt_project.yml. Raise BadArtifact where the manifest holds nothing that can be taken."""
    files = Files(root)
    untyped: dict[str, set[str]] = {}
    nameless: set[str] = set()
    for _ in range(_ROUNDS):
        found = _once(Work(files, manifest, catalog or Catalog(), full_refresh, untyped, nameless))
        problems = _problems(found.files)
        asked = {d.about[0]: {*d.about[1:]} - untyped.get(d.about[0], set()) for d in problems if d.about and catalog is not None}
        tests = {_NAMED.sub(r"\1", d.span.origin) for d in problems if d.code == "C306" and d.span and _NAMED.match(d.span.origin)}
        if not any(asked.values()) and tests <= nameless:
            break
        nameless |= tests
        for name, columns in asked.items():
            untyped.setdefault(name, set()).update(columns)
    return Imported(found.files, found.notes, tuple(problems))


def _once(work: Work) -> Imported:
    manifest = work.manifest
    if not (manifest.nodes or manifest.sources):
        raise BadArtifact("the manifest holds no node and no source", "run dbt parse in the folder of the project")
    relations.sources(work)
    for node in sorted(manifest.nodes.values(), key=lambda n: (n.original_file_path, n.name, n.unique_id)):
        if taken := _TAKEN.get(node.resource_type):
            taken(work, node)
    for exposure in sorted(manifest.exposures.values(), key=lambda e: (e.original_file_path, e.name)):
        relations.exposure(work, exposure)
    _left_out(work)
    _project(work)
    if not (work.catalog.nodes or work.catalog.sources):
        why = "there is no catalog: run dbt docs generate and import once more, or write the data_type of every column of the sources"
        work.note("decide", "target/catalog.json", "types", why)
    files = {f"specs/{path}": content for path, content in work.files.items()}
    for path, sections in work.sections.items():
        ordered = {name: sections[name] for name in _SECTIONS if name in sections}
        files[f"specs/{path}"] = written.text(ordered, posixpath.relpath(SCHEMA_FILE, posixpath.dirname(path) or ".")).encode()
    for path in files:
        if not path.isprintable() or ".." in path.split("/") or "" in path.split("/"):
            raise BadArtifact(f"the manifest names a file outside of the project: {path!r}", "run dbt parse in the folder of the project")
    return Imported(dict(sorted(files.items())), tuple(sorted(work.notes)))


def _problems(files: Mapping[str, bytes]) -> list[Diagnostic]:
    """What a build of the specs would say."""
    found: list[Diagnostic] = []
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(content)
        try:
            loaded = pipeline.load_project(Path(folder) / "specs")
            for name in loaded.default_targets:
                pipeline.build(loaded, name)
        except SpecError as error:
            wrong = (d for d in error.diagnostics if d.severity == "error")
            found = [dataclasses.replace(d, message=d.message.replace(f"{folder}/", "")) for d in wrong]
    return found


def _project(work: Work) -> None:
    name = plain(str(work.manifest.metadata.project_name or "customer_360"))
    if work.adapter != work.dialect:
        why = f"{work.adapter} is no target here: the SQL is read as that of {work.dialect}"
        work.note("decide", "dbt_project.yml", name, why)
    project: dict[str, Any] = {"name": name, "sql_dialect": work.dialect, "schema": work.usual_schema}
    if work.variables:
        project["vars"] = dict(sorted(work.variables.items()))
    database = work.usual_database if work.dialect in ("snowflake", "bigquery") else None
    target = {"dialect": work.dialect, "default": True, **({"database": work.name(database)} if database else {})}
    sections = work.sections.setdefault("project.yml", {})
    sections |= {"project": project, "targets": {work.dialect: written.inline(target)}}


def _left_out(work: Work) -> None:
    manifest = work.manifest
    for each in (e for found in manifest.disabled.values() for e in found or ()):
        if not each.unique_id.startswith("test."):
            work.note("left out", each.original_file_path, each.name, "it is disabled in dbt")
    for section in ("unit_tests", "metrics", "semantic_models", "saved_queries", "groups", "functions"):
        for each in getattr(manifest, section).values():
            work.note("left out", each.original_file_path, each.name, f"{section}: {spec.NOT_CARRIED['file'][section]}")
    for node in manifest.nodes.values():
        if node.resource_type == "analysis":
            work.note("left out", node.original_file_path, node.name, f"analyses: {spec.NOT_CARRIED['file']['analyses']}")
        elif node.resource_type == "operation":
            hook = "on-run-start" if "on-run-start" in node.name else "on-run-end"
            why = f"{hook} ({' '.join(node.raw_code.split())}): {spec.NOT_CARRIED['model_config']['post_hook']}"
            work.note("left out", "dbt_project.yml", hook, why)
