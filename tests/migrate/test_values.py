"""What a migration computes: over columns as they are afterwards, and beside whatever columns there are."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from c360gen.engines import EngineError
from tests.migrate.changes import HEAD, ROWS, model, snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop, findings, own

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


@pytest.mark.parametrize("engine", ENGINES)
def test_a_way_back_dates_what_came_since_by_its_versions(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """updated_at of a snapshot may not be NULL, and rows that came while nothing had one have the beginning of their version."""
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    shop.sql("ALTER TABLE raw.customers DROP COLUMN updated_at")
    shop.evolve(source(updated_at=None) + snapshot(strategy="strategy: check, check_cols: all"), "check")
    shop.sql("INSERT INTO raw.customers (id) VALUES (9)")
    shop.run("history", "2026-01-03 00:00:00")
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT count(*) FROM snap.history WHERE updated_at = valid_from AND id = 9") == [(1,)]


def test_a_way_back_asks_for_values_on_snowflake(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "snowflake")
    shop.migrate(source() + model(), "baseline")
    shop.migrate(source() + model("city, updated_at", strategy=", incremental_strategy: append, cursor: updated_at"), "appends")
    back = shop.file("rollback.sql")
    assert "fill id__retired_2, then roll back" in back and "id__retired_2` has no value" in shop.file("PLAN.md")
    assert findings("snowflake", own(back)) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_a_way_back_says_which_values_it_cannot_know(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """A key that rows which came since do not have: told in the plan, checked before anything is changed, and filled by hand."""
    shop = evolving(engine)
    shop.begin(source() + model())
    shop.sql(ROWS[0])
    shop.run("people", DAY)
    by_city = model("city, score, updated_at", strategy=", incremental_strategy: append, cursor: updated_at")
    shop.evolve(source() + by_city, "appends")
    assert "`mart.people.id__retired_2` has no value" in shop.migration("PLAN.md")
    shop.sql("INSERT INTO raw.customers (id, city, updated_at) VALUES (9, 'Lima', '2026-01-02 12:00:00+00')")
    shop.run("people", "2026-01-03 00:00:00")
    before = shop.rows("SELECT * FROM mart.people ORDER BY city")
    with pytest.raises(EngineError, match=r"mart\.people has rows without id, .* fill id__retired_2, then roll back"):
        shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT * FROM mart.people ORDER BY city") == before
    shop.sql("UPDATE mart.people SET id__retired_2 = 9 WHERE id__retired_2 IS NULL")
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT count(*) FROM mart.people WHERE id = 9") == [(1,)]
