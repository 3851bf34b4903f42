"""A dbt project as specs: everything that its manifest knows, in our words.

What dbt has worked out is taken from the manifest (configs of folders, packages, schemas), types from the catalog, values of vars and seeds
from the project's files. A snapshot goes on under `compat: dbt`, so that its history means what it meant.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from c360gen.importers import Imported
from c360gen.importers import yaml as written
from c360gen.importers.dbt import relations
from c360gen.importers.dbt.artifacts import BadArtifact, Catalog, Manifest, read_catalog, read_manifest
from c360gen.importers.dbt.work import Work
from c360gen.spec import models as spec
from c360gen.spec.schema import FILE as SCHEMA_FILE

__all__ = ["BadArtifact", "read_catalog", "read_manifest", "take"]

_SECTIONS = ("project", "targets", "sources", "seeds", "snapshots", "models", "exposures")
_TAKEN = {"seed": relations.seed, "snapshot": relations.snapshot, "model": relations.model, "test": relations.test}


def take(root: Path, manifest: Manifest, catalog: Catalog | None) -> Imported:
    """`root`: the folder of dbt_project.yml. Raise BadArtifact where the manifest holds nothing that can be taken."""
    work = Work(root, manifest, catalog or Catalog())
    if not (manifest.nodes or manifest.sources):
        raise BadArtifact("the manifest holds no node and no source", "run dbt parse in the folder of the project")
    relations.sources(work)
    for node in sorted(manifest.nodes.values(), key=lambda n: (n.original_file_path, n.name)):
        if taken := _TAKEN.get(node.resource_type):
            taken(work, node)
    for exposure in sorted(manifest.exposures.values(), key=lambda e: (e.original_file_path, e.name)):
        relations.exposure(work, exposure)
    _left_out(work)
    _project(work)
    if catalog is None:
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


def _project(work: Work) -> None:
    name = re.sub(r"\W", "_", str(work.manifest.metadata.project_name or "customer_360"))
    if work.adapter != work.dialect:
        why = f"{work.adapter} is no target here: the SQL is read as that of {work.dialect}"
        work.note("decide", "dbt_project.yml", name, why)
    project: dict[str, Any] = {"name": name, "sql_dialect": work.dialect, "schema": work.usual_schema}
    if values := _vars(work, name):
        project["vars"] = values
    targets = {work.dialect: written.inline({"dialect": work.dialect, "default": True})}
    targets.setdefault("duckdb", written.inline({"dialect": "duckdb"}))
    work.sections["project.yml"] = {"project": project, "targets": targets}


def _vars(work: Work, project: str) -> dict[str, Any]:
    """The values of what SQL asks for, out of dbt_project.yml."""
    try:
        said = yaml.safe_load((work.root / "dbt_project.yml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        said = None
    given = said.get("vars") if isinstance(said, Mapping) else None
    known = dict(given) if isinstance(given, Mapping) else {}
    own = known.get(project)
    known |= dict(own) if isinstance(own, Mapping) else {}
    found = {}
    for name, optional in sorted(work.variables.items()):
        value = known.get(name)
        if value is not None and not isinstance(value, Mapping):
            found[name] = value
            if "{{" in str(value):
                work.note("decide", "dbt_project.yml", name, f"var {name} is a template: write what it says")
        elif not optional:
            work.note("decide", "dbt_project.yml", name, f"var {name} has no value here: say one under project: vars:")
    return found


def _left_out(work: Work) -> None:
    manifest = work.manifest
    for each in (e for found in manifest.disabled.values() for e in found or ()):
        if not each.unique_id.startswith("test."):
            work.note("left out", each.original_file_path, each.name, "it is disabled in dbt")
    for section in ("unit_tests", "metrics", "semantic_models", "saved_queries", "groups"):
        for each in getattr(manifest, section).values():
            work.note("left out", each.original_file_path, each.name, f"{section}: {spec.NOT_CARRIED['file'][section]}")
