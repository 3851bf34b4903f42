"""Every format of every command that reports: one document on stdout, the same findings, the same exit codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result
from sarif_pydantic import Sarif

from c360gen import explanations, renderers
from c360gen.cli.main import cli
from c360gen.diagnostics import Diagnostic, Span
from tests.conftest import CASES

NASTY = Diagnostic("C104", "a, b: 100%\nsecond line \x07 <&> ü", Span("specs/a, b:c.yml", 3, 5, 9), "say 'x' %")
PLACELESS = Diagnostic("C107", "nothing", None, None)
NOTE = Diagnostic("P000", "good to know", Span("specs/a.yml", 2, 1, 1), None, "note")
WARNING = Diagnostic("C401", "careful", Span("specs/a.yml", 2, 1, 1), None, "warning")
SPEC = "models:\n  - {name: a, slq: select 1 as x}\n  - name: b\n    schema: sales\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yml").write_text(SPEC, encoding="utf-8")


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init", ".").exit_code == 0
    assert run("build").exit_code == 0


def json_of(text: str) -> list[tuple[str, str | None, int | None]]:
    found = json.loads(text)["diagnostics"]
    return [(d["code"], d["place"] and d["place"]["path"], d["place"] and d["place"]["line"]) for d in found]


def github_of(text: str) -> list[tuple[str, str | None, int | None]]:
    found = []
    for line in text.splitlines():
        matched = re.fullmatch(
            r"::(error|warning|notice) (?:file=([^,:]+),line=(\d+),col=\d+,endColumn=\d+,)?title=([CLPZ]+\d+)%3A [^,:]+::.+", line
        )
        assert matched, line
        found.append((matched[4], matched[2] and unquote(matched[2]), matched[3] and int(matched[3])))
    return found


def sarif_of(text: str) -> list[tuple[str, str | None, int | None]]:
    Sarif.model_validate_json(text)
    log = json.loads(text)
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json") and set(log) == {"$schema", "version", "runs"}
    (made,) = log["runs"]
    rules = made["tool"]["driver"]["rules"]
    assert made["columnKind"] == "unicodeCodePoints" and made["tool"]["driver"]["name"] == "c360gen"
    found = []
    for result in made["results"]:
        assert set(result) <= {"ruleId", "ruleIndex", "level", "message", "locations"} and result["level"] in ("error", "warning", "note")
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] and rules[result["ruleIndex"]]["help"]["text"]
        where = result.get("locations", [None])[0]
        if where:
            region = where["physicalLocation"]["region"]
            assert 1 <= region["startColumn"] < region["endColumn"]
            uri = where["physicalLocation"]["artifactLocation"]["uri"]
            assert not uri.startswith("/") and " " not in uri
            found.append((result["ruleId"], unquote(uri), region["startLine"]))
        else:
            found.append((result["ruleId"], None, None))
    return found


def junit_of(text: str) -> list[tuple[str, str | None, int | None]]:
    """The elements and attributes that the xsd of Jenkins and of GitLab's reader know."""
    suites = ET.fromstring(text.encode())
    assert suites.tag == "testsuites"
    found = []
    for suite in suites:
        assert suite.tag == "testsuite" and int(suite.attrib["tests"]) == len(suite)
        assert int(suite.attrib["failures"]) == sum(case.find("failure") is not None for case in suite)
        for case in suite:
            assert (
                case.tag == "testcase"
                and set(case.attrib) <= {"classname", "name", "file", "line"}
                and {"classname", "name"} <= set(case.attrib)
            )
            assert {child.tag for child in case} <= {"failure", "system-out"}
            if len(case):
                line = case.get("line")
                found.append((str(case.get("name")).split()[0], case.get("file"), line and int(line)))
    return found


READERS = {"json": json_of, "github": github_of, "sarif": sarif_of, "junit": junit_of}


def test_every_format_has_a_reader_here() -> None:
    assert set(READERS) | {"text"} == set(renderers.FORMATS)


