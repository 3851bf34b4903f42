"""What is retired stays, whatever happens to its table, and is there in every database of the released state."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.migrate.changes import ROWS, snapshot, source
from tests.migrate.evolving import Evolving

ENGINES = ("duckdb", "postgres")
DAY = "2026-01-02 00:00:00"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_that_is_copied_while_its_table_moves_is_kept_where_it_goes(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Recorded where the table was, it would be nobody's: the next migration that writes the table anew would leave it out."""
    shop = evolving(engine)
    shop.begin(source() + snapshot())
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    kept = "SELECT score__retired_2 FROM snap2.history ORDER BY id"
    shop.sql("ALTER TABLE raw.customers ALTER COLUMN score TYPE VARCHAR")
    moved = snapshot().replace("schema: snap,", "schema: snap2,")
    shop.evolve(source(score="text") + moved, "two")
    assert [c.path for c in shop.released().retired_columns] == ["snap2.history.score__retired_2"]
    shop.evolve(source(score="text") + moved.replace("}", ", dbt_valid_to_current: '9999-12-31'}"), "three")
    assert shop.rows(kept) == [(10,), (20,), (None,)]
    shop.execute(shop.migration("rollback.sql"))
    shop.execute((shop.root / "migrations/0002_two/rollback.sql").read_text(encoding="utf-8"))
    assert shop.rows("SELECT score FROM snap.history ORDER BY id") == [(10,), (20,), (None,)]
