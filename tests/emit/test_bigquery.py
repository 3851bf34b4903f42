"""What BigQuery's files leave out, because BigQuery would refuse it or believe it."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360gen.judges import googlesql
from c360gen.pipeline import build, load_project

SOURCE = """
sources:
  - {name: raw, schema: raw, tables: [{name: people, columns: [{name: id, data_type: bigint}, {name: boss, data_type: bigint}]}]}
"""
PEOPLE = """
models:
  - name: people
    config: {materialized: table, unique_key: id}
    sql: select id, boss from {{ source('raw', 'people') }}
    constraints: [{type: foreign_key, columns: boss, to: ref('people'), to_columns: id}]
  - name: bosses
    config: {materialized: table, unique_key: id}
    sql: select id, boss from {{ source('raw', 'people') }}
    constraints: [{type: foreign_key, columns: boss, to: ref('people'), to_columns: id}]
"""


def files(tmp_path: Path, specs: str, settings: str = "") -> dict[str, str]:
    project = f"project: {{name: shop, schema: mart}}\ntargets: {{bigquery: {{dialect: bigquery, database: c360{settings}}}}}\n"
    (tmp_path / "project.yml").write_text(project, encoding="utf-8")
    (tmp_path / "nodes.yml").write_text(SOURCE + specs, encoding="utf-8")
    return {f.path: f.text for f in build(load_project(tmp_path), "bigquery").files}


def test_no_foreign_key_is_declared(tmp_path: Path) -> None:
    """BigQuery plans joins by what it believes, and takes no reference to the same table; the run looks at it all the same."""
    made = files(tmp_path, PEOPLE)
    assert "FOREIGN KEY" not in made["deploy.sql"]
    assert googlesql.Catalog(googlesql.library()).parse(made["deploy.sql"]) == []
    for name in ("people", "bosses"):
        assert "ZC021" in made[f"procedures/run_{name}.sql"]


@pytest.mark.parametrize("materialized", ["table", "view"])
def test_a_description_is_as_long_as_bigquery_takes(materialized: str, tmp_path: Path) -> None:
    """1,024 characters of a column and 16,384 of a table or a view; what is longer says so, what is not stays as it is."""
    for letter, length in (("x", 1024), ("y", 1025)):
        whole = letter * length * 16
        columns = f"[{{name: id, description: {letter * length}}}]"
        sql = "select id from {{ source('raw', 'people') }}"
        node = f'{{name: people, description: {whole}, config: {{materialized: {materialized}}}, columns: {columns}, sql: "{sql}"}}'
        made = files(tmp_path, f"models: [{node}]\n")["deploy.sql"]
        assert (f"'{whole}'" in made) is (length == 1024)
        assert (f"'{whole[: 16 * 1024 - 1]}…'" in made) is (length > 1024)
        if materialized == "table":  # a view has its columns' descriptions from nobody
            assert (f"'{letter * 1024}'" in made) is (length == 1024)
            assert (f"'{letter * 1023}…'" in made) is (length > 1024)


def test_no_table_that_all_runs_write_is_partitioned(tmp_path: Path) -> None:
    """A partitioned table takes fifty changes in ten seconds, of whichever run."""
    made = files(tmp_path, PEOPLE)["deploy.sql"]
    for table in ("run_log", "watermark", "window_log"):
        create = made[made.index(f"CREATE TABLE IF NOT EXISTS c360.c360_control.{table} (") :].partition("\n\n")[0]
        assert "PARTITION BY" not in create and "CLUSTER BY node" in create


def test_expirations_are_those_of_the_data_sets_of_the_target(tmp_path: Path) -> None:
    """Another target's need not exist, and what they say is of other tables."""
    history = """
snapshots:
  - name: people_history
    relation: source('raw', 'people')
    config: {unique_key: id, strategy: check, check_cols: all, hard_deletes: ignore}
"""
    made = files(tmp_path, history, ", schema_prefix: dev_")["deploy.sql"]
    assert "FROM c360.dev_snapshots.INFORMATION_SCHEMA.TABLE_OPTIONS AS o" in made
    assert "c360.snapshots." not in made and "a history in dev_snapshots has an expiration" in made
