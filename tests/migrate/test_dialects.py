"""What a dialect must say of migrations, and that nobody else says it in its stead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import c360gen.migrate
from c360gen import dialects
from c360gen.emit.shell import text_of
from c360gen.ops.change import Routine
from c360gen.spec.models.words import DIALECTS
from c360gen.terms import types

SOURCES = (*Path(c360gen.migrate.__file__).parent.glob("*.py"), Path(dialects.__file__).parent / "names.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.stem)
def test_no_dialect_is_asked_for_by_its_name(path: Path) -> None:
    """A fifth would be missing there. As a neutral spelling of a tree the words of Postgres are as good as any."""
    text = path.read_text(encoding="utf-8").replace('.sql("postgres")', "")
    assert re.findall(rf"[\"']({'|'.join(DIALECTS)})[\"']", text) == []


@pytest.mark.parametrize("name", DIALECTS)
def test_facts(name: str) -> None:
    dialect = dialects.get(name)
    assert dialect.changes.told_about_grants.endswith(".")
    assert all(said.endswith(".") for said in (*dialect.changes.before_and_after, dialect.changes.told_about_locks or "."))
    assert dialect.changes.suspends_tasks is (name == "snowflake")
    assert dialect.stored_family(types.RUN_ID) == ("text" if dialect.sees_databases else "integer")


def test_snowflake_names_routines_by_kinds() -> None:
    """Its documentation shows GRANT and DROP with no sizes of types."""
    snowflake = dialects.get("snowflake")
    (dropped,) = snowflake.changes.drop_routine(Routine("PROCEDURE", "a.b", "TIMESTAMP_NTZ(6), NUMBER(38, 0), BOOLEAN"))
    assert text_of(dropped, snowflake) == "DROP PROCEDURE IF EXISTS a.b(TIMESTAMP_NTZ, NUMBER, BOOLEAN);"
