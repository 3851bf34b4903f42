"""docs/reference is what the code says now."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from c360gen import explanations
from c360gen.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_reference_is_current(writer: ModuleType) -> None:
    there = {p.name: p.read_text(encoding="utf-8") for p in REFERENCE.iterdir()}
    assert there == writer.pages(), "make docs"


def test_links_lead_somewhere(writer: ModuleType) -> None:
    for name, text in writer.pages().items():
        anchors = {m.lower().replace(" ", "-") for m in re.findall(r"^## (.*)$", text, re.M)} | set(re.findall(r'<a id="(.*)">', text))
        assert set(re.findall(r"\]\(#(.*?)\)", text)) <= anchors, name


def test_nothing_is_left_out(writer: ModuleType) -> None:
    pages = writer.pages()
    explained = "".join(pages[f"{name}.md"] for name in writer.KINDS)
    assert set(re.findall(r'<a id="(.*)">', explained)) == {c.lower() for c in explanations.codes()}
    assert re.findall(r"^## c360gen (\S+)$", pages["commands.md"], re.M) == sorted(COMMANDS)
