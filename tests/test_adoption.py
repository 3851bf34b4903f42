"""Histories as other tools leave them, invented and damaged: what an adoption makes of them, and that it notices what it should not."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from c360gen.pipeline import build, load_project
from tests.oracle.adoption import Row, mended, sound
from tests.worlds import Embedded, World, text_of

SPECS = """
version: 2
targets:
  duckdb: {dialect: duckdb}
  postgres: {dialect: postgres}
sources:
  - name: raw
    schema: raw
    tables: [{name: t, columns: [{name: id, data_type: bigint}, {name: v, data_type: text}]}]
  - name: dbt
    schema: dbt
    tables:
      - name: t
        columns:
          - {name: id, data_type: bigint}
          - {name: v, data_type: text}
          - {name: dbt_valid_from, data_type: timestamptz}
          - {name: dbt_valid_to, data_type: timestamptz}
snapshots:
  - name: h
    relation: source('raw', 't')
    adopt: {relation: "source('dbt', 't')", repair: true}
    config: {schema: snap, unique_key: id, strategy: check, check_cols: all, hard_deletes: invalidate}
"""
DAYS = [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in range(1, 6)]
AHEAD = dt.datetime(2999, 1, 1, tzinfo=dt.UTC)
TIMES = st.sampled_from([*DAYS, AHEAD, None])
ROWS = st.lists(st.builds(Row, st.sampled_from([1, 1, 1, 2, None]), st.sampled_from(["a", "b", None]), TIMES, TIMES), max_size=7)


@pytest.fixture(params=["duckdb", "postgres"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Embedded]:
    (tmp_path / "p.yml").write_text(SPECS, encoding="utf-8")
    made = build(load_project(tmp_path), request.param)
    found = Embedded(made, ":memory:" if request.param == "duckdb" else request.getfixturevalue("database"))
    found.deploy()
    yield found
    found.close()


def left(world: World, rows: list[Row]) -> None:
    world.sql("DELETE FROM snap.h")
    world.sql("DELETE FROM dbt.t")
    for r in rows:
        values = ["NULL" if v is None else f"'{v}'" for v in (r.key, r.value, r.start, r.until)]
        world.sql(f"INSERT INTO dbt.t VALUES ({', '.join(values)})")


def adopted(world: World) -> list[Row]:
    return [Row(*row) for row in world.rows("SELECT id, v, valid_from, valid_to FROM snap.h")]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
@example([Row(1, "a", DAYS[0], None), Row(1, "a", DAYS[0], None)])
@example([Row(1, "a", DAYS[0], DAYS[2]), Row(1, "a", DAYS[0], None)])
@example([Row(1, "a", None, None), Row(1, "b", DAYS[0], None), Row(1, "b", AHEAD, None)])
@example([Row(1, "a", DAYS[0], None), Row(1, "b", DAYS[1], DAYS[2])])
def test_what_is_damaged_is_mended_as_the_rules_say(there: Embedded, rows: list[Row]) -> None:
    left(there, rows)
    before = dt.datetime.now(dt.UTC)
    assert there.task("adopt", "h", {}, True) == ""
    found = adopted(there)
    assert sound(found)
    now = {t for r in found for t in (r.start, r.until) if t is not None and t >= before - dt.timedelta(seconds=60)}
    assert len(now) <= 1, "the clock is read once"
    wanted = mended(rows, min(now, default=before))
    assert Counter(found) == Counter(wanted)
    assert there.rows("SELECT COUNT(*) FROM dbt.t") == [(len(rows),)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("v.v AS v", "'x' AS v"),
        ("v.c360_begins_at AS valid_from", "v.c360_begins_at + INTERVAL '1 second' AS valid_from"),
        ("v.c360_until AS valid_to", "v.c360_until - INTERVAL '1 second' AS valid_to"),
    ],
)
def test_what_would_change_a_version_is_noticed_before_the_commit(there: Embedded, right: str, wrong: str) -> None:
    """The proof reads both tables; it does not trust the statement that copies."""
    left(there, [Row(1, "a", DAYS[0], DAYS[1]), Row(1, "b", DAYS[1], None), Row(2, "c", DAYS[0], None)])
    folder = "scripts" if there.build.target.dialect == "duckdb" else "procedures"
    text = text_of(there.build, f"{folder}/adopt_h.sql")
    head, marker, rest = text.partition("-- Copy them.")
    assert right in rest
    broken = head + marker + rest.replace(right, wrong)
    node, task = next((n, t) for n in there.manifest["nodes"] for t in n["tasks"] if t["action"] == "adopt")
    if folder == "procedures":
        there.session.deploy(broken)
    message = there.session.task(node, task, broken if folder == "scripts" else None, {}, True).message
    assert "versions are new" in message
    assert adopted(there) == []
    assert there.rows("SELECT status FROM c360_control.run_log ORDER BY run_id DESC LIMIT 1") == [("failed",)]


def test_a_table_that_is_written_meanwhile(there: Embedded) -> None:
    """A dry run tells what is damaged now; the adoption counts again, and compares before it commits."""
    left(there, [Row(1, "a", DAYS[0], None)])
    assert there.task("adopt", "h", {}, False) == ""
    there.sql("INSERT INTO dbt.t VALUES (2, 'b', '2026-01-01 00:00:00+00', NULL)")
    assert there.task("adopt", "h", {}, True) == ""
    assert len(adopted(there)) == 2


def test_an_empty_table_is_a_history_without_versions(there: Embedded) -> None:
    left(there, [])
    assert there.task("adopt", "h", {}, True) == ""
    assert adopted(there) == []
