"""A stream as an engine gets it: the spec of its node as YAML, its rows as literals."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from tests.oracle import Row
from tests.oracle.incrementals import Incremental
from tests.oracle.snapshots import Snapshot


@dataclass(frozen=True)
class Step:
    """One run: the source as a whole, and what the run is asked to do."""

    as_of: dt.datetime
    rows: tuple[Row, ...]
    full_refresh: bool = False
    zone: str = "UTC"
    """The time zone of the session that calls."""


@dataclass(frozen=True)
class Stream:
    settings: Snapshot | Incremental
    steps: tuple[Step, ...]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def __str__(self) -> str:
        """The spec, and the days as lines that can become a scenario."""
        lines = [json.dumps(config_of(self.settings), ensure_ascii=False), json.dumps(dict(self.settings.columns), ensure_ascii=False)]
        if isinstance(self.settings, Snapshot) and self.settings.on_change:
            lines.append(f"on_change: {self.settings.on_change}")
        for step in self.steps:
            rows = ", ".join(values_of(r, self.settings) for r in step.rows)
            lines.append(f"{step.as_of}{' full refresh' if step.full_refresh else ''} ({step.zone}): {rows or 'no rows'}")
        return "\n  ".join(lines)


def config_of(settings: Snapshot | Incremental) -> dict[str, Any]:
    """The config block of a node: what differs from the defaults."""
    config: dict[str, Any] = {"schema": "kept"}
    blank = Snapshot({}, (), "") if isinstance(settings, Snapshot) else Incremental({}, "")
    for name, value in vars(settings).items():
        if value == getattr(blank, name) or name in ("columns", "on_change", "all_except", "check_cols"):
            continue
        if isinstance(value, dt.timedelta):
            value = f"{int(value.total_seconds())} seconds"
        config[name] = {"deletes": value} if name == "source_delta" else str(value) if isinstance(value, dt.date) else value
    if isinstance(settings, Incremental):
        return {**config, "materialized": "incremental"}
    if settings.strategy == "check":
        excepted = {"all_except": list(settings.all_except)} if settings.all_except else "all"
        config["check_cols"] = list(settings.check_cols) if settings.check_cols else excepted
    return config


def spec_of(settings: Snapshot | Incremental) -> str:
    """A whole project as YAML (which JSON is): the source raw.given, the node kept.node."""
    columns = [{"name": name, "data_type": kind} for name, kind in settings.columns.items()]
    project: dict[str, Any] = {
        "version": 2,
        "targets": {
            "duckdb": {"dialect": "duckdb"}, "postgres": {"dialect": "postgres"},
            "snowflake": {"dialect": "snowflake", "database": "C360"}, "bigquery": {"dialect": "bigquery", "database": "acme-analytics"},
        },
        "sources": [{"name": "raw", "schema": "raw", "tables": [{"name": "given", "columns": columns}]}],
    }  # fmt: skip
    node: dict[str, Any] = {"name": "node", "config": config_of(settings)}
    if isinstance(settings, Snapshot):
        node["relation"] = "source('raw', 'given')"
        node["columns"] = [{"name": c, "on_change": chosen} for c, chosen in settings.on_change.items()]
        project["snapshots"] = [node]
    else:
        node["sql"] = f"select {', '.join(map(quoted, settings.columns))} from {{{{ source('raw', 'given') }}}}"
        project["models"] = [node]
    return json.dumps(project)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value as text that DuckDB and Postgres read as the type of the column that it goes into."""
    if value is None:
        return "NULL"
    if isinstance(value, dt.datetime):
        return f"'{value.replace(tzinfo=None).isoformat(' ')}{'+00' if value.tzinfo else ''}'"
    return "'" + str(value).replace("'", "''") + "'"


def values_of(row: Row, settings: Snapshot | Incremental) -> str:
    return "(" + ", ".join(literal(row[c]) for c in settings.columns) + ")"
