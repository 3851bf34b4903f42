"""Tableau's own schema reads the data sources: `make tableau`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / ".venv-tableau/bin/python"


def said(*paths: Path) -> list[list[str]]:
    ended = subprocess.run([PYTHON, HERE / "inside.py", *paths], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(ended.stdout)
    return [found[str(p)] for p in paths]


@pytest.mark.tableau
def test_data_sources_are_valid(tmp_path: Path) -> None:
    files = sorted([*(HERE / "expected").rglob("*.tds"), *(ROOT / "generated").rglob("*.tds")])
    assert len(files) > 20
    assert said(*files) == [[]] * len(files)
    broken = tmp_path / "broken.tds"
    broken.write_text(files[0].read_text(encoding="utf-8").replace('role="dimension"', 'role="dimention"'), encoding="utf-8")
    assert "dimention" in str(said(broken))
