"""`was:` says how a thing was called: what one release cannot carry out is refused, and what was carried out long ago is harmless."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.migrate.changes import ROWS, model, snapshot, source
from tests.migrate.evolving import Evolving

DAY = "2026-01-02 00:00:00"
TWO = source() + "      - name: suppliers\n        columns:\n" + source().split("columns:\n")[1]


def was(**said: str) -> str:
    return "".join(f"      - {{name: {name}, was: {old}}}\n" for name, old in said.items())


def of(table: str, name: str, was: str = "", config: str = "", schema: str = "snap") -> str:
    text = snapshot(name=name, was=was, config=config).replace("'customers'", f"'{table}'").replace("schema: snap", f"schema: {schema}")
    return text.removeprefix("snapshots:\n")


TOWNS = source(city="text", town="text")
A_AND_B = of("customers", "a") + of("suppliers", "b")
REFUSED = {
    "two columns change places": (
        source(city="text") + snapshot(), source(city="text") + snapshot(columns=was(email="city", city="email")),
        "snap.history has city and email, and only one of them can go on as city",
    ),
    "a column takes the place of one that goes": (
        TOWNS + snapshot(), source(city="text") + snapshot(columns=was(city="town")),
        "snap.history has city and town, and only one of them can go on as city",
    ),
    "a renamed column, and another one of its old name": (
        source() + snapshot(), source(mail="text") + snapshot(columns=was(mail="email")),
        "mail was email, and email is to be another column",
    ),
    "two columns that were one": (
        source() + snapshot(), source(email=None, mail="text", post="text") + snapshot(columns=was(mail="email", post="email")),
        "mail and post cannot both be what email was",
    ),
    "a column takes the place of one, and its own is still there": (
        source() + snapshot(columns=was(city="score")), source() + snapshot(columns=was(email="city")), "has email and city",
    ),
    "the ends of a version change places": (
        source() + snapshot(),
        source() + snapshot(config=", snapshot_meta_column_names: {dbt_valid_from: valid_to, dbt_valid_to: valid_from}"),
        "only one of them can go on as valid_to",
    ),
    "two nodes change places": (
        TWO + "snapshots:\n" + A_AND_B, TWO + "snapshots:\n" + of("customers", "b", "a") + of("suppliers", "a", "b"),
        "b and a are both released, and only one of them can go on as b",
    ),
    "a node takes the place of one that goes": (
        TWO + "snapshots:\n" + A_AND_B, TWO + "snapshots:\n" + of("suppliers", "a", "b"),
        "a and b are both released, and only one of them can go on as a",
    ),
    "two nodes that were one": (
        TWO + "snapshots:\n" + of("customers", "a"), TWO + "snapshots:\n" + of("customers", "b", "a") + of("customers", "c", "snap.a"),
        "b and c cannot both be what snap.a was",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_one_release_cannot_rename_is_refused(case: str, evolving: Callable[[str], Evolving]) -> None:
    """Silently dropped, it would leave the values under the wrong name, or put two entities into one history."""
    before, after, message = REFUSED[case]
    shop = evolving("duckdb")
    shop.begin(before)
    shop.write(after)
    said = shop.cli("migrate", "--name", "step", fails=1)
    assert "error[C603]: was: " in said and message in said and "help: " in said and "nodes.yml:" in said, said
    assert "C602" not in said
    assert shop.released().number == 1


def test_a_rename_that_was_carried_out_is_harmless_whatever_comes(evolving: Callable[[str], Evolving]) -> None:
    """Its word stays in the specs: while the new name alone is there, and when the old name is another thing's since."""
    shop = evolving("duckdb")
    shop.begin(TWO + "snapshots:\n" + of("customers", "history"))
    shop.sql(ROWS[0])
    shop.run("history", DAY)
    two = TWO.replace("name: email,", "name: mail,", 1)
    renamed = "snapshots:\n" + of("customers", "people", "history") + "    columns:\n" + was(mail="email")
    shop.sql("ALTER TABLE raw.customers RENAME COLUMN email TO mail")
    shop.evolve(two + renamed, "renamed")
    assert "nothing changed" in shop.cli("migrate", "--name", "again")
    again = two.replace("{name: mail, ", "{name: email, data_type: text}\n          - {name: mail, ", 1)
    shop.sql("ALTER TABLE raw.customers ADD COLUMN email VARCHAR")
    shop.evolve(again + renamed + "      - {name: email, history: empty}\n" + of("suppliers", "history"), "reused")
    shop.cli("check")
    assert "nothing changed" in shop.cli("migrate", "--name", "again")
    assert shop.rows("SELECT id, mail, email FROM snap.people ORDER BY id") == [(1, "a@x", None), (2, "b@x", None), (3, None, None)]
    assert shop.rows("SELECT count(*) FROM snap.history") == [(0,)]
    shop.write(two + renamed)
    said = shop.cli("migrate", "--name", "gone", fails=1)
    assert "people and history are both released" in said and "take was: away" in said
    shop.evolve(two + renamed.replace("    was: history\n", "").replace(was(mail="email"), "      - {name: mail}\n"), "gone")
    assert [t.name for t in shop.released().retired_tables] == ["history__retired_4"]


