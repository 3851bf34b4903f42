"""What Snowflake's client must be told about our files, wherever we say its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAYING = [
    path for folder in ("c360gen", "docs") for kind in ("*.md", "*.j2", "*.py") for path in sorted((ROOT / folder).rglob(kind))
    if re.search(r"\bsnow sql .*-f\b", path.read_text(encoding="utf-8"))
]  # fmt: skip


@pytest.mark.parametrize("path", [ROOT / "README.md", *SAYING], ids=lambda p: p.name)
def test_snow_is_told_that_a_file_is_no_template(path: Path) -> None:
    """It renders `&name` and `<% name %>` unless it is told not to, and specs may hold both."""
    commands = re.findall(r"\bsnow sql .*-f\b", path.read_text(encoding="utf-8"))
    assert commands and all("--enable-templating NONE" in c for c in commands)
