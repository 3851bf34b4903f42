"""`--format junit`: a test case per finding and per thing that is sound, for the test reports of GitLab, Jenkins and others."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from c360gen import explanations
from c360gen.diagnostics import Diagnostic
from c360gen.diagnostics import render as as_text
from c360gen.renderers import Report

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say, not even escaped."""


def render(report: Report) -> str:
    """<testsuites><testsuite><testcase classname="specs/a.yml" name="C102 3:5"><failure type="C102" message="…">…"""
    cases = [_finding(d, report) for d in report.found]
    cases += [ET.Element("testcase", classname="c360gen", name=_clean(name)) for name in report.passed]
    if not cases:
        cases.append(ET.Element("testcase", classname="c360gen", name=report.command))
    numbers = {"tests": str(len(cases)), "failures": str(report.errors), "errors": "0"}
    suites = ET.Element("testsuites", {"name": "c360gen", **numbers})
    ET.SubElement(suites, "testsuite", {"name": f"c360gen {report.command}", **numbers, "skipped": "0"}).extend(cases)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _finding(diagnostic: Diagnostic, report: Report) -> ET.Element:
    """A warning or a note is a case that passes and says something."""
    at = diagnostic.span
    place = f" {at.line}:{at.column}" if at else ""
    case = ET.Element("testcase", classname=_clean(at.path) if at else "c360gen", name=f"{diagnostic.code}{place}")
    if at:
        case.set("file", _clean(at.path))
        case.set("line", str(at.line))
    text = _clean(as_text([diagnostic], report.texts))
    if diagnostic.severity != "error":
        ET.SubElement(case, "system-out").text = text
    else:
        message = f"{explanations.headline(diagnostic.code)}: {_clean(diagnostic.message)}"
        ET.SubElement(case, "failure", type=diagnostic.code, message=message).text = text
    return case


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
