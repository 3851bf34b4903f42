"""Exit codes of the real process: what scripts and CI see. A runner inside Python would not notice that one gets lost on the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CASES

SOURCES = """
sources:
  - name: shop
    tables:
      - name: customers
        columns: [{name: id, data_type: bigint}, {name: email, data_type: text}]
snapshots:
  - name: history
    relation: source('shop', 'customers')
    config: {unique_key: id, strategy: check, check_cols: all}
scenarios:
  - {name: fails, steps: [{as_of: 2026-01-01, expect: [{relation: ref('history'), rows: [{id: 1}]}]}]}
"""


def code(*arguments: str, cwd: Path) -> int:
    return subprocess.run([sys.executable, "-m", "c360gen.cli.main", *arguments], cwd=cwd, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--version"], 0), (["--help"], 0), (["validate"], 0), (["ls"], 0), (["explain", "C102"], 0), (["build", "--help"], 0),
        (["lint"], 1), (["check"], 1), (["test"], 1), (["lint", "--format", "json"], 1), (["ls", "--select", "nobody"], 1),
        (["validate", "--specs", str(CASES / "bad" / "cycle" / "specs")], 1),
        (["build", "--specs", str(CASES / "bad" / "cycle" / "specs")], 1),
        (["validate", "--specs", "nowhere"], 1),
        (["bild"], 2), (["build", "--nonsense"], 2), (["explain", "C999"], 2), (["run", "--target", "duckdb"], 2),
    ],
    ids=lambda x: " ".join(x)[-60:] if isinstance(x, list) else "",
)  # fmt: skip
def test_a_process_ends_with_its_code(arguments: list[str], expected: int, tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "p.yml").write_text(SOURCES, encoding="utf-8")
    assert code(*arguments, cwd=tmp_path) == expected


def test_a_bug_of_ours_has_a_code_of_its_own(tmp_path: Path) -> None:
    script = (
        "import sys, c360gen.cli.main as m, c360gen.cli.validate as v\n"
        "def broken(**_): raise RuntimeError('a bug')\n"
        "v.command.callback = broken\n"
        "sys.argv = ['c360gen', 'validate']\n"
        "m.main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 70 and "RuntimeError: a bug" in ended.stderr
