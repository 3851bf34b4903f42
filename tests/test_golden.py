"""Golden trees of small projects: specs → every file of every target, byte for byte. `--update` rewrites; git diff is the review."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from c360gen.emit.writer import compare, write
from c360gen.pipeline import build, load_project
from tests.conftest import CASES, ENGINES

GOLDEN = sorted(p.parent for p in CASES.glob("*/expected"))


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("case", GOLDEN, ids=lambda p: p.name)
def test_tree(case: Path, target: str, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    made = build(load_project(Path("specs")), target)
    expected = case / "expected" / target
    if update:
        shutil.rmtree(expected, ignore_errors=True)
        write(expected, made.files)
    assert compare(expected, made.files) == []


def test_there_are_golden_trees() -> None:
    assert {p.name for p in GOLDEN} >= {"hostile_names", "handwritten_incremental"}
