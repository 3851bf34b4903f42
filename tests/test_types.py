"""The table of types, both ways: every canonical type prints on every engine and is read back as what it was."""

from __future__ import annotations

import pytest

from c360gen import dialects
from c360gen.terms import types

CANONICAL = ("text", "varchar(20)", "smallint", "integer", "bigint", "numeric(12,2)", "numeric(38,2)", "numeric(38,9)", "double",
             "boolean", "date", "timestamp", "timestamptz")  # fmt: skip
SAID = {
    "duckdb": ("TEXT", "TEXT", "SMALLINT", "INTEGER", "BIGINT", "DECIMAL(12, 2)", "DECIMAL(38, 2)", "DECIMAL(38, 9)", "DOUBLE",
               "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ"),
    "postgres": ("TEXT", "VARCHAR(20)", "SMALLINT", "INTEGER", "BIGINT", "NUMERIC(12, 2)", "NUMERIC(38, 2)", "NUMERIC(38, 9)",
                 "DOUBLE PRECISION", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ"),
    "snowflake": ("VARCHAR", "VARCHAR(20)", "NUMBER(38, 0)", "NUMBER(38, 0)", "NUMBER(38, 0)", "NUMBER(12, 2)", "NUMBER(38, 2)",
                  "NUMBER(38, 9)", "FLOAT", "BOOLEAN", "DATE", "TIMESTAMP_NTZ(6)", "TIMESTAMP_NTZ(6)"),
    "bigquery": ("STRING", "STRING(20)", "INT64", "INT64", "INT64", "NUMERIC(12, 2)", "BIGNUMERIC(38, 2)", "NUMERIC(38, 9)",
                 "FLOAT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAID))
def test_every_type_is_said(name: str) -> None:
    found = tuple(dialects.get(name).type(parsed) for word in CANONICAL if (parsed := types.parse(word)))
    assert found == SAID[name]


@pytest.mark.parametrize("word", CANONICAL)
def test_the_canonical_spelling_reads_back(word: str) -> None:
    parsed = types.parse(word)
    assert parsed is not None and types.text(parsed) == word


@pytest.mark.parametrize(
    ("word", "canonical"),
    [
        ("STRING", "text"), ("int64", "bigint"), ("NUMBER(10, 2)", "numeric(10,2)"), ("decimal", "numeric(38,9)"),
        ("character varying(5)", "varchar(5)"), ("timestamp with time zone", "timestamptz"), ("TIMESTAMP_NTZ", "timestamp"),
        ("timestamptz(6)", "timestamptz"), ("float8", "double"), ("Bool", "boolean"), ("numeric(5)", "numeric(5,0)"),
    ],
)  # fmt: skip
def test_the_words_of_other_engines(word: str, canonical: str) -> None:
    parsed = types.parse(word)
    assert parsed is not None and types.text(parsed) == canonical


@pytest.mark.parametrize("word", ["json", "array<int>", "numeric(39,2)", "numeric(2,3)", "timestamptz(9)", "", "varchar(0)", "text; drop"])
def test_what_is_not_carried(word: str) -> None:
    assert types.parse(word) is None
