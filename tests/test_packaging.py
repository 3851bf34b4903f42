"""What a package and a repository of c360gen say of themselves."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_manners import said
from tests.lowest import PROJECT, lowest

ROOT = Path(__file__).parents[1]


def test_a_home_is_named_once() -> None:
    """Whoever moves the project finds every place that names it."""
    home = PROJECT["urls"]["Source"]
    for page in (".pre-commit-hooks.yaml", "docs/how-to/ci.md"):
        assert set(re.findall(r"https://github\.com/[\w<>-]+/c360gen\b", (ROOT / page).read_text(encoding="utf-8"))) == {home}, page


def test_the_license_is_there() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert all("Apache License" in (ROOT / name).read_text(encoding="utf-8") for name in PROJECT["license-files"])


def test_what_make_minimum_installs() -> None:
    assert {"click", "duckdb", "pydantic", "sqlglot", "psycopg"} <= lowest().keys()


def git(*words: str, cwd: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=cwd, check=True, capture_output=True)


def test_a_checkout_with_other_line_endings_is_not_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Git for Windows is set up; the specs may have them."""
    monkeypatch.chdir(tmp_path)
    said("init", "shop")
    monkeypatch.chdir(tmp_path / "shop")
    assert said("build").exit_code == 0
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        git(*words, cwd=tmp_path / "shop")
    git("clone", "-q", "-c", "core.autocrlf=true", "shop", "there", cwd=tmp_path)
    monkeypatch.chdir(tmp_path / "there")
    assert b"\r\n" in Path("specs/project.yml").read_bytes()
    ended = said("check")
    assert ended.exit_code == 0, ended.output


def test_our_own_output_is_exempt_too() -> None:
    assert "generated/** -text" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()
