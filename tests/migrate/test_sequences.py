"""Invented sequences of spec changes with runs in between: in the end the open versions are those of a database that was built from the
last specs at once, and every version that ever was is still there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.migrate.evolving import Evolving

TYPES = {
    "integer": ("bigint", "text"), "bigint": ("numeric(20,0)", "text"), "numeric(20,0)": ("text",),
    "varchar(10)": ("varchar(30)", "text"), "varchar(30)": ("text",), "text": (),
}  # fmt: skip
CHANGES = ("add", "drop", "rename", "retype", "move", "sentinel", "deletes")
_folders = itertools.count()


@dataclass
class Specs:
    """The specs as they are now, and what the last change says of the past."""

    columns: dict[str, str] = field(default_factory=lambda: {"a": "integer", "b": "varchar(10)"})
    past: dict[str, str] = field(default_factory=dict)
    alias: str = "history"
    sentinel: bool = False
    deletes: str = "invalidate"
    names: int = 0

    def text(self, past: bool = True) -> str:
        listed = {"id": "bigint", **self.columns, "updated_at": "timestamptz"}
        lines = ["sources:", "  - name: raw", "    schema: raw", "    tables:", "      - name: customers", "        columns:"]
        lines += [f"          - {{name: {n}, data_type: '{t}'}}" for n, t in listed.items()]
        until = ", dbt_valid_to_current: '9999-12-31'" if self.sentinel else ""
        lines += ["snapshots:", "  - name: history", "    relation: source('raw', 'customers')",
                  f"    config: {{schema: snap, alias: {self.alias}, unique_key: id, strategy: timestamp, updated_at: updated_at, "
                  f"hard_deletes: {self.deletes}, on_empty_source: allow{until}}}"]  # fmt: skip
        if past and self.past:
            lines += ["    columns:", *(f"      - {{name: {n}, {said}}}" for n, said in self.past.items())]
        return "\n".join(lines) + "\n"

    def change(self, kind: str, pick: int) -> list[str] | None:
        """One change, and what the owner of the source does for it; None where there is nothing to change."""
        self.past = {}
        chosen = sorted(self.columns)[pick % len(self.columns)] if self.columns else ""
        self.names += 1
        new = f"c{self.names}"
        if kind == "add":
            self.columns[new] = ("integer", "varchar(10)")[pick % 2]
            self.past[new] = ("history: empty", "history: new_version", "history: {backfill: 'NULL'}")[pick % 3]
            return [
                f"ALTER TABLE raw.customers ADD COLUMN {new} {self.columns[new]}",
                f"UPDATE raw.customers SET {new} = '7' WHERE id % 2 = 0",
            ]
        if kind == "drop" and len(self.columns) > 1:
            del self.columns[chosen]
            return [f"ALTER TABLE raw.customers DROP COLUMN {chosen}"]
        if kind == "rename" and chosen:
            self.columns[new] = self.columns.pop(chosen)
            self.past[new] = f"was: {chosen}"
            return [f"ALTER TABLE raw.customers RENAME COLUMN {chosen} TO {new}"]
        if kind == "retype" and chosen and TYPES[self.columns[chosen]]:
            wider = TYPES[self.columns[chosen]]
            self.columns[chosen] = wider[pick % len(wider)]
            return [f"ALTER TABLE raw.customers ALTER COLUMN {chosen} TYPE {self.columns[chosen]}"]
        if kind == "move":
            self.alias = f"history_{self.names}"
            return []
        if kind == "sentinel":
            self.sentinel = not self.sentinel
            return []
        if kind == "deletes":
            self.deletes = "invalidate" if self.deletes == "new_record" else "new_record"
            return []
        return None


def edits(specs: Specs, day: int, numbers: list[int]) -> list[str]:
    """A day of the source: rows come, change and go."""
    found = []
    for number in numbers:
        key, value = number % 5, number % 10
        at = f"2026-01-01 00:{day % 60:02}:00+00"
        names = sorted(specs.columns)
        values = ", ".join(f"'{value}'" if n % 3 else "NULL" for n, _ in enumerate(names, value))
        if number % 4 == 0:
            found.append(f"DELETE FROM raw.customers WHERE id = {key}")
        else:
            found.append(f"DELETE FROM raw.customers WHERE id = {key}")
            found.append(f"INSERT INTO raw.customers (id, {', '.join(names)}, updated_at) VALUES ({key}, {values}, '{at}')")
    return found


plays = st.lists(
    st.tuples(st.sampled_from(CHANGES), st.integers(0, 11), st.lists(st.integers(0, 39), min_size=1, max_size=4)), min_size=1, max_size=5
)


def play(shop: Evolving, fresh: Evolving, steps: list[tuple[str, int, list[int]]]) -> None:
    specs = Specs()
    shop.begin(specs.text())
    days = itertools.count(1)
    for statement in ("1, '1', 'x'", "2, NULL, 'y'", "3, '3', NULL"):
        shop.sql(f"INSERT INTO raw.customers (id, a, b, updated_at) VALUES ({statement}, '2026-01-01 00:00:00+00')")
    shop.run("history", f"2026-02-{next(days):02} 00:00:00")
    seen: set[Any] = set()
    markers: set[Any] = set()
    for kind, pick, numbers in steps:
        source = specs.change(kind, pick)
        if source is None:
            continue
        for statement in source:
            shop.sql(statement)
        shop.evolve(specs.text(), f"{kind}_{shop.released().number}")
        specs.past = {}
        day = next(days)
        for statement in edits(specs, day, numbers):
            shop.sql(statement)
        shop.run("history", f"2026-02-{day:02} 00:00:00")
        shop.execute(shop.migration("verify.sql"))
        versions = closed(shop, specs)
        lost = seen - versions - (markers if specs.deletes == "invalidate" else set())  # markers have a table of their own then
        assert not lost, f"versions are lost after {kind}"
        seen |= versions
        markers |= marked(shop, specs)
    listed = ", ".join(["id", *(f"CAST({c} AS VARCHAR)" for c in sorted(specs.columns))])
    open_now = shop.rows(f"SELECT {listed} FROM snap.{specs.alias}_current ORDER BY 1")
    there = shop.rows(f"SELECT id, {', '.join(sorted(specs.columns))}, updated_at FROM raw.customers ORDER BY 1")
    fresh.begin(specs.text(past=False))
    marks = ", ".join(["%s" if fresh.engine == "postgres" else "?"] * (len(specs.columns) + 2))
    for row in there:
        fresh.connection.execute(
            f"INSERT INTO raw.customers (id, {', '.join(sorted(specs.columns))}, updated_at) VALUES ({marks})", list(row)
        )
    fresh.run("history", "2026-03-01 00:00:00")
    assert open_now == fresh.rows(f"SELECT {listed} FROM snap.{specs.alias}_current ORDER BY 1")
    health = shop.rows(f"SELECT * FROM snap.{specs.alias}_health")
    assert health == []


def closed(shop: Evolving, specs: Specs) -> set[Any]:
    """Every closed version: key and interval never change again."""
    return set(shop.rows(f"SELECT id, valid_from, valid_to FROM snap.{specs.alias} WHERE valid_to < '3000-01-01 00:00:00+00'"))


def marked(shop: Evolving, specs: Specs) -> set[Any]:
    if specs.deletes != "new_record":
        return set()
    return set(
        shop.rows(f"SELECT id, valid_from, valid_to FROM snap.{specs.alias} WHERE is_deleted AND valid_to < '3000-01-01 00:00:00+00'")
    )


quick = settings(max_examples=12, deadline=None, phases=(Phase.generate, Phase.shrink),
                 suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], derandomize=True)  # fmt: skip


@quick
@given(steps=plays)
def test_sequences_on_duckdb(steps: list[tuple[str, int, list[int]]], tmp_path: Path) -> None:
    shop, fresh = (Evolving(tmp_path / str(next(_folders)), "duckdb", ":memory:") for _ in range(2))
    try:
        play(shop, fresh, steps)
    finally:
        shop.close()
        fresh.close()


@pytest.mark.faults
@settings(quick, max_examples=25)
@given(steps=plays)
def test_sequences_on_postgres(steps: list[tuple[str, int, list[int]]], tmp_path: Path, server: str) -> None:
    from tests.conftest import new_database

    numbers = [next(_folders) for _ in range(2)]
    shop, fresh = (Evolving(tmp_path / str(n), "postgres", new_database(server, f"sequence_{n}")) for n in numbers)
    try:
        play(shop, fresh, steps)
    finally:
        shop.close()
        fresh.close()
