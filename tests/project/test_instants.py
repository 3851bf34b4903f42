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
    ("t.made between t.wall and t.made", "t.made BETWEEN ( t.wall AT TIME ZONE 'UTC' ) AND t.made"),
    ("t.made in ('2026-01-01', t.wall)", "t.made IN (CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ), t.wall AT TIME ZONE 'UTC')"),
    ("t.wall is distinct from t.made", "t.wall AT TIME ZONE 'UTC' IS DISTINCT FROM t.made"),
    ("t.made >= '9999-12-31 23:59:59-05:00'", "t.made >= '9999-12-31 23:59:59-05:00'"),
    ("t.made >= case when t.made > '2026-01-01' then t.day end",
     "t.made >= CAST(CASE WHEN t.made > CAST('2026-01-01 00:00:00+00' AS TIMESTAMPTZ) THEN t.day END AS TIMESTAMP) AT TIME ZONE 'UTC'"),
    ("t.made > t.wall + interval '1 hour'", "t.made > ( t.wall + INTERVAL '1 HOUR' ) AT TIME ZONE 'UTC'"),
    ("t.made > t.day + 1", "t.made > CAST(t.day + 1 AS TIMESTAMP) AT TIME ZONE 'UTC'"),
    ("t.made >= date_trunc('month', t.day)",
     "t.made >= CAST(DATE_TRUNC('MONTH', CAST(t.day AS TIMESTAMP)) AS TIMESTAMP) AT TIME ZONE 'UTC'"),
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


@pytest.mark.parametrize("target, wanted", [
    ("duckdb", "COALESCE(t.wall AT TIME ZONE 'UTC', t.made) > t.made - INTERVAL '1' HOUR"),
    ("snowflake", "COALESCE(CAST(t.wall AS TIMESTAMPNTZ), t.made) > t.made - INTERVAL '1 HOUR'"),
    ("bigquery", "COALESCE(TIMESTAMP(t.wall, 'UTC'), t.made) > t.made - INTERVAL '1' HOUR"),
])  # fmt: skip
def test_what_becomes_one_value_with_an_instant(target: str, wanted: str, tmp_path: Path) -> None:
    """BigQuery would refuse the mixture; the others would ask the session."""
    said = view(tmp_path, "coalesce(t.wall, t.made) > t.made - interval '1 hour'", target)
    assert said.replace("TIMESTAMP_NTZ(6)", "TIMESTAMPNTZ") == wanted


@pytest.mark.parametrize("condition, wanted", [
    ("t.made > t.made - interval '1 day'", "t.made > ( t.made AT TIME ZONE 'UTC' - INTERVAL '1 DAY' ) AT TIME ZONE 'UTC'"),
    ("date_trunc('day', t.made) + interval '1 month' < t.made",
     "( DATE_TRUNC('DAY', t.made AT TIME ZONE 'UTC') + INTERVAL '1 MONTH' ) AT TIME ZONE 'UTC' < t.made"),
    ("interval '1 day' + t.made > t.made", "( INTERVAL '1 DAY' + t.made AT TIME ZONE 'UTC' ) AT TIME ZONE 'UTC' > t.made"),
    ("t.made > t.made - interval '36 hours'", "t.made > t.made - INTERVAL '36 HOURS'"),
])  # fmt: skip
def test_days_are_added_in_utc(condition: str, wanted: str, tmp_path: Path) -> None:
    """Postgres and DuckDB add a day of the session's zone, of 23 hours where clocks change."""
    assert view(tmp_path, condition, "postgres") == wanted


def test_a_time_as_text_is_no_portable_sql(tmp_path: Path) -> None:
    for condition in ("cast(t.made as text) > '2'", "cast(t.wall as varchar) > '2'"):
        with pytest.raises(SpecError, match="a time as text is not the same on every engine"):
            view(tmp_path, condition, "postgres")
    assert view(tmp_path, "cast(t.day as text) > '2026'", "postgres") == "CAST(t.day AS TEXT) > '2026'"
