"""Strings, names and comments in texts of SQL."""

from __future__ import annotations

import pytest
from sqlglot import exp

from c360gen import dialects
from c360gen.terms.quotes import parts


def quoted(text: str, backslashes: bool) -> list[str]:
    assert "".join(part for _, part in parts(text, backslashes)) == text
    return [part for kind, part in parts(text, backslashes) if kind == "quoted"]


@pytest.mark.parametrize("dialect", ["bigquery", "duckdb", "postgres", "snowflake"])
@pytest.mark.parametrize("said", ["it's", "''", "a\\", "\\'", "a\\'b", "--", '"', "`", "a\nb", ""])
def test_a_string_as_an_engine_writes_it_is_one(said: str, dialect: str) -> None:
    engine = dialects.get(dialect)
    string = exp.Literal.string(said).sql(dialect)
    for text in (f"SELECT {string}, x", string):
        assert "".join(quoted(text, engine.backslashes)) == string
    assert engine.backslashes is (dialect in ("bigquery", "snowflake"))


def test_parts() -> None:
    text = "SELECT 'a' -- it's\n, \"b'\""
    assert list(parts(text, False)) == [
        ("plain", "SELECT "), ("quoted", "'a'"), ("plain", " "), ("comment", "-- it's"), ("plain", "\n, "), ("quoted", "\"b'\""),
    ]  # fmt: skip


@pytest.mark.parametrize("backslashes", [True, False])
@pytest.mark.parametrize("text", ["'open\nto the end", '"open', "`", "'open\\", "'"])
def test_what_is_not_closed_goes_on_to_the_end(text: str, backslashes: bool) -> None:
    assert quoted(f"SELECT {text}", backslashes) == [text]


def test_a_backslash_escapes_in_strings_alone() -> None:
    assert quoted("'a\\' \"b\\\" `c\\`", False) == ["'a\\'", '"b\\"', "`c\\`"]
    assert quoted("\"b\\\" `c\\` 'a\\''", True) == ['"b\\"', "`c\\`", "'a\\''"]
