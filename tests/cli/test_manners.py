"""Manners of the command line: options that do what they say, one version, and errors that have a code and a way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from c360gen.cli.main import cli


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert said("init", "shop").exit_code == 0
    monkeypatch.chdir(tmp_path / "shop")
    return tmp_path / "shop"


def said(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def test_validate_takes_no_option_that_it_does_not_read(shop: Path) -> None:
    assert said("validate").exit_code == 0
    ended = said("validate", "--out", "elsewhere")
    assert ended.exit_code == 2 and "No such option" in ended.stderr


def test_there_is_one_version() -> None:
    code = "import c360gen; c360gen.__version__ = '9.9'; from c360gen.cli.main import cli; cli.main(['--version'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "c360gen 9.9\n"
