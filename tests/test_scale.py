"""Work grows with the specs and not faster; `python bench/scale.py` measures 5,000 nodes."""

from __future__ import annotations

import cProfile
import datetime as dt
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from c360gen import pipeline

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "bench"))

import scale  # noqa: E402

T = TypeVar("T")


def calls(folder: Path, nodes: int) -> dict[str, int]:
    """How many functions are called by stage: the same number on every machine, however busy it is."""
    folder.mkdir()
    (folder / "p.yml").write_text(scale.specs(nodes), encoding="utf-8")
    found: dict[str, int] = {}

    def counted(stage: str, do: Callable[[], T]) -> T:
        with cProfile.Profile() as profile:
            done = do()
        found[stage] = sum(entry.callcount for entry in profile.getstats())
        return done

    project = counted("load", lambda: pipeline.load_project(folder))
    counted("lint", lambda: pipeline.lint(project, dt.date(2026, 1, 1)))
    counted("build", lambda: pipeline.build(project, "postgres"))
    assert len(project.resolved.nodes) == nodes
    return found


def test_four_times_the_nodes_take_four_times_the_calls(tmp_path: Path) -> None:
    calls(tmp_path / "warm", 5)
    few, many = calls(tmp_path / "few", 15), calls(tmp_path / "many", 60)
    for stage in few:
        assert many[stage] < 4.4 * few[stage], (stage, few, many)


@pytest.mark.slow
def test_four_times_the_nodes_take_at_most_six_times_as_long(tmp_path: Path) -> None:
    """What no count of calls shows: lists that are searched, texts that are put together again and again."""
    scale.measure(tmp_path / "warm", 50)
    few, many = scale.measure(tmp_path / "few", 100), scale.measure(tmp_path / "many", 400)
    assert many["nodes"] == 4 * few["nodes"]
    for what in ("load", "lint", "build"):
        assert many[what] < 6 * few[what] + 0.2, (what, few, many)
