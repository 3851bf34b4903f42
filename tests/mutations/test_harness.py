"""The harness itself, over a dozen defects: it kills what is a defect, lets live what is none, and its list of survivors is not stale."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutations.mutants import mutants
from tests.mutations.rules import NO_DEFECT
from tests.mutations.table import DIALECTS, entries, is_about
from tests.slow import but_slow

CASES = {"duckdb": ("merge", "timestamp_invalidate"), "postgres": ("merge",), "snowflake": ("merge",), "bigquery": ("merge",)}
SAMPLE = {
    "duckdb": (
        "IS DISTINCT FROM -> <>", "another column of the type", "lookback's sign", "write removed", "guard turned round",
        "commit removed", "FULL JOIN -> LEFT JOIN",
    ),
    "postgres": ("write removed", "the opposite counted"),
    "snowflake": ("the opposite counted",),
    "bigquery": ("<> -> =",),
}  # fmt: skip


@pytest.mark.parametrize("dialect", but_slow([pytest.param(d, id=d) for d in DIALECTS], ("postgres", "snowflake")))
def test_a_defect_of_each_sort_is_noticed(dialect: str, tmp_path: Path) -> None:
    """One defect per rule, and none lives that is one; the text that means the same is not called a defect."""
    rows = seeded(dialect, (*SAMPLE[dialect], *([NO_DEFECT] if dialect == "duckdb" else [])), tmp_path / "rows.json")
    assert {r["rule"]: bool(r["killed_by"]) for r in rows} == {
        **dict.fromkeys(SAMPLE[dialect], True),
        **({NO_DEFECT: False} if dialect == "duckdb" else {}),
    }


def seeded(dialect: str, rules: tuple[str, ...], path: Path) -> list[dict[str, str]]:
    command = [sys.executable, "-m", "tests.mutations", "--dialect", dialect, "--per-rule", "1", "--test", "tests/test_scenarios.py"]
    for name, values in (("--case", CASES[dialect]), ("--rule", rules), ("--rows", [path])):
        for value in values:
            command += [name, str(value)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_every_survivor_is_still_there() -> None:
    """An entry of survivors.yml is about a defect that the case which it names still has."""
    for entry in entries():
        dialects = [entry["dialect"]] if "dialect" in entry else DIALECTS
        found = [m for d in dialects for m in mutants(d, [entry["case"]], [entry["rule"]])]
        assert any(is_about(entry, m) for m in found), f"no longer there: {entry}"
