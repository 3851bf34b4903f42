"""c360gen: YAML specs of a Customer 360 → plain SQL for Postgres, Snowflake, BigQuery and DuckDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from c360gen.diagnostics import Diagnostic, SpecError
    from c360gen.emit.files import File
    from c360gen.pipeline import Build, build, load_project

__version__ = "0.1.0"
__all__ = ["Build", "Diagnostic", "File", "SpecError", "build", "load_project"]

_HOMES = {
    "Build": "c360gen.pipeline",
    "build": "c360gen.pipeline",
    "load_project": "c360gen.pipeline",
    "Diagnostic": "c360gen.diagnostics",
    "SpecError": "c360gen.diagnostics",
    "File": "c360gen.emit.files",
}


def __getattr__(name: str) -> Any:
    """The public API, imported when it is first used: `c360gen --help` needs neither sqlglot nor pydantic."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'c360gen' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
