"""Broken specs: whatever is done to YAML and SQL, the answer is a finding or a build, soon, and never a traceback.

A few hundred in the suite; `make fuzz` goes on for ten minutes (`--fuzz-minutes`).
"""

from __future__ import annotations

import copy
import datetime as dt
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from c360gen import pipeline
from c360gen.cli.main import cli
from c360gen.diagnostics import SpecError, render
from tests.conftest import CASES

TODAY = dt.date(2026, 11, 25)
SLOW = 10.0
"""Seconds of this process: what takes longer hangs; an honest spec of this size takes a tenth of one."""
CORPUS = sorted(p for p in [*CASES.glob("*/specs/*.yml"), *CASES.glob("bad/*/specs/*.yml")] if p.stat().st_size < 20_000)
TEXTS = [text for p in CORPUS if b"\0" not in (raw := p.read_bytes()) and (text := raw.decode("utf-8", "replace")).count("*") < 50]


def trees() -> list[dict[str, Any]]:
    found = []
    for text in TEXTS:
        try:
            tree = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError):
            continue
        if isinstance(tree, dict):
            found.append(tree)
    return found


TREES = trees()
VALUES: list[Any] = [
    None, True, False, 0, -1, 10**30, 1.5, float("inf"), float("nan"), "", " ", "'", '"', "`", "; drop table x --", "{{",
    "{% for x in y %}", "{{ ref('nobody') }}", "{{ source('a') }}", "{{ this }}", "{{ var('x') }}", "{{ 1 / 0 }}",
    "select", "a" * 5000, "é", "\u202e", "\x7f",
    "select * from", "1; select 2", "ref('history')", "source('raw', 'customers')", "2026-01-01", "9999-12-31", "3 days", "-3 days",
    dt.date(2026, 1, 1), dt.datetime(2026, 1, 1), [], {}, [[]], [None], {"a": {}}, ["id", "id"], "id", "ID", "all", "numeric(99,1)",
    "* * * * *", "61 * * * *", "dbt", "snapshot", "valid_from", "c360_x", "v_as_of", "Europe/Berlin", "$$", "*/", "--", "%s", "\\",
]  # fmt: skip
PIECES = [
    "'", '"', "`", "(", ")", "[", "]", "{", "}", "{{", "}}", "{%", "%}", ":", "- ", "\n", "\t", "#", "&a", "*a", "!!python/object:x",
    "<<: *a", "|", ">", "select ", " from ", " where ", " group by 1", " union all ", "--", "/*", "*/", "$$", ";", ",", "\u0000",
    "\ufeff", "\u2028", "é", "null", "~", "0x1f", "1e999", "?", "%", "\\", "with x as (", " over (", "case when ", " join ",
]  # fmt: skip


def places(tree: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything below the top."""
    found: list[tuple[Any, ...]] = [here] if here else []
    if isinstance(tree, dict):
        return found + [p for key, value in tree.items() for p in places(value, (*here, key))]
    if isinstance(tree, list):
        return found + [p for index, value in enumerate(tree) for p in places(value, (*here, index))]
    return found


@st.composite
def broken_trees(draw: st.DrawFn) -> str:
    """A project of the cases with some values replaced, removed, renamed or moved."""
    tree = copy.deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.integers(1, 3))):
        paths = places(tree)
        if not paths:
            break
        *above, last = draw(st.sampled_from(paths))
        parent = tree
        for part in above:
            parent = parent[part]
        what = draw(st.sampled_from(["value", "value", "remove", "rename", "copy", "text"]))
        if what == "value":
            parent[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif what == "remove":
            del parent[last]
        elif what == "rename" and isinstance(parent, dict):
            parent[draw(st.sampled_from(["name", "config", "sql", "columns", "unique_key", "nonsense", "", "1"]))] = parent.pop(last)
        elif what == "copy":
            *to, key = draw(st.sampled_from(paths))
            inside = tree
            for part in to:
                inside = inside[part] if isinstance(inside, dict | list) and _has(inside, part) else {}
            if _has(inside, key) and _has(parent, last):
                parent[last] = copy.deepcopy(inside[key])
        elif what == "text" and isinstance(parent[last], str):
            parent[last] = draw(broken_texts(parent[last]))
    return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)


def _has(inside: Any, part: Any) -> bool:
    return part in inside if isinstance(inside, dict) else isinstance(inside, list) and isinstance(part, int) and part < len(inside)


@st.composite
def broken_texts(draw: st.DrawFn, text: str | None = None) -> str:
    """A text with some pieces put in, cut out or doubled."""
    text = draw(st.sampled_from(TEXTS)) if text is None else text
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        what = draw(st.sampled_from(["put", "cut", "double", "replace"]))
        piece = draw(st.sampled_from(PIECES))
        text = {
            "put": text[:start] + piece + text[start:], "cut": text[:start] + text[end:],
            "double": text[:end] + text[start:end] + text[end:], "replace": text[:start] + piece + text[end:],
        }[what]  # fmt: skip
    return text


def judge(text: str, target: int) -> None:
    """Load, lint, build one target; every finding is shown as a user sees it."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "p.yml").write_text(text, encoding="utf-8", errors="surrogatepass")
        try:
            project = pipeline.load_project(folder)
            found = [*project.diagnostics, *pipeline.lint(project, TODAY)]
            render(found, project.texts)
            names = sorted(project.resolved.targets)
            pipeline.build(project, names[target % len(names)])
        except SpecError as error:
            assert error.diagnostics
            assert all(d.code and d.message for d in error.diagnostics)
            render(error.diagnostics, getattr(error, "texts", {}))
    assert time.process_time() - started < SLOW


def test_the_corpus_is_large() -> None:
    assert len(TEXTS) > 60 and len(TREES) > 60


KINDS: dict[str, Callable[[], st.SearchStrategy[str]]] = {"values": broken_trees, "text": broken_texts}


@pytest.mark.parametrize("kind", KINDS)
def test_no_spec_breaks_the_compiler(kind: str, request: pytest.FixtureRequest) -> None:
    minutes = float(request.config.getoption("--fuzz-minutes")) / len(KINDS)
    until = time.monotonic() + 60 * minutes
    rounds = 0
    while rounds == 0 or time.monotonic() < until:

        @hypothesis.seed(rounds)
        @settings(
            max_examples=200 if minutes else 60, deadline=None, database=None, derandomize=False,
            suppress_health_check=list(hypothesis.HealthCheck), print_blob=False,
        )  # fmt: skip
        @given(KINDS[kind](), st.integers(0, 3))
        def one(text: str, target: int) -> None:
            judge(text, target)

        one()
        rounds += 1


def test_a_broken_spec_writes_nothing(tmp_path: Path) -> None:
    """Through the command: exit code 1, no file, no traceback."""
    (tmp_path / "specs").mkdir()

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))
    @given(broken_texts())
    def one(text: str) -> None:
        (tmp_path / "specs" / "p.yml").write_text(text, encoding="utf-8", errors="surrogatepass")
        ended = CliRunner().invoke(cli, ["build", "--specs", str(tmp_path / "specs"), "--out", str(tmp_path / "out")])
        assert ended.exit_code in (0, 1, 2), ended.output
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        if ended.exit_code:
            assert not (tmp_path / "out").exists()
        else:
            import shutil

            shutil.rmtree(tmp_path / "out")

    one()
