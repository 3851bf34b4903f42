"""The judges accept what is generated, and refuse what is broken: a judge that passes everything proves nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen import judges
from c360gen.emit.writer import write
from c360gen.judges import googlesql, snowflake_scripting, sqlfluff
from c360gen.pipeline import LoadedProject, build, load_project
from tests.conftest import CASES, built
from tests.worlds import manifest_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["duckdb", "postgres", "snowflake", "bigquery"])
def test_the_committed_output_is_accepted(target: str) -> None:
    root = ROOT / "generated" / target
    assert judges.judge(root, json.loads((root / "manifest.json").read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("target", ["snowflake", "bigquery"])
@pytest.mark.parametrize("case", ["changelog", "daily_copies"])
def test_feeds_are_accepted(case: str, target: str, tmp_path: Path, project: Callable[[Path], LoadedProject]) -> None:
    """The longest statements there are; the other two engines execute them."""
    made = built(project(CASES / case / "specs"), target)
    write(tmp_path, made.files)
    assert judges.judge(tmp_path, json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("target", ["duckdb", "postgres", "snowflake", "bigquery"])
@pytest.mark.parametrize("case", ["overwrite_moved", "merge_columns", "microbatch_moved", "microbatch_sizes", "microbatch_words"])
def test_strategies_that_the_shipped_specs_do_not_use_are_accepted(case: str, target: str, tmp_path: Path) -> None:
    made = build(load_project(CASES / case / "specs"), target)
    write(tmp_path, made.files)
    assert judges.judge(tmp_path, manifest_of(made)) == []


BIGQUERY = """
CREATE TABLE IF NOT EXISTS `a-b`.d.t (id INT64 NOT NULL, s STRING, ts TIMESTAMP);
CREATE OR REPLACE VIEW `a-b`.d.v AS SELECT x.id, x.s FROM `a-b`.d.t AS x;
CREATE OR REPLACE PROCEDURE `a-b`.d.p(IN p_n INT64)
BEGIN
  DECLARE v_a INT64 DEFAULT 0;
  DECLARE v_s STRING;
  IF p_n > 0 THEN
    SET (v_a, v_s) = (SELECT AS STRUCT COUNT(*), MAX(x.s) FROM `a-b`.d.v AS x);
  END IF;
  UPDATE `a-b`.d.t AS x SET s = v_s WHERE x.id = v_a;
  IF @@row_count <> 1 THEN
    RAISE USING MESSAGE = CONCAT('n: ', CAST(v_a AS STRING));
  END IF;
END;
CREATE OR REPLACE PROCEDURE `a-b`.d.q()
BEGIN
  CALL `a-b`.d.p(1);
END;
"""


def test_googlesql_accepts_good_text() -> None:
    assert googlesql.Catalog(googlesql.library()).check(BIGQUERY) == []


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("x.id = v_a", "x.idd = v_a", 11),
        ("FROM `a-b`.d.v AS x);", "FROM `a-b`.d.w AS x);", 9),
        ("MAX(x.s)", "MAXX(x.s)", 9),
        ("CAST(v_a AS STRING)", "CAST(v_b AS STRING)", 13),
        ("  DECLARE v_s STRING;\n  IF", "  SET v_a = 1;\n  DECLARE v_s STRING;\n  IF", 8),
        ("SET (v_a, v_s)", "SET (v_a)", 9),
        ("COUNT(*), MAX(x.s)", "MAX(x.s), COUNT(*)", 9),
        ("SET s = v_s", "SET s = v_a", 11),
        ("DEFAULT 0", "DEFAULT 'x'", 6),
        ("  END IF;\n  UPDATE", "  UPDATE", None),
        ("IF p_n > 0 THEN", "IF p_n THEN", 8),
        ("  CALL `a-b`.d.p(1);", "  CALL `a-b`.d.p();", 18),
        ("  CALL `a-b`.d.p(1);", "  CALL `a-b`.d.pp(1);", 18),
        ("CONCAT('n: ', CAST(v_a AS STRING))", "v_a", 13),
        ("x.id, x.s FROM", "x.id, x.t FROM", 3),
        ("DECLARE v_s STRING", "DECLARE v_a STRING", 7),
        ("WHERE x.id = v_a;", "WHERE x.id = v_a ORDER BY 1;", None),
    ],
)
def test_googlesql_refuses(right: str, wrong: str, line: int | None) -> None:
    assert right in BIGQUERY
    found = googlesql.Catalog(googlesql.library()).check(BIGQUERY.replace(right, wrong, 1))
    assert found
    if line is not None:
        assert line in {at for at, _ in found}


SNOWFLAKE = """CREATE TABLE IF NOT EXISTS d.t (id NUMBER(38, 0) NOT NULL COMMENT 'c', s VARCHAR) COMMENT = 't';

