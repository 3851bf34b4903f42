"""What a migration computes: over columns as they are afterwards, and beside whatever columns there are."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.migrate.changes import HEAD, ROWS, snapshot, source
from tests.migrate.evolving import Evolving

ENGINES = ("duckdb", "postgres")
DAY = "2026-01-02 00:00:00"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["numeric(12,2)", "text"])
def test_a_backfill_reads_columns_in_their_new_types(kind: str, engine: str, evolving: Callable[[str], Evolving]) -> None:
    """10 / 4 is 2.5 as soon as the score is a number with decimals, wherever the columns stand; a text is copied, and then read."""
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    shop.sql(f"ALTER TABLE raw.customers ALTER COLUMN score TYPE {kind}")
    columns = {"id": "bigint", "half": "numeric(20,9)" if kind != "text" else "text", "email": "text", "city": "varchar(20)", "score": kind}
    after = HEAD + "".join(f"          - {{name: {n}, data_type: '{t}'}}\n" for n, t in {**columns, "updated_at": "timestamptz"}.items())
    value = "score / 4" if kind != "text" else "score || '!'"
    shop.evolve(after + snapshot(columns=f'      - {{name: half, history: {{backfill: "{value}"}}}}\n'), "half")
    expected = "10!" if kind == "text" else Decimal("2.5")
    assert shop.rows("SELECT half FROM snap.history WHERE id = 1") == [(expected,)]
    shop.execute(shop.migration("rollback.sql"))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_copy_takes_nothing_of_a_column_that_is_called_as_one(engine: str, evolving: Callable[[str], Evolving]) -> None:
    others = {"score__next": "text", "score_next": "text"}
    shop = evolving(engine)
    shop.begin(source(**others) + snapshot())
    shop.sql(ROWS[0])
    shop.sql("UPDATE raw.customers SET score__next = 'theirs'")
    shop.run("history", DAY)
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR")
    shop.evolve(source(**others, score="text") + snapshot(), "copied")
    assert shop.rows("SELECT score, score__next FROM snap.history WHERE id = 1") == [("10", "theirs")]
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT score, score__next FROM snap.history WHERE id = 1") == [(10, "theirs")]
