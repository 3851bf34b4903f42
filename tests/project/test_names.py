"""Unquoted names are lower case in specs, whatever the dialect of the SQL makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360gen.pipeline import build, load_project

SPECS = """
version: 2
project: {{sql_dialect: {dialect}}}
targets: {{postgres: {{dialect: postgres}}}}
sources:
  - name: raw
    tables:
      - name: t
        columns: [{{name: id, data_type: bigint}}, {{name: v, data_type: text}}, {{name: Mixed, data_type: text, quote: true}}]
        data_tests: [{{expression_is_true: {{expression: ID > 0 AND V IS NOT NULL}}}}]
models:
  - name: a
    sql: SELECT Id, V AS W, {q}Mixed{q} AS {q}Kept{q} FROM {{{{ source('raw', 't') }}}} T WHERE T.ID > 1
  - name: b
    config: {{materialized: table}}
    sql: |
      WITH X AS (SELECT * FROM {{{{ ref('a') }}}})
      SELECT x.id, X.w, x.{q}Kept{q}, COUNT(*) OVER (PARTITION BY W) AS N FROM x
    columns: [{{name: n, data_type: bigint}}]
"""


@pytest.mark.parametrize("dialect", ["postgres", "snowflake"])
def test_case_means_nothing_without_quotes(dialect: str, tmp_path: Path) -> None:
    made = []
    for each in (dialect, "postgres"):
        (tmp_path / "p.yml").write_text(SPECS.format(dialect=each, q="`" if each == "bigquery" else '"'), encoding="utf-8")
        made.append({f.path: f.text for f in build(load_project(tmp_path), "postgres").files})
    view = made[0]["views/a.sql"]
    assert view == made[1]["views/a.sql"]
    assert 't."Mixed" AS "Kept"' in view and "t.v AS w" in view and "PARTITION BY x.w" in made[0]["procedures/run_b.sql"]
