"""Postgres sources whose columns are narrower than declared, or domains: what is staged has the declared types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.pipeline import LoadedProject, build
from tests.worlds import Embedded

SPECS = """
version: 2
targets: {postgres: {dialect: postgres}}
sources:
  - name: raw
    schema: raw
    tables:
      - name: items
        columns: [{name: id, data_type: bigint}, {name: note, data_type: text}, {name: day, data_type: date}]
      - name: events
        columns:
          - {name: id, data_type: bigint}
          - {name: size, data_type: integer}
          - {name: share, data_type: double}
          - {name: happened_at, data_type: timestamptz}
          - {name: loaded_at, data_type: timestamptz}
snapshots:
  - name: checked
    relation: source('raw', 'items')
    config: {schema: kept, unique_key: id, strategy: check, check_cols: all, hard_deletes: invalidate}
  - name: fed
    relation: source('raw', 'events')
    config:
      {schema: kept, unique_key: id, strategy: changelog, updated_at: happened_at, sequence_by: happened_at, cursor: loaded_at,
       ignore_null_updates: true}
models:
  - name: whole
    config: {schema: kept, materialized: table}
    sql: &all select id, note, day from {{ source('raw', 'items') }}
  - name: merged
    config: {schema: kept, materialized: incremental, unique_key: id}
    sql: *all
  - name: replaced
    config: {schema: kept, materialized: incremental, incremental_strategy: delete+insert, unique_key: id}
    sql: *all
  - name: overwritten
    config: {schema: kept, materialized: incremental, incremental_strategy: insert_overwrite, partition_by: day}
    sql: *all
"""


@pytest.fixture
def found(database: str, tmp_path: Path, project: Callable[[Path], LoadedProject]) -> Embedded:
    (tmp_path / "p.yml").write_text(SPECS, encoding="utf-8")
    made = Embedded(build(project(tmp_path), "postgres"), database)
    made.deploy()
    return made


@pytest.mark.parametrize("node", ["checked", "merged", "replaced", "overwritten", "whole"])
def test_a_domain_is_read_as_what_it_is_of(found: Embedded, node: str) -> None:
    """NOT NULL of a domain is about the source: rows of the stage that have no such value are ours."""
    found.sql("CREATE DOMAIN raw.word AS TEXT NOT NULL CHECK (VALUE <> '')")
    found.sql("ALTER TABLE raw.items ALTER COLUMN note TYPE raw.word")
    found.sql("INSERT INTO raw.items VALUES (1, 'a', '2026-01-01'), (2, 'b', '2026-01-01')")
    assert found.run(node, "2026-01-02 00:00:00") == ""
    found.sql("UPDATE raw.items SET note = 'c' WHERE id = 1")
    assert found.run(node, "2026-01-03 00:00:00") == ""
    here = "WHERE valid_to IS NULL" if node == "checked" else ""
    assert found.rows(f"SELECT id, note FROM kept.{node} {here} ORDER BY id") == [(1, "c"), (2, "b")]


def test_a_source_that_became_narrower_does_not_bend_what_is_known(found: Embedded) -> None:
    """A version that ends, or goes on where NULL means as before, passes through the stage."""
    found.sql("INSERT INTO raw.events VALUES (1, 100000, 0.1, '2026-01-01', '2026-01-01')")
    assert found.run("fed", "2026-01-02 00:00:00") == ""
    found.sql("DELETE FROM raw.events")
    found.sql("ALTER TABLE raw.events ALTER COLUMN size TYPE SMALLINT, ALTER COLUMN share TYPE REAL")
    found.sql("INSERT INTO raw.events VALUES (1, 7, NULL, '2026-01-02', '2026-01-02')")
    assert found.run("fed", "2026-01-03 00:00:00") == ""
    assert found.rows("SELECT size, share FROM kept.fed ORDER BY valid_from") == [(100000, 0.1), (7, 0.1)]


def test_domains_over_every_kind(found: Embedded) -> None:
    """The guard looks at what a domain is of: numbers without decimals, days, instants."""
    found.sql("CREATE DOMAIN raw.number AS BIGINT; CREATE DOMAIN raw.digits AS NUMERIC(10, 0); CREATE DOMAIN raw.day AS DATE")
    found.sql("ALTER TABLE raw.items ALTER COLUMN id TYPE raw.digits, ALTER COLUMN day TYPE raw.day")
    found.sql("CREATE DOMAIN raw.instant AS TIMESTAMPTZ")
    found.sql("ALTER TABLE raw.events ALTER COLUMN id TYPE raw.number, ALTER COLUMN happened_at TYPE raw.instant")
    found.sql("INSERT INTO raw.items VALUES (1, 'a', '2026-01-01')")
    found.sql("INSERT INTO raw.events VALUES (1, 1, 0.5, '2026-01-01', '2026-01-01')")
    assert (found.run("checked", "2026-01-02 00:00:00"), found.run("fed", "2026-01-02 00:00:00")) == ("", "")
    found.sql("CREATE DOMAIN raw.halves AS NUMERIC(10, 1); ALTER TABLE raw.items ALTER COLUMN id TYPE raw.halves")
    assert "ZC011" in found.run("checked", "2026-01-03 00:00:00")
