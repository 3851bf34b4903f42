"""The list of bad messages is true: each is still said, and so is still to be mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360gen.diagnostics import Diagnostic, SpecError
from c360gen.pipeline import build, load_project
from tests.bad_messages import SHAME, Shame


def said(specs: Path) -> tuple[str, ...]:
    try:
        project = load_project(specs)
        for target in project.resolved.targets:
            build(project, target)
    except SpecError as error:
        return tuple(map(line, error.diagnostics))
    return ()


def line(found: Diagnostic) -> str:
    place = f"{found.span.line}:{found.span.column} " if found.span else ""
    return f"{place}{found.code} {found.message}{f' | {found.help}' if found.help else ''}"


@pytest.mark.parametrize("shame", SHAME, ids=lambda s: s.name)
def test_it_is_still_said(shame: Shame, tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(shame.spec, encoding="utf-8")
    assert said(tmp_path) == shame.today, "it got better? then it leaves this list, and becomes a case in tests/cases/bad/"


def test_there_is_always_something_to_mend() -> None:
    assert len({s.name for s in SHAME}) == len(SHAME) >= 15
    assert all(s.wish and s.wish not in s.today for s in SHAME)
