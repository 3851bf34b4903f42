"""released.json says everything: a state that was written and read differs from the specs in nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.migrate import state
from c360gen.migrate.checksum import checksum, holds
from c360gen.pipeline import LoadedProject, build, load_project, plan, state_of
from tests.conftest import CASES, ENGINES, built
from tests.slow import but_slow

SPECS = [p.parent / "specs" for p in sorted(CASES.glob("*/scenario.yml"))]


@pytest.mark.parametrize("engine", but_slow([pytest.param(e, id=e) for e in ENGINES], ("duckdb", "snowflake")))
def test_a_state_that_is_read_again_is_the_same(engine: str, project: Callable[[Path], LoadedProject]) -> None:
    for specs in (*SPECS, Path(__file__).parents[2] / "specs"):
        loaded = project(specs)
        if engine not in loaded.resolved.targets:
            continue
        made = built(loaded, engine)
        found = state_of(loaded, made)
        again = state.parse(state.text(found))
        assert state.text(again) == state.text(found)
        made_plan = plan(loaded, made, again)
        assert (made_plan.steps, made_plan.problems) == ((), ()), specs


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    assert state.read(tmp_path) is None
    for text in ("", "[]", '{"version": 99}', json.dumps({"version": 1})):
        (tmp_path / "released.json").write_text(text, encoding="utf-8")
        with pytest.raises(state.BadState, match=r"released\.json cannot be read"):
            state.read(tmp_path)


def test_a_merge_that_was_not_ended_is_told(tmp_path: Path) -> None:
    (tmp_path / "released.json").write_text('{\n<<<<<<< HEAD\n"version": 1\n=======\n>>>>>>> other\n}\n', encoding="utf-8")
    with pytest.raises(state.BadState, match=r"conflict markers in it: take one branch's file and migrations"):
        state.read(tmp_path)


def test_an_identity_is_the_shape_of_the_baseline_and_moves_with_every_migration() -> None:
    project = load_project(SPECS[0])
    found = state_of(project, build(project, "duckdb"))
    numbers = [
        dataclasses.replace(found, migrations=tuple(state.Migration(n, "x", "1:x") for n in range(1, last + 1))) for last in (0, 1, 2, 3)
    ]
    identities = [s.identity for s in numbers]
    assert identities[0] == identities[1] == found.shape
    assert len(set(identities)) == 3


def test_a_checksum_sees_words_and_nothing_else() -> None:
    text = "-- c360gen | postgres | x\n-- Do not edit: y\n\nSELECT 'a  b',\n    \"c\"; -- it's a comment\nSELECT 1;\n"
    same = checksum(text)
    assert checksum(text.replace("\n", "\r\n")) == same
    assert checksum(text.replace("    ", "\t")) == same
    assert checksum("-- c360gen | another header\n" + text) == same
    assert checksum(text.replace("a  b", "a b")) != same, "white space in a string is its value"
    assert checksum(text.replace("SELECT 1", "SELECT 2")) != same
    assert holds("x", "3:0000") is None


def test_a_checksum_knows_where_a_string_ends() -> None:
    """A backslash may escape an apostrophe; where none does, checksums are what they were before that was known."""
    text = "SELECT 'it\\'s  a',\n    1;\n"
    same = checksum(text, backslashes=True)
    assert checksum(text.replace("    ", "\t"), backslashes=True) == same
    assert checksum(text.replace("s  a", "s a"), backslashes=True) != same, "white space in a string is its value"
    assert holds(text.replace("    ", " "), same) and not holds(text.replace("s  a", "s a"), same)
    assert holds(text, checksum(text)), "as it was recorded once"
    plain = text.replace("\\", "'")
    assert checksum(plain, backslashes=True) == checksum(plain) == "1:650a7014e2ea31dd954c73450bfcbb001e974c88910d70a1f75c22ba7ea05ec8"
