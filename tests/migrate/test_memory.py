"""What the control tables remember of a table goes when it is not true any more: digests of seeds, watermarks, windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.engines import EngineError
from tests.migrate.changes import snapshot, source
from tests.migrate.evolving import Evolving
from tests.migrate.test_warehouses import Shop, interrupted, own

ENGINES = ("duckdb", "postgres")
SEED = "seeds:\n  - name: codes\n    config: {schema: mart}\n    columns: [{name: code, data_type: text}]\n"
VIEW = "models:\n  - name: seen\n    sql: select id from {{ source('raw', 'customers') }}\n"
TABLE = VIEW + "  - name: codes\n    config: {materialized: table}\n    sql: select email as code from {{ source('raw', 'customers') }}\n"
CODES = "SELECT code FROM mart.codes ORDER BY 1"


def seeded(specs: Path) -> None:
    (specs / "seeds").mkdir(exist_ok=True)
    (specs / "seeds" / "codes.csv").write_text("code\na\nb\n", encoding="utf-8")


def unseeded(specs: Path) -> None:
    (specs / "seeds" / "codes.csv").unlink()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_that_was_retired_is_loaded_when_it_comes_again(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    seeded(shop.specs)
    shop.begin(source() + SEED + VIEW)
    unseeded(shop.specs)
    shop.evolve(source() + VIEW, "without")
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows(CODES) == [("a",), ("b",)]
    shop.deploy()
    seeded(shop.specs)
    shop.evolve(source() + SEED + VIEW, "again")
    assert shop.rows(CODES) == [("a",), ("b",)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_whose_migration_was_rolled_back_is_loaded_by_the_next_deploy(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + VIEW)
    seeded(shop.specs)
    shop.evolve(source() + SEED + VIEW, "seed")
    shop.execute(shop.migration("rollback.sql"))
    shop.deploy()
    assert shop.rows(CODES) == [("a",), ("b",)]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_that_was_a_table_meanwhile_has_its_own_rows_again(engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    seeded(shop.specs)
    shop.begin(source() + SEED + VIEW)
    unseeded(shop.specs)
    shop.evolve(source() + TABLE, "as_table")
    shop.sql("INSERT INTO raw.customers (id, email) VALUES (1, 'x@x')")
    shop.run("codes", "2026-01-02 00:00:00")
    assert shop.rows(CODES) == [("x@x",)]
    seeded(shop.specs)
    shop.evolve(source() + SEED + VIEW, "as_seed")
    assert shop.rows(CODES) == [("a",), ("b",)]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_a_seed_that_comes_again_is_loaded_on_a_warehouse(engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    seeded(shop.specs)
    shop.migrate(source() + SEED + VIEW, "baseline")
    world = shop.world()
    world.deploy()
    unseeded(shop.specs)
    shop.migrate(source() + VIEW, "without")
    world.warehouse.migrate(shop.file("apply.sql"))
    seeded(shop.specs)
    shop.migrate(source() + SEED + VIEW, "again")
    world.warehouse.migrate(shop.file("apply.sql"))
    assert world.rows(CODES) == [("a",), ("b",)]


# --- watermarks ----------------------------------------------------------------------------------------------------------

SEEN = source(seen_at="timestamptz")
ROWS = "INSERT INTO raw.customers (id, email, updated_at, seen_at) VALUES "
OLD_AND_NEW = ROWS + (
    "(1, 'a', '2026-03-01 00:00:00+00', '2026-01-01 00:00:00+00'), (2, 'b', '2026-03-01 00:00:00+00', '2026-01-01 00:00:00+00')"
)
"""The old column is far ahead of the new one."""


HISTORY = "SELECT id, email, valid_from, valid_to FROM snap.history ORDER BY id, valid_from"


def delta(time: str, other: str) -> str:
    strategy = f"strategy: timestamp, updated_at: {time}, on_unmoved_timestamp: ignore, source_delta: {{deletes: anti_join}}"
    return snapshot(strategy=strategy, columns=f"      - {{name: {other}, on_change: ignore}}\n")


def feed(cursor: str, late: str) -> str:
    other = "\n    columns:\n      - {name: seen_at, on_change: ignore}\n" if cursor == "updated_at" else "\n"
    strategy = f"strategy: changelog, updated_at: updated_at, cursor: {cursor}, late: {late}, lookback: 1 minute"
    strategy = strategy.replace(", cursor: updated_at", "")
    return snapshot(strategy=strategy).replace(", hard_deletes: invalidate", "").rstrip("\n") + other


@pytest.mark.parametrize("engine", ENGINES)
def test_another_updated_at_of_a_snapshot_that_reads_by_it(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """What moved below the old watermark is read, after the migration, after its rollback, and after a rewind to before it."""
    shop = evolving(engine)
    shop.begin(SEEN + delta("updated_at", "seen_at"))
    shop.sql(OLD_AND_NEW)
    shop.run("history", "2026-04-01 00:00:00")
    shop.write(SEEN + delta("seen_at", "updated_at"))
    assert "updated_at changed from updated_at to seen_at: its watermark is forgotten" in shop.cli("plan")
    shop.cli("migrate", "--name", "step")
    shop.deploy()
    shop.sql("UPDATE raw.customers SET email = 'a2', seen_at = '2026-02-01 00:00:00+00' WHERE id = 1")
    assert shop.run("history", "2026-04-02 00:00:00").counters["inserted_rows"] == 1
    assert shop.rows("SELECT email FROM snap.history_current ORDER BY id") == [("a2",), ("b",)]
    shop.execute(shop.migration("rollback.sql"))
    shop.sql("UPDATE raw.customers SET email = 'b2', updated_at = '2026-03-02 00:00:00+00' WHERE id = 2")
    shop.write(SEEN + delta("updated_at", "seen_at"))
    assert shop.rows("SELECT count(*) FROM c360_control.state WHERE watermark IS NOT NULL") == [(0,)]
    assert shop.rows("SELECT count(*) FROM c360_control.run_log WHERE watermark_after IS NOT NULL") == [(0,)]


@pytest.mark.parametrize("late", ["quarantine", "reject", "rebuild"])
@pytest.mark.parametrize("engine", ENGINES)
def test_another_cursor_of_a_feed(engine: str, late: str, evolving: Callable[[str], Evolving]) -> None:
    """Everything is read once more: what is known changes nothing, whatever happens to late events."""
    shop = evolving(engine)
    shop.begin(SEEN + feed("updated_at", late))
    shop.sql(OLD_AND_NEW)
    shop.sql(ROWS + "(1, 'a', '2026-03-02 00:00:00+00', '2026-01-02 00:00:00+00')")
    shop.sql(ROWS + "(1, 'c', '2026-03-03 00:00:00+00', '2026-01-03 00:00:00+00')")
    shop.run("history", "2026-04-01 00:00:00")
    before = shop.rows(HISTORY)
    shop.write(SEEN + feed("seen_at", late))
    assert "cursor changed from updated_at to seen_at: its watermark is forgotten" in shop.cli("plan")
    shop.cli("migrate", "--name", "step")
    shop.deploy()
    run = shop.run("history", "2026-04-02 00:00:00")
    assert (run.counters["source_rows"], run.counters["inserted_rows"]) == (4, 0)
    assert shop.rows(HISTORY) == before
    shop.sql(ROWS + "(2, 'z', '2026-03-05 00:00:00+00', '2026-02-01 00:00:00+00')")
    assert shop.run("history", "2026-04-03 00:00:00").counters["inserted_rows"] == 1


def people(strategy: str, materialized: str = "incremental", more: str = "") -> str:
    return (
        f"models:\n  - name: people\n    config: {{materialized: {materialized}{strategy}}}\n"
        f"    sql: select id, email, updated_at, seen_at from {{{{ source('raw', 'customers') }}}}\n{more}"
    )


APPEND = ", incremental_strategy: append, cursor: %s"
MERGE = ", incremental_strategy: merge, unique_key: id, cursor: %s"
REPLACE = ", incremental_strategy: delete+insert, unique_key: id, cursor: %s"
COUNT = "SELECT id, email FROM mart.people ORDER BY 1, 2"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("before", ["append", "merge", "table"])
@pytest.mark.parametrize("after", ["append", "merge", "replace"])
def test_another_cursor_of_a_model(before: str, after: str, engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Rows are neither passed over nor there twice: not by the next run, and not by the one after a rollback."""
    kinds = {"append": APPEND, "merge": MERGE, "replace": REPLACE}
    shop = evolving(engine)
    shop.begin(SEEN + (people("", "table") if before == "table" else people(kinds[before] % "updated_at")))
    shop.sql(OLD_AND_NEW)
    shop.run("people", "2026-04-01 00:00:00")
    shop.write(SEEN + people(kinds[after] % "seen_at"))
    assert before == "table" or "cursor changed from updated_at to seen_at: its watermark is" in shop.cli("plan")
    shop.cli("migrate", "--name", "step")
    shop.deploy()
    assert shop.run("people", "2026-04-02 00:00:00").succeeded
    assert shop.rows(COUNT) == [(1, "a"), (2, "b")]
    shop.sql(ROWS + "(3, 'c', '2026-01-01 00:00:00+00', '2026-02-01 00:00:00+00')")
    shop.run("people", "2026-04-03 00:00:00")
    assert shop.rows(COUNT) == [(1, "a"), (2, "b"), (3, "c")]
    shop.execute(shop.migration("rollback.sql"))
    if before != "table":
        stays = "2026-03-01" if before == "append" else None
        assert shop.rows("SELECT CAST(CAST(watermark AS DATE) AS VARCHAR) FROM c360_control.state") == [(stays,)]


