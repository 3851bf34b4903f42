"""What stands behind the procedures: constraints that refuse what no run writes, and counts that notice who else writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import psycopg
import pytest

from tests.conftest import CASES
from tests.test_faults import FIRST, NODES, prepared, state
from tests.worlds import Embedded, World

REFUSED = (psycopg.errors.IntegrityError, duckdb.ConstraintException)
HISTORIES = {
    "timestamp_invalidate": ("snap.history", "id, email, updated_at", "valid_from", "valid_to", FIRST),
    "sentinel": ("snap.history", "id, email", "since", "until", "INSERT INTO raw.customers VALUES (1, 'a')"),
    "nullable_keys": ("snap.history", "country, day, grade", "valid_from", "valid_to", "INSERT INTO raw.prices VALUES (NULL, NULL, 0, 1)"),
    "timestamp_ignore": ("snap.history", "id, email, updated_at", "seen_from", "seen_to", FIRST),
    "compat_dbt": (
        "snap.marked",
        "id, email, updated_at, dbt_is_deleted, dbt_scd_id, dbt_updated_at",
        "dbt_valid_from",
        "dbt_valid_to",
        "INSERT INTO raw.customers VALUES (1, NULL, 'a', '2026-01-01 10:00:00+00')",
    ),
}


@pytest.mark.parametrize("engine", ["postgres", "duckdb"])
@pytest.mark.parametrize("case", HISTORIES)
def test_a_history_refuses(case: str, engine: str, world: Callable[[Path, str], World]) -> None:
    """A second version from the same instant; on Postgres also a second open one, and one that ends before it starts."""
    table, columns, start, end, rows = HISTORIES[case]
    found = world(CASES / case / "specs", engine)
    assert isinstance(found, Embedded)
    found.sql(rows)
    assert found.run(table.partition(".")[2], "2026-01-02 00:00:00") == ""

    def insert(starts: str, ends: str) -> None:
        found.sql(f"INSERT INTO {table} ({columns}, {start}, {end}, opened_run_id) SELECT {columns}, {starts}, {ends}, 0 FROM {table}")

    if engine == "postgres":
        for starts, ends in (
            (start, f"{start} + INTERVAL '1 day'"),
            (f"{start} + INTERVAL '1 day'", end),
            (f"{start} - INTERVAL '1 day'", f"{start} - INTERVAL '2 days'"),
            (f"{start} - INTERVAL '1 day'", f"{start} - INTERVAL '1 day'"),
        ):
            with pytest.raises(REFUSED):
                insert(starts, ends)
    elif case not in ("nullable_keys", "compat_dbt"):  # DuckDB has no index that takes NULLs as equal: the guard alone stands for it
        with pytest.raises(REFUSED):
            insert(start, f"{start} + INTERVAL '1 day'")
    before = len(found.rows(f"SELECT 1 FROM {table}"))
    insert(f"{start} - INTERVAL '2 days'", f"{start} - INTERVAL '1 day'")
    assert len(found.rows(f"SELECT 1 FROM {table}")) == 2 * before


@pytest.mark.parametrize("engine", ["postgres", "duckdb"])
@pytest.mark.parametrize("case", ["merge", "kinds/whole"])
def test_a_table_with_a_key_refuses(case: str, engine: str, world: Callable[[Path, str], World]) -> None:
    found = world(CASES / case.partition("/")[0] / "specs", engine)
    found.sql(FIRST)
    node, table = NODES[case][:2]
    assert found.run(node) == ""
    for statement in (f"INSERT INTO {table} SELECT * FROM {table}", f"UPDATE {table} SET id = NULL"):
        with pytest.raises(REFUSED):
            found.sql(statement)


@pytest.mark.parametrize("verb", ["INSERT", "UPDATE", "DELETE"])
@pytest.mark.parametrize("case", sorted(NODES))
def test_somebody_else_writes(case: str, verb: str, world: Callable[[Path, str], World]) -> None:
    """A trigger stands for the writer between the decision and the write: the number is another, so nothing is kept."""
    found = prepared(world, case, "postgres")
    node, table = NODES[case][:2]
    if case == "kinds/lines":
        found.sql("UPDATE raw.customers SET email = 'b2' WHERE id = 1")
    before = state(found, case)
    found.sql("CREATE FUNCTION raw.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    found.sql(f"CREATE TRIGGER skip BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION raw.skip()")
    message = found.run(node, "2026-01-03 00:00:00")
    found.sql(f"DROP TRIGGER skip ON {table}")
    if not wrote(case, verb):
        assert message == ""
        return
    assert message.startswith("ZC006") and state(found, case) == before
    assert found.run(node, "2026-01-03 00:00:00") == ""
    assert state(found, case) != before


def wrote(case: str, verb: str) -> bool:
    """Whether the node does that to its target, and knows beforehand to how many rows."""
    verbs = {
        "timestamp_invalidate": {"UPDATE", "INSERT"}, "kinds/checked": {"UPDATE", "INSERT"}, "merge": {"UPDATE", "INSERT"},
        "append": {"INSERT"}, "kinds/lines": {"DELETE", "INSERT"}, "kinds/whole": {"DELETE"}, "kinds/days": {"DELETE", "INSERT"},
        "kinds/months": {"DELETE", "INSERT"}, "feed_kinds/remembered": {"UPDATE", "INSERT"}, "feed_kinds/copied": {"UPDATE", "INSERT"},
    }  # fmt: skip
    return verb in verbs[case]


@pytest.mark.parametrize("case", ["merge", "append", "kinds/lines"])
def test_somebody_else_writes_during_a_full_refresh(case: str, world: Callable[[Path, str], World]) -> None:
    found = prepared(world, case, "postgres")
    node, table = NODES[case][:2]
    before = state(found, case)
    found.sql("CREATE FUNCTION raw.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    found.sql(f"CREATE TRIGGER skip BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION raw.skip()")
    assert found.run(node, "2026-01-03 00:00:00", True).startswith("ZC006")
    assert state(found, case) == before
