"""Slips in YAML: every kind in every line of the shipped project, and how often the line that has it is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from c360gen.diagnostics import Diagnostics
from c360gen.spec import yaml as spec_yaml

FILES = sorted((Path(__file__).parents[2] / "specs").rglob("*.yml"))


def slips(line: str) -> Iterator[str]:
    """The line with one slip each."""
    bare = line.lstrip()
    yield from (f" {line}", f"  {line}", f"\t{bare}")
    yield from (line[n:] for n in (1, 2) if line.startswith(" " * n))
    cut = [(":", ""), (": ", ":"), ("- ", ""), ("- ", "-"), ("{", ""), ("}", ""), ("[", ""), ("]", ""), (", ", " "), ('"', ""), ("'", "")]
    yield from (line.replace(sign, instead, 1) for sign, instead in cut if sign in line)


@pytest.mark.parametrize("loader", [spec_yaml._LOADER, yaml.SafeLoader], ids=["default", "python"])
def test_the_line_with_the_slip_is_named(loader: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader itself names it in two of three cases; which of two lines is indented wrongly is a matter of taste in the others."""
    monkeypatch.setattr(spec_yaml, "_LOADER", loader)
    said: Counter[str] = Counter()
    for path in FILES:
        lines = path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines):
            for changed in slips(line) if line.strip() else ():
                found = Diagnostics()
                spec_yaml.parse("\n".join([*lines[:number], changed, *lines[number + 1 :]]), "p.yml", found)
                if unreadable := [d for d in found if d.code == "C101" and d.span]:
                    (finding,) = unreadable
                    assert finding.span is not None and 1 <= finding.span.line <= len(lines)
                    said["all"] += 1
                    said["there"] += finding.span.line == number + 1
                    said["help"] += finding.help is not None
    assert said["all"] > 1000 and said["there"] > 0.9 * said["all"] and said["help"] > 0.95 * said["all"], said


@pytest.mark.parametrize("sign", ["\r", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize(
    "text", ["project: # what follows is no comment{}extends: x", "description: a{} # b", "{}'project: {{}}", 'a: "b{}c"']
)
def test_a_line_that_ends_for_yaml_alone_is_refused(text: str, sign: str) -> None:
    """A comment would end with it too, and what follows would be read."""
    found = Diagnostics()
    assert spec_yaml.parse(f"# shop\n{text.format(sign)}\n", "p.yml", found) is None
    ((message, span),) = [(d.message, d.span) for d in found]
    assert message == f"a line ends here for YAML, and in no editor: U+{ord(sign):04X}"
    assert span is not None and (span.line, span.column) == (2, text.index("{}") + 1)