def test_an_append_whose_cursor_no_row_has_is_refused(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    narrow = people(APPEND % "updated_at").replace("updated_at, seen_at from", "updated_at from")
    shop.begin(SEEN + narrow)
    shop.write(SEEN + people(APPEND % "seen_at"))
    said = shop.cli("plan", fails=1)
    assert "error[C604]" in said and "which no row has yet" in said and "history: {backfill: …} for seen_at" in said
    shop.write(SEEN + people(APPEND % "seen_at", more="    columns:\n      - {name: seen_at, history: {backfill: updated_at}}\n"))
    assert "its watermark is the highest that is stored" in shop.cli("plan")


def test_an_append_does_not_begin_among_rows_that_are_still_to_come(evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(SEEN + people("", "table"))
    shop.sql(ROWS + "(1, 'a', '2026-01-01 00:00:00+00', '2999-01-01 00:00:00+00')")
    shop.run("people", "2026-04-01 00:00:00")
    shop.write(SEEN + people(APPEND % "seen_at"))
    shop.cli("migrate", "--name", "step")
    with pytest.raises(EngineError, match="would be appended again"):
        shop.execute(shop.migration())


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_another_cursor_on_a_warehouse(engine: str, tmp_path: Path) -> None:
    shop = Shop(tmp_path, engine)
    shop.migrate(SEEN + delta("updated_at", "seen_at") + people(APPEND % "updated_at"), "baseline")
    world = shop.world()
    world.deploy()
    world.sql(OLD_AND_NEW)
    assert [world.run(node, "2026-04-01 00:00:00") for node in ("history", "people")] == ["", ""]
    shop.migrate(SEEN + delta("seen_at", "updated_at") + people(APPEND % "seen_at"), "step")
    interrupted(world.warehouse, own(shop.file("apply.sql"), end=False))
    world.warehouse.migrate(shop.file("apply.sql"))
    after = shop.world()
    after.warehouse = world.warehouse
    world.sql("UPDATE raw.customers SET email = 'a2', seen_at = '2026-02-01 00:00:00+00' WHERE id = 1")
    assert [after.run(node, "2026-04-02 00:00:00") for node in ("history", "people")] == ["", ""]
    assert world.rows("SELECT email FROM snap.history WHERE valid_to IS NULL ORDER BY id") == [("a2",), ("b",)]
    assert world.rows(COUNT) == [(1, "a"), (1, "a2"), (2, "b")]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_new_column_that_is_overwritten_is_filled_where_only_moved_rows_are_read(
    engine: str, evolving: Callable[[str], Evolving]
) -> None:
    shop = evolving(engine)
    shop.begin(SEEN + delta("updated_at", "seen_at"))
    shop.sql(OLD_AND_NEW)
    shop.sql(ROWS + "(3, 'c', '2026-03-02 00:00:00+00', '2026-01-01 00:00:00+00')")
    shop.run("history", "2026-04-01 00:00:00")
    shop.sql("ALTER TABLE raw.customers ADD COLUMN phone VARCHAR")
    shop.sql("UPDATE raw.customers SET phone = '555'")
    overwritten = delta("updated_at", "seen_at") + "      - {name: phone, on_change: overwrite}\n"
    shop.evolve(source(seen_at="timestamptz", phone="text") + overwritten, "phone")
    shop.run("history", "2026-04-02 00:00:00")
    assert shop.rows("SELECT id, phone FROM snap.history ORDER BY 1") == [(1, "555"), (2, "555"), (3, "555")]


@pytest.mark.parametrize("policy", ["ignore", "fail"])
def test_no_version_is_promised_that_no_run_makes(policy: str, evolving: Callable[[str], Evolving]) -> None:
    strategy = f"strategy: timestamp, updated_at: updated_at, on_unmoved_timestamp: {policy}"
    shop = evolving("duckdb")
    shop.begin(source() + snapshot(strategy=strategy))
    wide = source(phone="text") + snapshot(strategy=strategy, columns="      - {name: phone, history: new_version}\n")
    shop.write(wide)
    said = shop.cli("plan", fails=1)
    assert "error[C604]" in said and f"on_unmoved_timestamp: {policy}" in said and "history: empty" in said
    shop.write(wide.replace("new_version", "empty"))
    shop.cli("plan")


# --- what a snapshot reads --------------------------------------------------------------------------------------------------


def over(read: str, columns: str, past: str = "", config: str = "") -> str:
    """A snapshot over a model of that kind, over SQL of its own, or over a source."""
    node = snapshot(config=config, columns=f"      - {{name: phone, history: {past}}}\n" if past else "")
    select = f"select {columns} from {{{{ source('raw', 'customers') }}}}"
    if read in ("sql", "source"):
        return node.replace("relation: source('raw', 'customers')", f"sql: {select}") if read == "sql" else node
    stg = f"models:\n  - name: stg\n    config: {{materialized: {read}{INCREMENTAL if read == 'incremental' else ''}}}\n    sql: {select}\n"
    return node.replace("source('raw', 'customers')", "ref('stg')") + stg


INCREMENTAL = ", incremental_strategy: merge, unique_key: id"
NARROW, WIDE = "id, email, city, score, updated_at", "id, email, city, score, phone, updated_at"
READS = {
    "ephemeral": "a part of what reads it", "sql": "its own SQL is read by runs alone", "view": "stg has no phone yet",
    "table": "stg has no phone yet", "incremental": "stg has no phone yet", "source": "a run alone knows which row of a key counts",
}  # fmt: skip


@pytest.mark.parametrize("read", READS)
def test_a_migration_takes_values_only_from_what_can_be_asked(read: str, evolving: Callable[[str], Evolving]) -> None:
    """A table that its next run fills, a view that is made anew behind it: open versions would take NULL, and get versions after all."""
    config = ", on_duplicate_key: latest" if read == "source" else ""
    shop = evolving("duckdb")
    shop.begin(source() + over(read, NARROW, config=config))
    shop.write(source(phone="text") + over(read, WIDE, "empty", config))
    said = shop.cli("migrate", "--name", "phone", fails=1)
    assert "error[C604]: snap.history.phone: history: empty needs" in said and READS[read] in said and "backfill" in said, said
    shop.sql("ALTER TABLE raw.customers ADD COLUMN phone VARCHAR")
    shop.write(source(phone="text") + over(read, WIDE, "new_version", config))
    shop.cli("migrate", "--name", "phone")
    shop.execute(shop.migration("dry_run.sql"))
    shop.deploy()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("read", ["view", "table"])
def test_a_model_that_is_released_first_can_be_asked(read: str, engine: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving(engine)
    shop.begin(source() + over(read, NARROW))
    shop.sql("INSERT INTO raw.customers (id, updated_at) VALUES (1, '2026-01-01 00:00:00+00')")
    for node in ["stg"] * (read == "table") + ["history"]:
        shop.run(node, "2026-01-02 00:00:00")
    shop.sql("ALTER TABLE raw.customers ADD COLUMN phone VARCHAR")
    shop.sql("UPDATE raw.customers SET phone = '555'")
    narrow = over(read, WIDE).replace("relation: ref('stg')", f"sql: select {NARROW} from {{{{ ref('stg') }}}}")
    shop.evolve(source(phone="text") + narrow, "model")
    if read == "table":
        shop.run("stg", "2026-01-03 00:00:00")
    shop.evolve(source(phone="text") + over(read, WIDE, "empty"), "phone")
    assert shop.rows("SELECT phone FROM snap.history") == [("555",)]
    assert shop.run("history", "2026-01-04 00:00:00").counters["inserted_rows"] == 0


# --- windows -------------------------------------------------------------------------------------------------------------


def batches(begin: str = "2026-01-02", size: str = "day", time: str = "updated_at", more: str = "", columns: str = "") -> str:
    strategy = f", incremental_strategy: microbatch, event_time: {time}, batch_size: {size}, begin: '{begin}', lookback: 0{more}"
    text = f"models:\n  - name: people\n    config: {{materialized: incremental{strategy}}}\n"
    renamed = "updated_at" if time in ("updated_at", "seen_at") else f"updated_at as {time}"
    return text + f"    sql: select id, email, {renamed}, seen_at from {{{{ source('raw', 'customers') }}}}\n{columns}"


DAYS = ROWS + ", ".join(f"({n}, 'r{n}', '2026-01-0{n} 01:00:00+00', '2026-01-0{n} 02:00:00+00')" for n in range(1, 5))
IDS = "SELECT id FROM mart.people ORDER BY 1"
KEPT = ", full_refresh: false"


def with_windows(shop: Evolving, more: str = "") -> None:
    """Four days are loaded from the second on; then the source loses the second and the third, which the table keeps."""
    shop.begin(SEEN + batches(more=more))
    shop.sql(DAYS)
    while shop.run("people", "2026-01-06 00:00:00").counters.get("inserted_rows"):
        pass
    assert shop.rows(IDS) == [(2,), (3,), (4,)]
    shop.sql("DELETE FROM raw.customers WHERE id IN (2, 3)")


def all_windows(shop: Evolving) -> None:
    for _ in range(8):
        shop.run("people", "2026-01-06 12:00:00")


RENAMED = batches(time="happened", columns="    columns:\n      - {name: happened, was: updated_at}\n", more=KEPT)
SAME_WINDOWS = {
    "renamed": (RENAMED, "column renamed", [2, 3, 4]),
    "earlier": (batches(begin="2026-01-01", more=KEPT), "begin moved from 2026-01-02 00:00 to 2026-01-01 00:00", [1, 2, 3, 4]),
    "later": (batches(begin="2026-01-04", more=KEPT), "begin moved from 2026-01-02 00:00 to 2026-01-04 00:00", [2, 3, 4]),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("after", "said", "ids"), SAME_WINDOWS.values(), ids=SAME_WINDOWS)
def test_windows_that_are_cut_as_they_were_stay_loaded(
    after: str, said: str, ids: list[int], engine: str, evolving: Callable[[str], Evolving]
) -> None:
    shop = evolving(engine)
    with_windows(shop, KEPT)
    shop.write(SEEN + after)
    told = shop.cli("plan")
    assert said in told and "loses data" not in told
    shop.cli("migrate", "--name", "step")
    shop.deploy()
    all_windows(shop)
    assert shop.rows(IDS) == [(n,) for n in ids]
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows(IDS) == [(n,) for n in ids]


@pytest.mark.parametrize("after", [batches(size="month"), batches(time="seen_at")], ids=["size", "event_time"])
def test_windows_that_are_cut_otherwise_lose_what_the_source_has_lost(after: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    with_windows(shop)
    shop.write(SEEN + after)
    assert "loses data: mart.people: the next run loads every window, and rows that the source has no more are deleted" in shop.cli("plan")
    shop.cli("migrate", "--name", "step")
    assert "- mart.people: the next run loads every window, and rows that the source has no more" in shop.migration("PLAN.md")
    shop.deploy()
    all_windows(shop)
    assert (2,) not in shop.rows(IDS)
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT count(*) FROM c360_control.windows") == [(0,)]


@pytest.mark.parametrize("before", ["windows", "merge"])
def test_windows_that_are_cut_otherwise_are_refused_where_no_row_may_go(before: str, evolving: Callable[[str], Evolving]) -> None:
    shop = evolving("duckdb")
    shop.begin(SEEN + (batches(more=KEPT) if before == "windows" else people(MERGE % "updated_at" + KEPT)))
    shop.write(SEEN + batches(size="month", more=KEPT))
    said = shop.cli("plan", fails=1)
    assert "error[C604]" in said and "though full_refresh is false" in said and "help:" in said
