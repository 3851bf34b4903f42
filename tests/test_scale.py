"""Time grows with the specs and not faster; `python bench/scale.py` measures 5,000 nodes."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "bench"))

import scale  # noqa: E402


def test_four_times_the_nodes_take_at_most_six_times_as_long(tmp_path: Path) -> None:
    scale.measure(tmp_path / "warm", 50)
    few, many = scale.measure(tmp_path / "few", 100), scale.measure(tmp_path / "many", 400)
    assert many["nodes"] == 4 * few["nodes"]
    for what in ("load", "lint", "build"):
        assert many[what] < 6 * few[what] + 0.2, (what, few, many)
