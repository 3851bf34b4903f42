"""Benchmarks measure nothing here: they only have to run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.mark.slow
@pytest.mark.parametrize("script", ["snapshot", "guards", "feeds", "adoption"])
def test_it_runs(script: str) -> None:
    ended = subprocess.run([sys.executable, str(BENCH / f"{script}.py"), "duckdb", "400"], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) > 3