@pytest.mark.parametrize("shape", READERS)
def test_nothing_is_lost_and_nothing_breaks_the_document(shape: str) -> None:
    found = [NASTY, PLACELESS, WARNING, NOTE]
    text = renderers.render(renderers.Report("validate", found, {"specs/a.yml": "x\ny"}), shape)
    wanted = [(d.code, d.span and d.span.path, d.span and d.span.line) for d in found]
    assert READERS[shape](text) == wanted  # type: ignore[operator]


def test_github_escapes() -> None:
    (line,) = renderers.render(renderers.Report("validate", [NASTY]), "github").splitlines()
    assert line.startswith(
        "::error file=specs/a%2C b%3Ac.yml,line=3,col=5,endColumn=9,title=C104%3A wrong value::a, b: 100%25%0Asecond line"
    )
    assert line.endswith("%0Ahelp: say 'x' %25")


@pytest.mark.parametrize("command", ["validate", "build", "check"])
@pytest.mark.parametrize("shape", READERS)
def test_findings_are_the_answer_of_every_command(bad: None, command: str, shape: str) -> None:
    result = run(command, "--format", shape)
    assert result.exit_code == 1
    assert READERS[shape](result.stdout) == [("C102", "specs/a.yml", 2), ("C102", "specs/a.yml", 4)]
    assert "error[" not in result.stderr


@pytest.mark.parametrize("command", ["validate", "build", "check", "verify"])
@pytest.mark.parametrize("shape", READERS)
def test_nothing_found_is_a_document_too(good: None, command: str, shape: str) -> None:
    arguments = ["--target", "duckdb"] if command in ("verify", "check") else []
    result = run(command, *arguments, "--format", shape)
    assert result.exit_code == 0, result.output
    assert READERS[shape](result.stdout) == []
    assert shape == "github" or result.stdout.strip()


@pytest.mark.parametrize("shape", READERS)
def test_check_names_the_file_and_the_first_line_that_differs(good: None, shape: str) -> None:
    edited = Path("generated/duckdb/control.sql")
    lines = edited.read_text(encoding="utf-8").split("\n")
    edited.write_text("\n".join([*lines[:7], "-- mine", *lines[7:]]), encoding="utf-8")
    Path("generated/duckdb/mine.sql").write_text("SELECT 1;\n", encoding="utf-8")
    result = run("check", "--format", shape)
    assert result.exit_code == 1
    assert READERS[shape](result.stdout) == [("C501", "generated/duckdb/control.sql", 8), ("C501", "generated/duckdb/mine.sql", 1)]


@pytest.mark.parametrize("shape", READERS)
def test_verify_names_the_line_that_a_judge_refuses(good: None, shape: str) -> None:
    broken = Path("generated/duckdb/deploy.sql")
    broken.write_text(broken.read_text(encoding="utf-8").replace("CREATE TABLE IF", "CREATE TABEL IF", 1), encoding="utf-8")
    result = run("verify", "--target", "duckdb", "--format", shape)
    assert result.exit_code == 1
    found = READERS[shape](result.stdout)
    assert {code for code, _, _ in found} == {"C502"} and "generated/duckdb/deploy.sql" in {path for _, path, _ in found}


def test_a_wrong_call_writes_no_document(good: None) -> None:
    result = run("build", "--dialect", "oracle", "--format", "json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert run("validate", "--format", "xml").exit_code == 2


def test_text_is_on_stderr_and_tells_how_to_explain(bad: None) -> None:
    result = run("validate")
    assert result.stdout == "" and "error[C102]" in result.stderr
    assert result.stderr.rstrip().endswith("says more")


def test_a_report_knows_every_code_of_the_bad_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is found in the wrong specs of this repository can be told in every format."""
    for case in sorted(p for p in (CASES / "bad").iterdir() if p.is_dir()):
        monkeypatch.chdir(case)
        documents = {shape: READERS[shape](run("validate", "--format", shape).stdout) for shape in READERS}
        assert documents["json"] and all(found == documents["json"] for found in documents.values()), case.name
        assert {code for code, _, _ in documents["json"]} <= set(explanations.codes())
