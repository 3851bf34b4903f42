"""Exit codes: what scripts and CI see. Each is seen of a real process too: a runner would not notice that one gets lost on the way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360gen.cli.main import cli
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

ANOTHER = """
snapshots:
  - name: other
    relation: source('shop', 'customers')
    config: {unique_key: id, strategy: check, check_cols: [email]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "p.yml").write_text(SOURCES, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(value: object) -> str:
    return " ".join(value)[-60:] if isinstance(value, list) else ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["validate"], 0), (["lint"], 1), (["run", "--target", "duckdb"], 2), (["plan", "--exit-code", "--target", "duckdb"], 3)],
    ids=shown,
)
def test_a_process_ends_with_its_code(arguments: list[str], expected: int, folder: Path) -> None:
    if expected == 3:
        assert CliRunner().invoke(cli, ["migrate", "--name", "baseline", "--target", "duckdb"]).exit_code == 0
        (folder / "specs" / "q.yml").write_text(ANOTHER, encoding="utf-8")
    ended = subprocess.run([sys.executable, "-m", "c360gen.cli.main", *arguments], cwd=folder, capture_output=True, check=False)
    assert ended.returncode == expected, ended.stderr.decode()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--version"], 0), (["--help"], 0), (["ls"], 0), (["explain", "C102"], 0), (["build", "--help"], 0),
        (["check"], 1), (["test"], 1), (["lint", "--format", "json"], 1), (["ls", "--select", "nobody"], 1),
        (["validate", "--specs", str(CASES / "bad" / "cycle" / "specs")], 1),
        (["build", "--specs", str(CASES / "bad" / "cycle" / "specs")], 1),
        (["validate", "--specs", "nowhere"], 1),
        (["build", "--target", "nix"], 1),
        (["bild"], 2), (["build", "--nonsense"], 2), (["build", "--dialect", "oracle"], 2), (["explain", "C999"], 2),
        (["run", "--target", "duckdb", "--database", "x", "--as-of", "yesterday"], 2),
    ],
    ids=shown,
)  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_a_command_ends_with_its_code(arguments: list[str], expected: int) -> None:
    assert CliRunner().invoke(cli, arguments).exit_code == expected


@pytest.mark.usefixtures("folder")
def test_a_project_that_is_begun_can_be_built_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    assert run(cli, ["init", "p"]).exit_code == 0
    assert run(cli, ["init", "p"]).exit_code == 1
    monkeypatch.chdir("p")
    for command in ("build", "check", "validate"):
        assert run(cli, [command]).exit_code == 0, command
    assert run(cli, ["deploy", "--target", "duckdb"]).exit_code == 2


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
