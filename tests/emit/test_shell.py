"""Indentation and quoting of what is put into shells."""

from __future__ import annotations

import pytest
from jinja2 import Environment
from sqlglot import exp

from c360gen import dialects
from c360gen.emit.files import one_line, sql_file
from c360gen.emit.shell import Comments, comment, dollar, indent, text_of, wrap
from c360gen.ops.shell import Shell


def test_indent_leaves_the_inside_of_strings_alone() -> None:
    text = "SELECT 'a\n  b',\n\"c\nd\" -- it's\nFROM t"
    assert indent(text, 4) == "SELECT 'a\n  b',\n    \"c\nd\" -- it's\n    FROM t"
    assert indent("a\n\nb", 2) == "a\n\n  b"
    assert indent("a\nb", 2, True) == "  a\n  b"


@pytest.mark.parametrize("dialect", ["bigquery", "duckdb", "postgres", "snowflake"])
def test_an_apostrophe_in_a_string_does_not_end_it(dialect: str) -> None:
    """Some engines double it, others write a backslash before it."""
    said = exp.Literal.string("it's").sql(dialect)
    query = exp.select(exp.Literal.string("it's"), exp.column("a")).from_("t")
    shell = Shell("dialects/bigquery/migration_check.sql.j2", {"because": "x", "query": query, "message": "'x'"})
    assert text_of(shell, dialects.get(dialect)).split("\n")[2:6] == ["  SELECT", f"    {said},", "    a", "  FROM t"]


def test_a_dollar_quote_is_never_in_its_body() -> None:
    assert dollar("SELECT 1") == "$$"
    assert dollar("SELECT '$$'") == "$c360$"
    assert dollar(["$$", "$c360$"]) == "$c360_1$"


def test_comment_and_wrap() -> None:
    assert all(line.startswith("-- ") for line in comment("word " * 60).split("\n"))
    assert wrap("a, " * 80, 5).count("\n     ") >= 1


def test_nothing_leaves_a_comment() -> None:
    """Rules, summaries and titles hold values and names of the specs: newlines, and the end of a quoted body."""
    hostile = "a\n; DROP TABLE t; --\r\n\u2028b $$ c"
    shell = Environment(extensions=[Comments])
    shell.filters["one_line"] = one_line
    text = shell.from_string("-- {{ 'Rules:  ' }}{{ said }}\n  x  -- {{ said }}.\n{{ said }}").render(said=hostile)
    said = "a ; DROP TABLE t; -- b $ $ c"
    assert text == f"-- Rules:  {said}\n  x  -- {said}.\n{hostile}"
    assert comment(hostile) == f"-- {said}"
    header = sql_file("x.sql", "SELECT 1;", dialect="postgres", title=hostile, origin=hostile).text
    assert header.splitlines()[0] == f"-- c360gen | postgres | {said} | from {said}"
