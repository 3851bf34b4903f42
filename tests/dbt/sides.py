"""One database, two tools: dbt from its command line, c360gen through what it generates, and both tables with run times mapped."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from c360gen import engines
from c360gen.pipeline import build, load_project
from tests.worlds import manifest_of, plain, text_of

PROJECT = Path(__file__).parent / "project"
TARGETS = {"duckdb": {"dialect": "duckdb"}, "postgres": {"dialect": "postgres"}}
CONTROL = "c360_control"


@dataclass(frozen=True)
class Window:
    """Between two readings of the clock both tools ran once: every time in between is a run time."""

    start: dt.datetime
    end: dt.datetime


class Sides:
    """dbt writes into schemas that begin with dbt_, c360gen into those that the specs name; both read the same sources."""

    def __init__(self, engine: str, database: str, folder: Path, timezone: str = "UTC", *, merges: bool = False):
        self.engine, self.database, self.timezone = engine, database, timezone
        self.project, self.specs = folder / "dbt", folder / "specs"
        shutil.copytree(PROJECT, self.project)
        (self.project / "models").mkdir()
        if merges:
            (self.project / "macros").mkdir()
            shutil.copy(PROJECT.parent / "merge.sql", self.project / "macros")
        self.specs.mkdir()
        self.windows: list[Window] = []
        self._session: engines.Session | None = None

    # --- the database --------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Any:
        if self._session is None:
            self._session = engines.connect(self.engine, self.database, CONTROL)
            self._session.connection.execute("SET TimeZone = 'UTC'")  # type: ignore[attr-defined]
        return self._session

    def close(self) -> None:
        """DuckDB lets one process in at a time."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def sql(self, text: str) -> None:
        self.session.connection.execute(text)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.session.connection.execute(query).fetchall()
        return found

    # --- the two tools -------------------------------------------------------------------------------------------------

    def write(self, dbt: Mapping[str, Any], ours: Mapping[str, Any], models: Mapping[str, str] | None = None) -> None:
        """The YAML of both tools, and dbt's SQL of each model; a later call replaces an earlier one."""
        (self.project / "models" / "all.yml").write_text(yaml.safe_dump(dict(dbt), sort_keys=False), encoding="utf-8")
        for name, sql in (models or {}).items():
            (self.project / "models" / f"{name}.sql").write_text(sql, encoding="utf-8")
        (self.specs / "all.yml").write_text(yaml.safe_dump({**ours, "targets": TARGETS}, sort_keys=False), encoding="utf-8")
        self.build = build(load_project(self.specs), self.engine)
        self.nodes = {n["name"]: n for n in manifest_of(self.build)["nodes"]}

    def deploy(self) -> None:
        self.session.deploy(text_of(self.build, "deploy.sql"))

    def replace_procedure(self, node: str) -> None:
        """What a changed strategy changes in a run; the tables stay."""
        if self.engine == "postgres":
            self.session.deploy(text_of(self.build, f"procedures/run_{node}.sql"))

    def dbt(self, command: str = "snapshot") -> dict[str, str]:
        """One `dbt snapshot`, or `dbt run`, of everything → what it said of each node."""
        self.close()
        words = [Path(sys.executable).with_name("dbt"), command, "--quiet", "--project-dir", self.project, "--profiles-dir", self.project]
        done = subprocess.run(words, env={**os.environ, **self._environment()}, capture_output=True, text=True)
        results = self.project / "target" / "run_results.json"
        if not results.exists():
            raise AssertionError(f"dbt did not run:\n{done.stdout}{done.stderr}")
        found = json.loads(results.read_text(encoding="utf-8"))["results"]
        results.unlink()
        return {r["unique_id"].rpartition(".")[2]: r["status"] if r["status"] == "success" else r["message"] for r in found}

    def run(self, node: str) -> str:
        """A run of ours as of now; "" when it succeeded, else its message."""
        entry = self.nodes[node]
        text = text_of(self.build, entry["script"]) if entry["script"] else None
        return str(self.session.run(entry, text, None, False).message)

    def both(self, nodes: Sequence[str], command: str = "snapshot") -> tuple[dict[str, str], dict[str, str]]:
        """One run of everything by each of the two, in a window of time of their own."""
        start = dt.datetime.now(dt.UTC)
        said = self.dbt(command)
        answered = {n: self.run(n) for n in nodes}
        self.windows.append(Window(start, dt.datetime.now(dt.UTC)))
        return said, answered

    def _environment(self) -> dict[str, str]:
        found = {
            "COMPARE_ENGINE": self.engine, "COMPARE_DATABASE": self.database, "COMPARE_TIMEZONE": self.timezone, "TZ": "UTC",
            "COMPARE_HOST": "", "COMPARE_PORT": "0", "COMPARE_USER": "", "COMPARE_PASSWORD": "",
        }  # fmt: skip
        if self.engine == "postgres":
            from psycopg.conninfo import conninfo_to_dict

            given = conninfo_to_dict(self.database)
            found |= {
                "COMPARE_HOST": str(given.get("host") or "localhost"), "COMPARE_PORT": str(given.get("port") or 5432),
                "COMPARE_USER": str(given.get("user") or ""), "COMPARE_PASSWORD": str(given.get("password") or ""),
                "COMPARE_DATABASE": str(given["dbname"]), "PGTZ": self.timezone,
            }  # fmt: skip
        return found

    # --- the tables ----------------------------------------------------------------------------------------------------

    def mapped(self, value: Any) -> Any:
        """A value as text: RUN2 for a time of the second run, TODAY for the midnight before the runs, a day for any other midnight."""
        if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)
        if not isinstance(value, dt.datetime):
            return plain(value)
        value = value.astimezone(dt.UTC) if value.tzinfo else value.replace(tzinfo=dt.UTC)
        for number, window in enumerate(self.windows, 1):
            if window.start <= value <= window.end:
                return f"RUN{number}"
        if value.time() == dt.time(0) and value.date() in {w.start.date() for w in self.windows}:
            return "TODAY"
        return plain(value).removesuffix(" 00:00:00")

    def table(self, relation: str, columns: Sequence[str]) -> list[list[Any]]:
        quoted = ", ".join(f'"{c}"' for c in columns)
        return sorted(([self.mapped(v) for v in row] for row in self.rows(f"SELECT {quoted} FROM {relation}")), key=repr)

    def run_times(self, relation: str, columns: Sequence[str]) -> list[int]:
        """How many different times of each run a table holds: one, since a run reads the clock once."""
        found: dict[int, set[Any]] = {}
        for row in self.rows(f"SELECT {', '.join(columns)} FROM {relation}"):
            for value in row:
                if str(self.mapped(value)).startswith("RUN"):
                    found.setdefault(int(str(self.mapped(value))[3:]), set()).add(str(value).removesuffix("+00:00"))
        return [len(times) for times in found.values()]
