"""What is refused before a database is, is what a database refuses: every SELECT here is asked of DuckDB as well."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from c360gen.diagnostics import SpecError
from c360gen.pipeline import load_project

SPECS = """
project: {functions: [my_aggregate]}
targets: {duckdb: {dialect: duckdb}}
sources:
  - name: raw
    tables:
      - name: t
        columns: [{name: id, data_type: bigint}, {name: d, data_type: text}, {name: x, data_type: "numeric(12,2)"}]
      - name: u
        columns: [{name: id, data_type: bigint}, {name: d, data_type: text}, {name: y, data_type: bigint}]
models:
  - name: m
    sql: |
"""
FINE = [
    "select d, sum(x) as s from t group by d",
    "select d, sum(x) as s from t group by 1",
    "select t.d, sum(x) as s from t group by d",
    "select upper(d) as e, count(*) as n from t group by e",
    "select upper(d) as e, count(*) as n from t group by upper(d)",
    "select upper(d) || '!' as e, count(*) as n from t group by upper(d)",
    "select x / 2 as h, count(*) as n from t group by x / 2",
    "select x / 2 as h, count(*) as n from t group by 1",
    "select case when x > 1 then 'a' else 'b' end as k, avg(x) as a from t group by 1",
    "select cast(x as bigint) as k, count(*) as n from t group by cast(x as bigint)",
    "select count(*) as n, 1 as one, 'a' as a from t",
    "select count(distinct d) as n, max(x) - min(x) as r from t",
    "select d, sum(sum(x)) over () as s from t group by d",
    "select d, rank() over (order by sum(x)) as r from t group by d",
    "select d, sum(x) / sum(sum(x)) over () as share from t group by d",
    "select id, sum(x) over (partition by d) as s from t",
    "select id, lag(x) over (order by id) as l from t",
    "select id, coalesce(lag(x) over (order by id), 0) as l from t",
    "select id, first_value(x) over (partition by d order by id) as f from t",
    "select id, row_number() over (partition by d order by x desc) as n from t",
    "select d, count(*) as n from t group by d having count(*) > 1 and max(x) > 2",
    "select t.id, (select max(u.y) from u where u.id = t.id) as y from t",
    "select t.id, (select max(u.y) + t.id from u where u.id = t.id) as y from t",
    "select d, (select count(*) from u) as n, sum(x) as s from t group by d",
    "select d from t where x in (select sum(y) from u group by d)",
    "select d from t where x > (select avg(y) from u)",
    "select d from t where exists (select 1 from u group by d having count(*) > 1)",
    "with a as (select d, sum(x) as s from t group by d) select a.d, a.s, u.y from a join u on u.d = a.d",
    "select q.d, q.s from (select d, sum(x) as s from t group by d) as q where q.s > 1",
    "select id from t join u using (id)",
    "select t.id, y from t join u on t.id = u.id",
    "select t.id from t join u on t.id = u.id order by id",
    "select a.id from t as a join t as b on a.id = b.id",
    "select id, d from t union all select id, d from u",
    "select id, d from t union all select * from (select id, d from u) as v",
    "select distinct d from t",
    "select d, x from t group by d, x",
    "select coalesce(d, 'none') as d, sum(x) as s from t group by coalesce(d, 'none')",
]
WRONG = [
    "select d, sum(x) as s from t",
    "select id, d, sum(x) as s from t group by d",
    "select upper(d) as e, lower(d) as l, count(*) as n from t group by upper(d)",
    "select x + 1 as h, count(*) as n from t group by x + 2",
    "select d, sum(x) over () as s, sum(x) as t from t",
    "select d from t where sum(x) > 1 group by d",
    "select id, row_number() over (order by id) as n from t where row_number() over (order by id) = 1",
    "select id from t join u on t.id = u.id",
    "select t.id from t join u on t.id = u.id where d = 'a'",
    "select id, d from t union all select id from u",
    "select q.id from (select d, max(x) as m, id from t group by d) as q",
    "select t.id, (select max(u.y) + u.id from u) as y from t",
]


def accepted(sql: str, folder: Path) -> bool:
    for name in ("t", "u"):
        for before in ("from", "join"):
            for after in (" ", ")", "\n"):
                sql = f"{sql}\n".replace(f"{before} {name}{after}", f"{before} {{{{ source('raw', '{name}') }}}}{after}").rstrip("\n")
    (folder / "p.yml").write_text(f"{SPECS}      {sql}\n", encoding="utf-8")
    try:
        load_project(folder)
    except SpecError as error:
        assert {d.code for d in error.diagnostics} <= {"C301", "C302", "C306"}, error
        return False
    return True


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (id BIGINT, d TEXT, x DECIMAL(12, 2))")
    connection.execute("CREATE TABLE u (id BIGINT, d TEXT, y BIGINT)")
    return connection


@pytest.mark.parametrize("sql", FINE)
def test_what_an_engine_takes_is_taken(sql: str, database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    database.execute(f"EXPLAIN {sql}")
    assert accepted(sql, tmp_path)


@pytest.mark.parametrize("sql", WRONG)
def test_what_it_refuses_is_refused(sql: str, database: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(duckdb.Error):
        database.execute(f"EXPLAIN {sql}")
    assert not accepted(sql, tmp_path)
