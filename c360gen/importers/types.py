"""Types as a catalog spells them → `data_type`, or None where a type is not carried."""

from __future__ import annotations

from c360gen.terms import types

_OTHERWISE = {
    "bigquery": {"timestamp": "timestamptz"},
    "snowflake": {"timestamp_tz": "timestamptz", "timestamp_ltz": "timestamptz"},
    "postgres": {"real": "double precision"},
    "duckdb": {"hugeint": "numeric(38,0)", "tinyint": "smallint"},
}
"""Words that mean something else on the engine than in our list, or that our list does not have, by dialect."""


def vague(word: str, dialect: str) -> bool:
    """Whether a catalog does not tell how many digits there are: a NUMBER of Snowflake, or a numeric that somebody left open."""
    return word.strip().lower() in ("number", "numeric", "decimal") and dialect in ("snowflake", "postgres")


def data_type(word: str, dialect: str) -> str | None:
    """NUMBER(12,2) of Snowflake → numeric(12,2)."""
    plain = " ".join(word.lower().split())
    found = types.parse(_OTHERWISE.get(dialect, {}).get(plain, plain))
    return types.text(found) if found is not None else None
