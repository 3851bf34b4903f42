"""Wrong specs and what a user is told: golden texts, and nothing is written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from c360gen.cli.main import cli
from c360gen.diagnostics import SpecError, render
from c360gen.pipeline import build, load_project
from tests.conftest import CASES

BAD = sorted(p for p in (CASES / "bad").iterdir() if p.is_dir())


def problems(specs: Path) -> str:
    """Everything that is said about a folder of specs, for every target."""
    try:
        project = load_project(specs)
        for name in project.resolved.targets:
            build(project, name)
    except SpecError as error:
        return render(error.diagnostics, getattr(error, "texts", {})) + "\n"
    return ""


@pytest.mark.parametrize("case", BAD, ids=lambda p: p.name)
def test_text(case: Path, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    said = problems(Path("specs"))
    golden = case / "diagnostics.txt"
    if update:
        golden.write_text(said, encoding="utf-8")
    assert said, "a bad spec must not pass"
    assert said == golden.read_text(encoding="utf-8")


def one_per_code() -> list[Path]:
    """A spec for every code that a bad spec is told."""
    found: dict[str, Path] = {}
    for case in BAD:
        for code in re.findall(r"^error\[(C\d+)\]", (case / "diagnostics.txt").read_text(encoding="utf-8"), re.M):
            found.setdefault(code, case)
    return sorted(set(found.values()))


@pytest.mark.parametrize("case", one_per_code(), ids=lambda p: p.name)
def test_nothing_is_written(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    """All mistakes leave `build` by one gate, before the first file: cli/options.builds, all or nothing."""
    monkeypatch.chdir(case)
    result = CliRunner().invoke(cli, ["build", "--out", str(tmp_path / "out"), "--specs", "specs", *all_targets(case)])
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert not os.path.exists(tmp_path / "out")


def all_targets(case: Path) -> list[str]:
    """Targets of the case, so that what only one engine refuses is refused."""
    try:
        return [a for name in load_project("specs").resolved.targets for a in ("--target", name)]
    except SpecError:
        return []
