"""`--format github`: workflow commands, which GitHub shows as annotations beside the lines of a pull request."""

from __future__ import annotations

from c360gen import explanations
from c360gen.diagnostics import Diagnostic
from c360gen.renderers import Report


def render(report: Report) -> str:
    """::error file=specs/a.yml,line=3,col=5,endColumn=9,title=C102%3A unknown key::`slq` is not a key of a model"""
    return "\n".join(map(_one, report.found))


def _one(diagnostic: Diagnostic) -> str:
    properties = {}
    if at := diagnostic.span:
        properties = {"file": at.path, "line": str(at.line), "col": str(at.column), "endColumn": str(max(at.end_column, at.column + 1))}
    properties["title"] = explanations.headline(diagnostic.code)
    shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    text = diagnostic.message + (f"\nhelp: {diagnostic.help}" if diagnostic.help else "")
    level = "notice" if diagnostic.severity == "note" else diagnostic.severity
    return f"::{level} {shown}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
