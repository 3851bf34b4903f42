"""Who judges the generated SQL: engines and parsers that are not sqlglot. One file each, their packages are extras."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JUDGES = {"duckdb": "duckdb", "postgres": "postgres", "bigquery": "googlesql", "snowflake": "sqlfluff"}
"""The judge of each dialect: two engines execute, one analyser types, one parser reads."""


@dataclass(frozen=True, order=True)
class Finding:
    """Something that a judge would not accept, with the file below the target's folder and its 1-based line."""

    path: str
    line: int
    message: str


class JudgeUnavailable(Exception):
    """The judge's package is not installed."""

    def __init__(self, package: str):
        super().__init__(f"{package} is not installed")


def judge(root: Path, manifest: Mapping[str, Any]) -> list[Finding]:
    """Every finding in the output of one target. Raise JudgeUnavailable."""
    module = importlib.import_module(f"{__name__}.{JUDGES[str(manifest['dialect'])]}")
    return sorted(module.judge(root, manifest))


def texts(root: Path, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The SQL files of the manifest, deploy.sql first, since it holds everything in order."""
    paths = [f["path"] for f in manifest["files"] if f["path"].endswith(".sql")]
    return {p: (root / p).read_text(encoding="utf-8") for p in sorted(paths, key=lambda p: p != "deploy.sql")}


def migrations(root: Path) -> dict[str, str]:
    """The SQL of migrations, which the manifest does not list: they are not of this build alone."""
    return {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in sorted((root / "migrations").rglob("*.sql"))}


def source_ddl(manifest: Mapping[str, Any], quote: str = '"') -> list[str]:
    """CREATE statements of the tables that others own, as the manifest knows them."""
    found = []
    schemas = sorted({f"{quote}{s['schema']}{quote}" for s in manifest["sources"]})
    found += [f"CREATE SCHEMA {s}" for s in schemas]
    for source in manifest["sources"]:
        columns = ", ".join(f"{quote}{c['name'].replace(quote, quote * 2)}{quote} {c['type']}" for c in source["columns"])
        found.append(f"CREATE TABLE {quote}{source['schema']}{quote}.{quote}{source['name']}{quote} ({columns})")
    return found
