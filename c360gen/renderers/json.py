"""`--format json`: every field of every diagnostic, for scripts."""

from __future__ import annotations

import json
from typing import Any

from c360gen.diagnostics import Diagnostic
from c360gen.renderers import Report

VERSION = 1


def render(report: Report) -> str:
    """{version, command, errors, warnings, diagnostics: [{code, severity, message, help, place: {path, line, column, end_column}}]}"""
    content = {
        "version": VERSION, "command": report.command, "errors": report.errors,
        "warnings": sum(d.severity == "warning" for d in report.found),
        "diagnostics": [_one(d) for d in report.found],
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False)


def _one(diagnostic: Diagnostic) -> dict[str, Any]:
    at = diagnostic.span
    place = {"path": at.path, "line": at.line, "column": at.column, "end_column": max(at.end_column, at.column + 1)} if at else None
    return {
        "code": diagnostic.code, "severity": diagnostic.severity, "message": diagnostic.message, "help": diagnostic.help, "place": place,
        **({"detail": diagnostic.detail} if diagnostic.detail else {}),
    }  # fmt: skip