CREATE OR REPLACE PROCEDURE d.p(p_n NUMBER(38, 0) DEFAULT 0)
RETURNS VARCHAR
LANGUAGE SQL
EXECUTE AS OWNER
AS
$$
DECLARE
  v_a NUMBER(18, 0) DEFAULT 0;
  v_s VARCHAR DEFAULT NULL;
  too_many EXCEPTION (-20001, 'too many');
BEGIN
  SELECT q.n, q.s INTO :v_a, :v_s FROM (SELECT COUNT(*) AS n, MAX(x.s) AS s FROM d.t AS x) AS q;
  IF (v_a > p_n) THEN
    RAISE too_many;
  END IF;
  UPDATE d.t SET s = :v_s WHERE id = :v_a;
  v_a := SQLROWCOUNT;
  RETURN v_a || ' rows';
EXCEPTION
  WHEN OTHER THEN
    ROLLBACK;
    INSERT INTO d.t (id, s) SELECT :v_a, :v_s;
END;
$$;
"""


def test_sqlfluff_accepts_good_text() -> None:
    assert list(sqlfluff.check(SNOWFLAKE)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("END IF;", "ENDIF;", None),
        ("IF (v_a > p_n) THEN", "IF (v_a > p_n)", None),
        ("v_a := SQLROWCOUNT;", "v_a = SQLROWCOUNT;", None),
        ("RAISE too_many;", "RAISE to_many;", 16),
        ("SET s = :v_s", "SET s = v_s", 18),
        ("WHERE id = :v_a;", "WHERE id = :v_b;", 18),
        ("v_a := SQLROWCOUNT", "v_b := SQLROWCOUNT", 19),
        ("SELECT :v_a, :v_s;", "SELECT v_a, :v_s;", 24),
        ("INTO :v_a, :v_s FROM", "INTO :v_a :v_s FROM", None),
        ("WHEN OTHER THEN", "WHEN OTHER", None),
        ("UPDATE d.t SET s", "UPDATE d.t SETT s", None),
        ("COMMENT = 't'", "COMENT = 't'", None),
        ("$$;\n", ";\n", None),
        ("RETURN v_a || ' rows';", "RETURN v_a || ' <% rows';", 20),
        ("'too many'", "'too &many'", 12),
        ("UPDATE d.t SET s = :v_s WHERE id = :v_a;",
         "MERGE INTO d.t AS t USING d.u AS u ON t.id = u.id WHEN NOT MATCHED BY SOURCE THEN DELETE;", None),
    ],
)  # fmt: skip
def test_sqlfluff_and_the_lint_refuse(right: str, wrong: str, line: int | None) -> None:
    assert right in SNOWFLAKE
    found = list(sqlfluff.check(SNOWFLAKE.replace(right, wrong, 1)))
    assert found
    if line is not None:
        assert line in {at for at, _ in found}


def test_a_functions_parameters_need_no_colon() -> None:
    assert list(snowflake_scripting.names("CREATE OR REPLACE FUNCTION f(p_at DATE)", "\nSELECT x.a FROM t AS x WHERE x.b <= p_at\n")) == []


@pytest.mark.parametrize(
    ("target", "path", "right", "wrong"),
    [
        ("postgres", "deploy.sql", "FROM raw_data.customers AS r", "FROM raw_data.customerz AS r"),
        ("postgres", "deploy.sql", "d.c360_open_from,", "d.c360_open_fromm,"),
        ("postgres", "tests/raw_data.customers.sql", "t.customer_id", "t.customerid"),
        ("duckdb", "scripts/run_customer_snapshot.sql", "d.c360_open_from,", "d.c360_open_fromm,"),
        ("duckdb", "deploy.sql", "CREATE OR REPLACE VIEW", "CREATE OR REPLCE VIEW"),
    ],
)
def test_the_engines_refuse(target: str, path: str, right: str, wrong: str, tmp_path: Path) -> None:
    """One word changed in a copy of the committed output."""
    import shutil

    root = tmp_path / target
    shutil.copytree(ROOT / "generated" / target, root)
    text = (root / path).read_text(encoding="utf-8")
    assert right in text
    (root / path).write_text(text.replace(right, wrong), encoding="utf-8")
    assert judges.judge(root, json.loads((root / "manifest.json").read_text(encoding="utf-8")))


@pytest.mark.faults
@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
@pytest.mark.parametrize("case", [p.parent.name for p in sorted(CASES.glob("*/scenario.yml"))])
def test_every_case_is_accepted(case: str, engine: str, project: Callable[[Path], LoadedProject], tmp_path: Path) -> None:
    """What cannot be executed here is judged whole, not only the shipped project."""
    made = built(project(CASES / case / "specs"), engine)
    for file in made.files:
        (tmp_path / file.path).parent.mkdir(exist_ok=True)
        (tmp_path / file.path).write_text(file.text, encoding="utf-8")
    assert judges.judge(tmp_path, manifest_of(made)) == []
