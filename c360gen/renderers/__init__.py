"""Diagnostics for machines: one module per format, named as the value of --format, each `render(report) -> str`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from c360gen.diagnostics import Diagnostic

FORMATS = ("text", "json", "github", "sarif", "junit")
"""`text` is diagnostics.render, for people; the others are the modules here."""


@dataclass(frozen=True)
class Report:
    """What a command found, in order, and what it looked at without finding anything."""

    command: str
    found: Sequence[Diagnostic]
    texts: Mapping[str, str] = field(default_factory=dict)
    passed: Sequence[str] = ()

    @property
    def errors(self) -> int:
        return sum(d.severity == "error" for d in self.found)


def render(report: Report, shape: str) -> str:
    """The report in one of FORMATS; empty where the format says nothing of nothing."""
    if shape == "text":
        from c360gen.diagnostics import render as as_text

        return as_text(report.found, report.texts)
    return str(importlib.import_module(f"{__name__}.{shape}").render(report))
