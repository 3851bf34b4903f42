"""`--format sarif`: SARIF 2.1.0, which code scanning of GitHub, GitLab and Azure and many editors read."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import c360gen
from c360gen import explanations
from c360gen.diagnostics import Diagnostic
from c360gen.renderers import Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(report: Report) -> str:
    """One run; its rules are the codes that occur, with the text of `c360gen explain`."""
    codes = sorted({d.code for d in report.found})
    run = {
        "tool": {"driver": {"name": "c360gen", "version": c360gen.__version__, "rules": [_rule(c) for c in codes]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, codes.index(d.code)) for d in report.found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    if code not in explanations.codes():
        return {"id": code}
    page = explanations.page(code)
    what = page.sections["What"]
    return {
        "id": code, "shortDescription": {"text": page.title}, "fullDescription": {"text": " ".join(what.split())},
        "help": {"text": page.text, "markdown": page.text},
    }  # fmt: skip


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    text = diagnostic.message + (f"\nhelp: {diagnostic.help}" if diagnostic.help else "")
    made: dict[str, Any] = {
        "ruleId": diagnostic.code, "ruleIndex": rule, "level": diagnostic.severity, "message": {"text": text},
    }  # fmt: skip
    if at := diagnostic.span:
        region = {"startLine": at.line, "startColumn": at.column, "endColumn": max(at.end_column, at.column + 1)}
        made["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": quote(at.path)}, "region": region}}]
    return made
