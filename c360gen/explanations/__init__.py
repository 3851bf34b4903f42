"""What every code means: one Markdown page per code, `<CODE>.md`, with the sections What, Why, Example and Instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SECTIONS = ("What", "Why", "Example", "Instead")


@dataclass(frozen=True)
class Page:
    """`# C102: unknown key` and what follows, as it is written."""

    code: str
    title: str
    text: str

    @property
    def sections(self) -> dict[str, str]:
        """{What: …, Why: …, Example: …, Instead: …}, each without its heading."""
        parts = self.text.split("\n## ")[1:]
        return {heading: body.strip() for heading, _, body in (p.partition("\n") for p in parts)}


@cache
def codes() -> tuple[str, ...]:
    """Every code that has a page: C… of specs, L… of the linter, P… of plans, ZC… of procedures."""
    found = [e.name.removesuffix(".md") for e in files(__name__).iterdir() if e.name.endswith(".md")]
    return tuple(sorted(found, key=lambda code: (len(code), code)))


@cache
def page(code: str) -> Page:
    """The page of a code that `codes` names."""
    text = (files(__name__) / f"{code}.md").read_text(encoding="utf-8")
    return Page(code, text.partition("\n")[0].removeprefix(f"# {code}: "), text)


def headline(code: str) -> str:
    """C102 → `C102: unknown key`; the code alone where it has no page."""
    return f"{code}: {page(code).title}" if code in codes() else code
