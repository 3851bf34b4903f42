"""One way to say it to four engines: deploy a build, change sources, run a node, look at a table."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Any, Protocol

from c360gen import engines
from c360gen.pipeline import Build
from tests.warehouse.machine import Failure
from tests.warehouse.warehouse import Warehouse

NOW = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
"""The interpreter's clock: every as_of of a scenario lies before it, as it lies before the real one."""


class World(Protocol):
    logged_last: str
    """The column of the run log by which the last row is known."""

    def sql(self, text: str) -> None:
        """SQL that DuckDB and Postgres both know, for sources."""

    def rows(self, query: str) -> list[tuple[Any, ...]]: ...

    def deploy(self) -> None: ...

    def run(self, node: str, as_of: str | None = None, full_refresh: bool = False) -> str:
        """ "" when the run succeeded, else its message."""

    def function(self, call: str) -> str:
        """`snap.history_as_of('2026-01-01 00:00:00')`, its instants typed as this engine has them."""

    def task(self, action: str, node: str, arguments: dict[str, Any], apply: bool) -> str:
        """Check, rewind or erase; "" when it succeeded, else its message."""

    def close(self) -> None: ...


def task_of(manifest: dict[str, Any], action: str, node: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entries of a node and of its task."""
    entry = next(n for n in manifest["nodes"] if n["name"] == node)
    return entry, next(t for t in entry["tasks"] if t["action"] == action)


def manifest_of(build: Build) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(next(f.text for f in build.files if f.path == "manifest.json"))
    return found


def text_of(build: Build, path: str) -> str:
    return next(f.text for f in build.files if f.path == path)


def source_tables(manifest: dict[str, Any], time: str) -> list[str]:
    """CREATE statements of the sources, in types that DuckDB and Postgres share."""
    words = {"timestamptz": time, "double": "DOUBLE PRECISION"}
    found = [f'CREATE SCHEMA "{s}"' for s in sorted({s["schema"] for s in manifest["sources"]})]
    for source in manifest["sources"]:
        columns = ", ".join(f'''"{c["name"].replace('"', '""')}" {words.get(c["data_type"], c["data_type"])}''' for c in source["columns"])
        found.append(f'CREATE TABLE "{source["schema"]}"."{source["name"]}" ({columns})')
    return found


class Embedded:
    """DuckDB and Postgres: the engines that this project runs itself."""

    logged_last = "run_id"

    def __init__(self, build: Build, database: str):
        self.build, self.manifest = build, manifest_of(build)
        self.session = engines.connect(str(build.target.dialect), database, self.manifest["control_schema"])
        self.connection = self.session.connection  # type: ignore[attr-defined]
        self.connection.execute("SET TimeZone = 'UTC'")
        for statement in source_tables(self.manifest, "TIMESTAMPTZ"):
            self.connection.execute(statement)

    def sql(self, text: str) -> None:
        self.connection.execute(text)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return found

    def deploy(self) -> None:
        if self.build.target.dialect == "postgres" and any(f.path == "roles.sql" for f in self.build.files):
            self.session.deploy(text_of(self.build, "roles.sql"))
        self.session.deploy(text_of(self.build, "deploy.sql"))

    def run(self, node: str, as_of: str | None = None, full_refresh: bool = False) -> str:
        entry = next(n for n in self.manifest["nodes"] if n["name"] == node)
        script = text_of(self.build, entry["script"]) if entry["script"] else None
        return self.session.run(entry, script, as_of and f"{as_of}+00", full_refresh).message

    def function(self, call: str) -> str:
        return re.sub(r"'([^']*)'", r"TIMESTAMPTZ '\1+00'", call)

    def task(self, action: str, node: str, arguments: dict[str, Any], apply: bool) -> str:
        entry, task = task_of(self.manifest, action, node)
        script = text_of(self.build, task["script"]) if task["script"] else None
        given = {k: f"{v}+00" if k == "to" and v else v for k, v in arguments.items()}
        return self.session.task(entry, task, script, given, apply).message

    def close(self) -> None:
        self.session.close()


class Interpreted:
    """Snowflake and BigQuery: the text of their procedures in the interpreter."""

    logged_last = "logged_at"

    def __init__(self, build: Build):
        self.build, self.manifest = build, manifest_of(build)
        self.dialect = str(build.target.dialect)
        self.warehouse = Warehouse(self.dialect, self.manifest["database"] or "c360")
        self.warehouse.clock = NOW
        for statement in source_tables(self.manifest, "TIMESTAMPTZ" if self.dialect == "bigquery" else "TIMESTAMP"):
            self.warehouse.execute(statement)

    def sql(self, text: str) -> None:
        self.warehouse.execute(text if self.dialect == "bigquery" else text.replace("+00'", "'"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.warehouse.rows(query)

    def deploy(self) -> None:
        self.warehouse.install(text_of(self.build, "deploy.sql"))

    def manifest_tables(self) -> list[str]:
        """The sources and control tables that a run reads and writes, besides the tables of nodes."""
        sources = [f"{s['schema']}.{s['name']}" for s in self.manifest["sources"]]
        control = self.manifest["control_schema"]
        locks = [f"{control}.lock_{n['name']}" for n in self.manifest["nodes"] if n["run"]]
        return [*sources, *(f"{control}.{table}" for table in ("run_log", "watermark", "window_log")), *locks]

    def arguments(self, node: str, as_of: str | None, full_refresh: bool) -> list[object]:
        entry = next(n for n in self.manifest["nodes"] if n["name"] == node)
        time = as_of and (f"{as_of}+00" if self.dialect == "bigquery" else as_of)
        return [time, full_refresh] if entry["full_refresh"] else [time]

    def run(self, node: str, as_of: str | None = None, full_refresh: bool = False) -> str:
        entry = next(n for n in self.manifest["nodes"] if n["name"] == node)
        try:
            if entry["script"]:
                text = text_of(self.build, entry["script"])
                zone = "+00" if self.dialect == "bigquery" else ""
                text = re.sub(r"(p_as_of \S+ DEFAULT) NULL", rf"\1 '{as_of}{zone}'" if as_of else r"\1 NULL", text)
                text = re.sub(r"(p_full_refresh \S+ DEFAULT) FALSE", rf"\1 {str(full_refresh).upper()}", text)
                self.warehouse.script(text)
                return ""
            self.warehouse.call(f"{self.manifest['control_schema']}.run_{node}", *self.arguments(node, as_of, full_refresh))
        except Failure as failure:
            return str(failure)
        return ""

    def function(self, call: str) -> str:
        return re.sub(r"'([^']*)'", r"TIMESTAMPTZ '\1+00'" if self.dialect == "bigquery" else r"TIMESTAMP '\1'", call)

    def task(self, action: str, node: str, arguments: dict[str, Any], apply: bool) -> str:
        _, task = task_of(self.manifest, action, node)
        zone = "+00" if self.dialect == "bigquery" else ""
        given: list[object] = [f"{v}{zone}" if k == "to" and v else v for k, v in arguments.items()]
        try:
            if task["script"]:
                text = text_of(self.build, task["script"])
                for name, value in zip(arguments, given, strict=True):
                    text = re.sub(rf"(p_{name} [^;]*? DEFAULT) NULL", rf"\1 '{value}'", text)
                self.warehouse.script(text.replace("p_dry_run BOOLEAN DEFAULT TRUE", f"p_dry_run BOOLEAN DEFAULT {not apply}")
                                      .replace("p_dry_run BOOL DEFAULT TRUE", f"p_dry_run BOOL DEFAULT {not apply}"))  # fmt: skip
                return ""
            self.warehouse.call(f"{self.manifest['control_schema']}.{action}_{node}", *given, *([not apply] if task["dry_run"] else []))
        except Failure as failure:
            return str(failure)
        return ""

    def close(self) -> None:
        self.warehouse.connection.close()


def plain(value: Any) -> Any:
    """A value as every engine gives it: times in UTC without zone, numbers without trailing zeros."""
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC) if value.tzinfo else value
        return value.strftime("%Y-%m-%d %H:%M:%S") + (f".{value.microsecond:06}" if value.microsecond else "")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        number = Decimal(str(value)).normalize()
        return format(number, "f")
    return str(value)
