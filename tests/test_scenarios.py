"""Days of a source and what must be kept of them: each case runs on DuckDB, on Postgres through its procedures, and as the very
text of the Snowflake and BigQuery procedures in the interpreter. One meaning, four engines."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import CASES, ENGINES
from tests.slow import but_fast, but_slow
from tests.worlds import World, plain

SCENARIOS = sorted(p.parent for p in CASES.glob("*/scenario.yml"))
LONG = ("changelog_nulls", "changelog_policies", "daily_copies_policies", "late_revivals", "menu")
"""Of what both warehouses are asked for, the suite plays these on BigQuery."""
SCRIPTS = (
    "timestamp_invalidate", "guards", "merge", "handwritten_incremental", "maintenance", "microbatch_failed", "constraints", "ephemeral",
    "seeds",
)  # fmt: skip


@pytest.mark.parametrize(
    ("case", "engine"),
    but_slow([pytest.param(c, e, id=f"{c.name}-{e}") for c in SCENARIOS for e in ENGINES], [f"{c}-snowflake" for c in LONG]),
)
def test_scenario(case: Path, engine: str, world: Callable[[Path, str], World]) -> None:
    scenario = yaml.safe_load((case / "scenario.yml").read_text(encoding="utf-8"))
    found = world(case / "specs", engine)
    for number, step in enumerate(scenario["steps"], 1):
        here = f"step {number}: {step.get('because', '')}"
        for statement in step.get("sql", []):
            found.sql(statement)
        before = contents(found, scenario) if must_not_write(step) else None
        messages = [found.run(n, str(step["as_of"]), bool(step.get("full_refresh"))) for n in runs_of(step, scenario)]
        messages += [found.task(t["action"], t["node"], t.get("with", {}), bool(t.get("apply"))) for t in step.get("tasks", [])]
        for message in messages:
            wanted = step.get("fails")
            assert bool(message) == bool(wanted), f"{here}: {message or 'it succeeded'}"
            for part in wanted or []:
                assert str(part) in message, f"{here}: {message}"
            if (example := step.get("example")) and "ZC" in message:  # these keys, and no others; an engine's own message names none
                assert re.search(rf"or example:? {re.escape(example)}\b(?!;)", message), f"{here}: {message}"
        if before is not None:
            assert contents(found, scenario) == before, f"{here}: something was written"
        for table, expected in step.get("expect", {}).items():
            columns = expected["columns"]
            rows = read(found, table, columns)
            assert rows == sorted(([plain(v) for v in row] for row in expected["rows"]), key=repr), f"{here}: {table}"
        for table in [] if step.get("fails") else scenario["tables"]:
            assert not found.rows(half_closed(found, table)), f"{here}: {table} has versions that ended without a run, or the other way"
        for node, counters in step.get("counted", {}).items():
            assert last_run(found, node, list(counters)) == {k: plain(v) for k, v in counters.items()}, f"{here}: {node}"
        for node, windows in step.get("loaded", {}).items():
            assert loaded(found, node) == [[plain(v) for v in window] for window in windows], f"{here}: {node}"


@pytest.mark.parametrize(
    ("case", "engine"),
    but_fast(
        [pytest.param(c, e, id=f"{c}-{e}") for c in SCRIPTS for e in ("postgres", "snowflake", "bigquery")],
        [*(f"{c}-postgres" for c in SCRIPTS), *(f"{c}-{e}" for c in ("timestamp_invalidate", "merge") for e in ("snowflake", "bigquery"))],
    ),
)
def test_scenario_as_scripts(case: str, engine: str, world: Callable[[Path, str], World], tmp_path: Path) -> None:
    """`form: scripts`: the same days without a single procedure."""
    spec = (CASES / case / "specs" / "p.yml").read_text(encoding="utf-8")
    shutil.copytree(CASES / case / "specs", tmp_path / "specs")
    spec = re.sub(rf"({engine}: {{dialect: {engine})", r"\1, form: scripts", spec)
    (tmp_path / "specs" / "p.yml").write_text(spec, encoding="utf-8")
    (tmp_path / "scenario.yml").write_text((CASES / case / "scenario.yml").read_text(encoding="utf-8"), encoding="utf-8")
    test_scenario(tmp_path, engine, world)


def runs_of(step: dict[str, Any], scenario: dict[str, Any]) -> list[str]:
    """The nodes that a step runs: those it names, else, unless it calls tasks instead, those of the scenario."""
    found: list[str] = step.get("run", [] if step.get("tasks") else scenario["run"])
    return found


def must_not_write(step: dict[str, Any]) -> bool:
    """A run that fails writes nothing; `partly`: the windows before the one that fails stay."""
    return step.get("changes") is False or bool(step.get("fails") and not step.get("partly"))


def read(found: World, table: str, columns: list[str]) -> list[list[Any]]:
    quoted = ", ".join('"' + c.replace('"', '""') + '"' for c in columns)
    return sorted(([plain(v) for v in row] for row in found.rows(f"SELECT {quoted} FROM {found.function(table)}")), key=repr)


def contents(found: World, scenario: dict[str, Any]) -> dict[str, list[Any]]:
    return {t: sorted((list(map(str, row)) for row in found.rows(f"SELECT * FROM {t}")), key=repr) for t in scenario["tables"]}


def half_closed(found: World, table: str) -> str:
    """The versions of a history that have an end and no run that closed them, or a run and no end; of another table nothing."""
    schema, name = table.split(".")
    place = f"table_schema = '{schema}' AND table_name = '{name}'"
    columns = {c for (c,) in found.rows(f"SELECT column_name FROM information_schema.columns WHERE {place}")}
    if not {"valid_to", "closed_run_id"} <= columns:
        return f"SELECT 1 FROM {table} WHERE FALSE"
    return f"SELECT * FROM {table} WHERE (closed_run_id IS NULL) <> (valid_to IS NULL OR valid_to >= '9999-01-01')"


def last_run(found: World, node: str, counters: list[str]) -> dict[str, Any]:
    query = (
        f"SELECT {', '.join(counters)} FROM c360_control.run_log WHERE node = '{node}' AND status = 'succeeded' "
        f"ORDER BY {found.logged_last} DESC LIMIT 1"
    )
    (row,) = found.rows(query)
    return {c: plain(v) for c, v in zip(counters, row, strict=True)}


def loaded(found: World, node: str) -> list[list[Any]]:
    """The windows that the last run of a microbatch loaded, in their order: start, rows read, inserted, deleted."""
    last = f"(SELECT MAX(as_of) FROM c360_control.run_log WHERE node = '{node}' AND status = 'succeeded')"
    columns = "window_start, source_rows, inserted_rows, deleted_rows"
    rows = found.rows(f"SELECT {columns} FROM c360_control.run_log WHERE node = '{node}' AND status = 'succeeded' AND as_of = {last}")
    return sorted([plain(v) for v in row] for row in rows)
