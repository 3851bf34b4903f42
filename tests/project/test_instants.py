"""What is compared with an instant is one, in UTC, in every dialect that it is written in and for."""

from __future__ import annotations

from pathlib import Path

import pytest

from c360gen.diagnostics import SpecError
from c360gen.pipeline import build, load_project

SPECS = """
version: 2
project: {{sql_dialect: {written}}}
targets:
  postgres: {{dialect: postgres}}
  duckdb: {{dialect: duckdb}}
  snowflake: {{dialect: snowflake}}
  bigquery: {{dialect: bigquery}}
sources:
  - name: raw
    tables:
      - name: t
        columns:
          - {{name: id, data_type: bigint}}
          - {{name: made, data_type: timestamptz}}
          - {{name: wall, data_type: timestamp}}
          - {{name: day, data_type: date}}
models:
  - name: m
    sql: select t.id from {{{{ source('raw', 't') }}}} as t where {condition}
"""


def view(folder: Path, condition: str, target: str, written: str = "postgres") -> str:
    (folder / "p.yml").write_text(SPECS.format(condition=condition, written=written), encoding="utf-8")
    text = next(f.text for f in build(load_project(folder), target).files if f.path == "views/m.sql")
    return " ".join(text.partition("WHERE")[2].partition(";")[0].split())


@pytest.mark.parametrize("condition, wanted", [
    ("t.made >= '2026-01-01'", "t.made >= CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ)"),
    ("'2026-01-01 10:00+02' < t.made", "CAST('2026-01-01 08:00:00+00' AS TIMESTAMPTZ) < t.made"),
    ("t.made between '2026-01-01' and t.day",
     "t.made BETWEEN CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ) AND CAST(t.day AS TIMESTAMP) AT TIME ZONE 'UTC'"),
    ("t.made in ('2026-01-01', t.wall)", "t.made IN (CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ), t.wall AT TIME ZONE 'UTC')"),
    ("t.wall is distinct from t.made", "t.wall AT TIME ZONE 'UTC' IS DISTINCT FROM t.made"),
    ("t.made >= '9999-12-31 23:59:59-05:00'", "t.made >= '9999-12-31 23:59:59-05:00'"),
    ("t.made >= case when t.made > '2026-01-01' then t.day end",
     "t.made >= CASE WHEN t.made > CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ) THEN t.day END"),
    ("t.made > t.wall + interval '1 hour'", "t.made > t.wall + INTERVAL '1 HOUR'"),
    ("t.made >= (select max(u.day) from {{ source('raw', 't') }} as u)",
     "t.made >= CAST(( SELECT MAX(u.day) AS _col_0 FROM raw.t AS u ) AS TIMESTAMP) AT TIME ZONE 'UTC'"),
    ("t.day >= (select max(u.made) from {{ source('raw', 't') }} as u)",
     "CAST(t.day AS TIMESTAMP) AT TIME ZONE 'UTC' >= ( SELECT MAX(u.made) AS _col_0 FROM raw.t AS u )"),
    ("t.made in (select u.day from {{ source('raw', 't') }} as u)",
     "t.made IN ( SELECT CAST(u.day AS TIMESTAMP) AT TIME ZONE 'UTC' AS day FROM raw.t AS u )"),
    ("t.made = 'infinity'", "t.made = 'infinity'"),
    ("t.wall > '2026-01-01'", "t.wall > '2026-01-01'"), ("t.day > '2026-01-01'", "t.day > '2026-01-01'"),
    ("t.wall > t.day", "t.wall > t.day"),
])  # fmt: skip
def test_on_postgres(condition: str, wanted: str, tmp_path: Path) -> None:
    assert view(tmp_path, condition, "postgres") == wanted


@pytest.mark.parametrize("target, wanted", [
    ("duckdb", "t.made >= CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ)"),
    ("snowflake", "t.made >= CAST('2026-01-01 00:00:00' AS TIMESTAMPNTZ)"),
    ("bigquery", "t.made >= CAST('2026-01-01 00:00:00+00' AS TIMESTAMP)"),
])  # fmt: skip
@pytest.mark.parametrize("written", ["postgres", "duckdb", "snowflake"])
def test_on_the_others(target: str, wanted: str, written: str, tmp_path: Path) -> None:
    said = view(tmp_path, "t.made >= '2026-01-01'", target, written)
    assert said.replace('"', "").replace("`", "").replace("TIMESTAMP_NTZ(6)", "TIMESTAMPNTZ") == wanted.replace("`", "")


def test_a_time_as_text_is_no_portable_sql(tmp_path: Path) -> None:
    for condition in ("cast(t.made as text) > '2'", "cast(t.wall as varchar) > '2'"):
        with pytest.raises(SpecError, match="a time as text is not the same on every engine"):
            view(tmp_path, condition, "postgres")
    assert view(tmp_path, "cast(t.day as text) > '2026'", "postgres") == "CAST(t.day AS TEXT) > '2026'"
