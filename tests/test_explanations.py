"""A page for every code; every example of a spec is built and gives exactly its code, every way out of it gives none."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import c360gen
from c360gen import explanations, lint, pipeline
from c360gen.cli.main import cli
from c360gen.diagnostics import CODES, Diagnostic, SpecError, render
from c360gen.ops.program import GUARDS
from c360gen.pipeline import LoadedProject, build, load_project
from tests.conftest import CASES, built

PAGES = Path(c360gen.__file__).parent / "explanations"
NOT_OF_SPECS = ("C5", "C6", "C7", "C8")
"""What they say is about files, packages, what is released and databases, which a spec alone cannot show."""
SPEC_CODES = [c for c in explanations.codes() if c.startswith(("C", "L")) and not c.startswith(NOT_OF_SPECS)]
TODAY = dt.date(2026, 11, 25)
GUARD_CASES = (
    "guards", "microbatch", "microbatch_words", "unmoved", "sentinel", "maintenance", "changelog_policies", "policies", "freshness",
    "keeps_rows", "constraints", "adoption",
)  # fmt: skip


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.S | re.M)


def findings(spec: str) -> tuple[list[Diagnostic], str]:
    """What is said of specs/example.yml, for every target."""
    Path("specs").mkdir(exist_ok=True)
    Path("specs/example.yml").write_text(spec, encoding="utf-8")
    try:
        project = load_project("specs")
        for target in project.resolved.targets:
            build(project, target)
    except SpecError as error:
        return error.diagnostics, render(error.diagnostics, getattr(error, "texts", {})) + "\n"
    found = [*project.diagnostics, *pipeline.lint(project, TODAY)]
    return found, render(found, project.texts) + "\n" if found else ""


def test_every_code_has_a_page_and_no_page_lacks_a_code() -> None:
    ours = {**CODES, **GUARDS, **lint.titles()}
    assert {c: explanations.page(c).title for c in explanations.codes()} == ours


@pytest.mark.parametrize("code", explanations.codes())
def test_a_page_has_its_four_sections(code: str) -> None:
    page = explanations.page(code)
    assert page.text.startswith(f"# {code}: {page.title}\n")
    assert tuple(page.sections) == explanations.SECTIONS
    assert all(page.sections.values())
    assert max(map(len, page.text.splitlines())) <= 170


@pytest.mark.parametrize("code", SPEC_CODES)
def test_the_example_gives_the_code_and_instead_gives_none(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    sections = explanations.page(code).sections
    (example,) = fences(sections["Example"], "yaml")
    found, said = findings(example)
    also = {"L101"} if code == "L002" else set()  # what the exception excused until it ended
    assert {d.code for d in found} == {code, *also}
    if update:
        at = PAGES / f"{code}.md"
        old = f"## Example\n\n{sections['Example']}\n"
        at.write_text(
            at.read_text(encoding="utf-8").replace(old, f"## Example\n\n```yaml\n{example}```\n\n```text\n{said}```\n"), encoding="utf-8"
        )
    else:
        assert fences(sections["Example"], "text") == [said]
    (instead,) = fences(sections["Instead"], "yaml")
    assert findings(instead) == ([], "")


OWN = re.compile(r"\b(raw\.\w+|raw_data\.\w+|customer_id|id|updated_at|seen_at|visits|careless|email|\w+_health|history)\b|0(\\\\)?\.\d")
"""What differs between an example and the cases: names of relations, keys, columns and nodes, and one share."""


def said_by_procedures(project: Callable[[Path], LoadedProject]) -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """Code → what Postgres procedures of the cases say under it: the pattern of the message, and the hint."""
    found: dict[str, list[tuple[re.Pattern[str], str]]] = {}
    raised = re.compile(
        r"RAISE EXCEPTION USING\s+ERRCODE = '(\w+)',\s+MESSAGE = format\(\s*'((?:[^']|'')*)'(?:(?!RAISE).)*?HINT = '((?:[^']|'')*)'", re.S
    )
    for case in GUARD_CASES:
        for file in built(project(CASES / case / "specs"), "postgres").files:
            for code, message, hint in raised.findall(file.text if file.path.startswith("procedures/") else ""):
                words = [re.escape(OWN.sub("OWN", part)) for part in message.split("%s")]
                found.setdefault(code, []).append((re.compile(".+".join(words)), OWN.sub("OWN", hint)))
    return found


def test_the_example_of_a_guard_is_what_a_procedure_says(project: Callable[[Path], LoadedProject]) -> None:
    """Word for word, but for the names of the example."""
    said = said_by_procedures(project)
    for code in GUARDS.keys() - SNOWFLAKES:
        (example,) = fences(explanations.page(code).sections["Example"], "text")
        lines = OWN.sub("OWN", example).splitlines()
        message, hint = lines[0].removeprefix("ERROR:  "), lines[-1].removeprefix("HINT:  ")
        assert any(pattern.fullmatch(message) and hint == wanted for pattern, wanted in said[code]), (code, message, hint, said[code])


SNOWFLAKES = {"ZC024"}
"""What no other engine's procedures say."""


def test_the_example_of_snowflakes_own_guard_is_what_its_procedure_says(project: Callable[[Path], LoadedProject]) -> None:
    said = "".join(f.text for f in built(project(CASES / "guards" / "specs"), "snowflake").files if f.path.startswith("procedures/run_"))
    for code in SNOWFLAKES:
        (example,) = fences(explanations.page(code).sections["Example"], "text")
        message = re.search(rf"v_message := '({code} [^;]*(?:;(?! *\n)[^;]*)*);\n", said)
        assert message is not None
        words = [re.escape(part) for part in re.split(r"'\s*\|\| (?:\w+ \|\| )?'", message[1].removesuffix("'"))]
        assert re.fullmatch(r"(?:\S+)?".join(words), " ".join(example.split())), (message[1], example)


def test_explain() -> None:
    run = CliRunner().invoke
    shown = run(cli, ["explain", "c102"])
    assert shown.exit_code == 0 and shown.stdout == explanations.page("C102").text
    listed = run(cli, ["explain"])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == list(explanations.codes())
    wrong = run(cli, ["explain", "C1102"])
    assert wrong.exit_code == 2 and "did you mean 'C102'?" in wrong.stderr


def test_explain_answers_at_once() -> None:
    """It reads pages, and imports no compiler for it."""
    import subprocess
    import sys

    code = "import sys; from c360gen.cli.main import cli; cli.main(['explain', 'ZC001'], standalone_mode=False); print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in shown for name in ("sqlglot", "pydantic", "jinja2", "yaml"))