X_AND_Y = of("customers", "a", config=", alias: x") + of("suppliers", "b", config=", alias: y")
HANDED = {
    "two nodes swap their names": (X_AND_Y, of("customers", "a", config=", alias: y") + of("suppliers", "b", config=", alias: x")),
    "two nodes swap their schemas": (
        of("customers", "a", config=", alias: x") + of("suppliers", "b", config=", alias: x", schema="snap2"),
        of("customers", "a", config=", alias: x", schema="snap2") + of("suppliers", "b", config=", alias: x"),
    ),
    "a chain": (X_AND_Y, of("customers", "a", config=", alias: y") + of("suppliers", "b", config=", alias: z")),
    "of one that goes": (X_AND_Y, of("customers", "a", config=", alias: y")),
    "a quarantine's": (
        of("customers", "a", config=", alias: x, on_null_updated_at: quarantine") + of("suppliers", "b", config=", alias: y"),
        of("customers", "a", config=", alias: x") + of("suppliers", "b", config=", alias: x_quarantine"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HANDED)
def test_a_name_is_not_handed_from_one_table_to_another_in_one_release(case: str, evolving: Callable[[str], Evolving]) -> None:
    before, after = HANDED[case]
    shop = evolving("duckdb")
    shop.begin(TWO + "snapshots:\n" + before)
    shop.write(TWO + "snapshots:\n" + after)
    said = shop.cli("migrate", "--name", "step", fails=1)
    assert "error[C604]: " in said and "which is released as a table of" in said and "help: use two releases" in said, said


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.parametrize("moves", [True, False])
def test_a_new_node_has_the_name_of_one_that_is_gone(moves: bool, engine: str, evolving: Callable[[str], Evolving]) -> None:
    """Nothing of rows, log and watermark goes over to it; on the way back everything is the first one's."""
    shop = evolving(engine)
    shop.begin(TWO + "snapshots:\n" + of("customers", "a", config=", alias: x"))
    shop.sql(ROWS[0])
    shop.run("a", DAY)
    left = of("customers", "a", config=", alias: y") if moves else ""
    shop.evolve(TWO + "snapshots:\n" + left + of("suppliers", "b", "false", ", alias: x"), "two")
    kept = "y" if moves else "x__retired_2"
    assert shop.rows(f"SELECT (SELECT count(*) FROM snap.x), (SELECT count(*) FROM snap.{kept})") == [(0, 3)]
    assert shop.rows("SELECT node FROM c360_control.run_log") == [(f"snap.{kept}",)]
    shop.sql("INSERT INTO raw.suppliers (id, updated_at) VALUES (1, '2026-01-01 00:00:00+00')")
    shop.run("b", "2026-01-03 00:00:00")
    shop.execute(shop.migration("verify.sql"))
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT count(*) FROM snap.x") == [(3,)]
    assert shop.rows("SELECT count(*) FROM c360_control.run_log WHERE node = 'snap.x'") == [(1,)]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_node_is_renamed_and_changes_what_its_rows_mean(engine: str, evolving: Callable[[str], Evolving]) -> None:
    """The way back speaks of the node by its released name, which the specs do not know any more."""
    times = source(seen_at="timestamptz")
    people = model("id, email, updated_at, seen_at", strategy=", incremental_strategy: append, cursor: updated_at")
    persons = people.replace("cursor: updated_at", "cursor: seen_at").replace("people", "persons")
    persons = persons.replace("config", "was: people\n    config", 1)
    shop = evolving(engine)
    shop.begin(times + snapshot().replace("invalidate", "new_record") + people)
    for statement in (*ROWS, "UPDATE raw.customers SET seen_at = '2026-01-01 12:00:00+00'"):
        shop.sql(statement)
    shop.run("history", DAY)
    shop.run("people", DAY)
    shop.sql("DELETE FROM raw.customers WHERE id = 1")
    shop.run("history", "2026-01-03 00:00:00")
    shop.evolve(times + snapshot(name="clients", was="history") + persons, "both")
    shop.execute(shop.migration("verify.sql"))
    shop.execute(shop.migration("rollback.sql"))
    assert shop.rows("SELECT count(*) FROM snap.history WHERE is_deleted") == [(1,)]
    assert shop.rows("SELECT count(*) FROM mart.people") == [(3,)]
