"""The lists of reserved words beside what the engines themselves say."""

from __future__ import annotations

import psycopg

from c360gen.dialects.reserved import NO_PARAMETERS, RESERVED


def test_every_word_of_postgres_is_known(database: str) -> None:
    """C: a column may have the name, what a function returns may not; R and T: nothing may."""
    with psycopg.connect(database) as connection:
        words = connection.execute("SELECT upper(word), catcode FROM pg_get_keywords() WHERE catcode IN ('C', 'R', 'T')").fetchall()
    assert len(words) > 100
    assert {word for word, code in words if code == "C"} <= RESERVED | NO_PARAMETERS
    assert {word for word, code in words if code != "C"} <= RESERVED
