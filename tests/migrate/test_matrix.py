"""Every change × every kind of node, on tables with history: nothing is lost, the next run is right, the way back is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from c360gen.engines import EngineError
from tests.migrate.changes import CHANGES, Change
from tests.migrate.evolving import Evolving
from tests.slow import but_fast

ENGINES = ("duckdb", "postgres")
ON_POSTGRES = (
    "column_empty", "column_new_version", "column_backfill", "column_untracked", "column_renamed", "column_retired", "type_copied",
    "key_copied", "sentinel_on", "markers_on", "markers_off", "model_backfill", "table_rebuilt", "windows",
)  # fmt: skip
"""One of each kind of move; `make slow` makes the others there too."""


@pytest.mark.parametrize(
    ("change", "engine"),
    but_fast(
        [pytest.param(c, e, id=f"{c.name}-{e}") for c in CHANGES for e in ENGINES],
        [*(f"{c.name}-duckdb" for c in CHANGES), *(f"{name}-postgres" for name in ON_POSTGRES)],
    ),
)
def test_change(change: Change, engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(change.before)
    for statement in change.rows:
        shop.sql(statement)
    for at in change.days:
        shop.run(change.node, at)
    for statement in change.later:
        shop.sql(statement)
    if change.later:
        shop.run(change.node, "2026-01-03 00:00:00")
    before = shop.rows(change.watch)
    full = shop.rows(f"SELECT * FROM {change.table}")
    for statement in change.source:
        shop.sql(statement)
    shop.write(change.after)
    assert "error" not in shop.cli("plan")
    shop.cli("migrate", "--name", "step")
    shop.execute(shop.migration("dry_run.sql"))
    assert shop.rows(change.watch) == before, "a dry run changed something"
    shop.deploy()
    assert shop.rows(change.watch_after or change.watch) == (change.expect if change.expect is not None else before)
    shop.execute(shop.migration("verify.sql"))
    with pytest.raises(EngineError, match="applied already"):
        shop.execute(shop.migration())
    shop.deploy()  # nothing is pending any more
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows(change.watch) == before, "the rollback lost something"
    again = shop.rows(f"SELECT * FROM {change.table}")
    assert sorted(sorted(map(str, r)) for r in again) == sorted(sorted(map(str, r)) for r in full)
    shop.deploy()
    assert shop.rows(change.watch_after or change.watch) == (change.expect if change.expect is not None else before)
    run = shop.run(change.node_after or change.node, "2026-01-05 00:00:00")
    assert (run.counters.get("inserted_rows"), run.counters.get("closed_rows", 0)) == change.next_run, run.counters
    shop.execute(shop.migration("verify.sql"))
