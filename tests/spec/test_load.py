"""dbt's own blocks, pasted in unchanged."""

from __future__ import annotations

from pathlib import Path

from c360gen.pipeline import build, load_project

DBT = """
version: 2

sources:
  - name: jaffle_shop
    description: A replica of the database of the shop
    database: raw
    schema: jaffle_shop
    tags: [nightly]
    meta: {owner: "@alice"}
    tables:
      - name: orders
        identifier: Orders_
        description: >
          One record per order,
          as it is.
        columns:
          - name: id
            description: Primary key
            data_type: bigint
            data_tests:
              - unique
              - not_null
          - name: status
            data_type: varchar(20)
            quote: false
            tests:
              - accepted_values:
                  arguments:
                    values: ['placed', 'shipped', 'returned']
          - name: updated_at
            data_type: timestamp with time zone

snapshots:
  - name: orders_snapshot
    description: Orders over time
    relation: source('jaffle_shop', 'orders')
    config:
      schema: snapshots
      unique_key: id
      strategy: timestamp
      updated_at: updated_at
      hard_deletes: invalidate
      tags: [daily]
      snapshot_meta_column_names:
        dbt_valid_from: start_date
        dbt_valid_to: end_date

models:
  - name: orders_latest
    description: The last state
    config:
      materialized: incremental
      incremental_strategy: delete+insert
      unique_key: ['id']
      meta: {owner: x}
    meta: {anything: [1, 2]}
    columns:
      - {name: id, data_tests: [unique]}
    sql: |
      select id, status, updated_at from {{ source('jaffle_shop', 'orders') }}
      {% if is_incremental() %}
      where updated_at >= (select coalesce(max(updated_at), '1900-01-01') from {{ this }})
      {% endif %}

exposures:
  - name: weekly_metrics
    label: Weekly metrics
    type: dashboard
    maturity: high
    url: https://bi.example.com/1
    description: >
      Did somebody say growth?
    depends_on:
      - ref('orders_snapshot')
      - ref('orders_latest')
      - source('jaffle_shop', 'orders')
    owner:
      name: Callum
      email: data@example.com
"""


def test_dbts_blocks_paste_in(tmp_path: Path) -> None:
    (tmp_path / "schema.yml").write_text(DBT, encoding="utf-8")
    project = load_project(tmp_path)
    assert set(project.resolved.targets) == {"duckdb", "postgres", "snowflake", "bigquery"}
    node = project.resolved.nodes["orders_snapshot"]
    assert (node.valid_from, node.valid_to, node.tags) == ("start_date", "end_date", ("daily",))
    for target in project.default_targets:
        assert build(project, target).files


def test_a_function_of_the_project_is_passed_on(tmp_path: Path) -> None:
    """`functions:` names what exists everywhere under its own name."""
    spec = DBT.replace("version: 2\n", "version: 2\nproject: {functions: [my_hash]}\n", 1)
    spec = spec.replace("select id, status, updated_at from", "select id, my_hash(status) as status, updated_at from")
    spec = spec.replace("- {name: id, data_tests: [unique]}", "- {name: id, data_tests: [unique]}\n      - {name: status, data_type: text}")
    (tmp_path / "schema.yml").write_text(spec, encoding="utf-8")
    project = load_project(tmp_path)
    for target in project.default_targets:
        text = "\n".join(f.text for f in build(project, target).files)
        assert "my_hash(orders" in text.lower()


def test_a_dialect_may_have_its_own_text(tmp_path: Path) -> None:
    """What is written in an engine's own dialect is analysed in it, and not held to the portable list there."""
    spec = DBT.replace(
        "    sql: |\n      select id, status, updated_at from {{ source('jaffle_shop', 'orders') }}\n",
        "    sql:\n      bigquery: select id, upper(status) as status, updated_at"
        " from {{ source('jaffle_shop', 'orders') }} where mod(id, 2) = 0\n"
        "      postgres: |\n        select id, upper(status) as status, updated_at from {{ source('jaffle_shop', 'orders') }}\n",
    )
    spec = (
        spec.replace("      {% if", "        {% if")
        .replace("      where updated_at", "        where updated_at")
        .replace("      {% endif", "        {% endif")
    )
    spec = spec.replace("- {name: id, data_tests: [unique]}", "- {name: id, data_tests: [unique]}\n      - {name: status, data_type: text}")
    (tmp_path / "schema.yml").write_text(spec, encoding="utf-8")
    project = load_project(tmp_path)
    texts = {t: next(f.text for f in build(project, t).files if f.path == "deploy.sql") for t in project.default_targets}
    assert "MOD(orders.id, 2) = 0" in texts["bigquery"] and "MOD(" not in texts["postgres"]
