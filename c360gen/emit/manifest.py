"""manifest.json: what was generated from what, for machines. The only file that knows the version of c360gen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import c360gen
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.emit import freshness
from c360gen.emit.files import File
from c360gen.ops.program import Program, Task
from c360gen.project.nodes import Column, Node, Snapshot, Source
from c360gen.terms import types

VERSION = 1


def file(
    names: Names, dialect: Dialect, files: Iterable[File], programs: Mapping[str, Program], tasks: Mapping[str, Sequence[Task]], shape: str
) -> File:
    project = names.project
    content: dict[str, Any] = {
        "manifest_version": VERSION,
        "generator": f"c360gen {c360gen.__version__}",
        "project": project.project.name,
        "target": names.target_name,
        "dialect": dialect.name,
        "database": names.database,
        "control_schema": names.control,
        "schemas": names.schemas,
        "roles": [r for r in (names.target.owner, names.target.runner, names.target.reader) if r],
        **({"environment": list(names.environment)} if names.environment else {}),
        "shape": shape,
        "files": [{"path": f.path, "sha256": f.sha256, "origin": f.origin} for f in files],
        "sources": [_source(s, names, dialect) for s in project.sources.values()],
        "nodes": [_node(n, names, dialect, programs, tasks.get(n.name, ())) for n in project.nodes.values()],
        "exposures": [_exposure(e.spec.model_dump(exclude_none=True), e.depends_on) for e in project.exposures],
        **_freshness(names, dialect),
        "schedules": [
            {"name": s.spec.name, "cron": s.spec.cron, "timezone": s.spec.timezone, "nodes": list(s.nodes)} for s in project.schedules
        ],
    }
    return File("manifest.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _exposure(spec: dict[str, Any], depends_on: tuple[str, ...]) -> dict[str, Any]:
    return {**{k: v for k, v in spec.items() if v not in ("", (), {}, [])}, "depends_on": list(depends_on)}


def _source(source: Source, names: Names, dialect: Dialect) -> dict[str, Any]:
    at = names.symbol("source", source.name)
    return {
        "id": source.id, "database": at.database, "schema": at.schema, "name": at.name, "relation": dialect.path(at),
        "description": source.description, "columns": [_column(c, dialect) for c in source.columns],
    }  # fmt: skip


def _node(node: Node, names: Names, dialect: Dialect, programs: Mapping[str, Program], tasks: Sequence[Task]) -> dict[str, Any]:
    at = names.node(node.name)
    program = programs.get(node.name)
    return {
        "id": node.id, "name": node.name, "resource_type": node.kind if node.kind in ("snapshot", "seed") else "model", "kind": node.kind,
        "strategy": node.strategy, "compat": node.compat if isinstance(node, Snapshot) else None, **_address(node, at, dialect),
        "run": dialect.path(names.own(f"run_{node.name}")) if program else None,
        "script": f"scripts/run_{node.name}.sql" if program and dialect.scripted(names) else None,
        "full_refresh": bool(program and program.full_refresh),
        **({"grants": {"select": list(node.readers)}} if node.readers else {}),
        **({"keeps_rows": True} if node.keeps_rows else {}),
        "tasks": [_task(t, names, dialect) for t in tasks], "description": node.description, "key": list(node.key),
        "depends_on": list(node.depends_on), "tags": list(node.tags), "origin": f"{node.span.origin}:{node.span.line}",
        "columns": [_column(c, dialect, lineage=True) for c in node.columns],
    }  # fmt: skip


def _freshness(names: Names, dialect: Dialect) -> dict[str, Any]:
    """Where sources are watched, when any is."""
    task = freshness.check()
    if not freshness.sources(names.project):
        return {}
    return {"freshness": {"view": dialect.path(names.own(freshness.VIEW)), **_task(task, names, dialect)}}


def _address(node: Node, at: Address, dialect: Dialect) -> dict[str, Any]:
    """Where the node is; an ephemeral model is nowhere."""
    if not node.exists:
        return {"schema": None, "identifier": None, "relation": None}
    return {"schema": at.schema, "identifier": at.name, "relation": dialect.path(at)}


def _task(task: Task, names: Names, dialect: Dialect) -> dict[str, Any]:
    scripted = dialect.scripted(names)
    return {
        "action": task.action, "dry_run": task.dry_run, "call": None if scripted else dialect.path(names.own(task.name)),
        "script": f"scripts/{task.name}.sql" if scripted else None,
        "arguments": [{"name": p, "variable": v, "data_type": types.text(t), "type": dialect.type(t)} for p, v, t in task.parameters],
    }  # fmt: skip


def _column(column: Column, dialect: Dialect, *, lineage: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": column.name,
        "data_type": types.text(column.type) if column.type is not None else None,
        "type": dialect.type(column.type) if column.type is not None else None,
    }
    if column.description:
        made["description"] = column.description
    if lineage:
        made["origins"] = [f"{relation}.{name}" for relation, name in column.origins]
    return made
