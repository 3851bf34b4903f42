"""What others do to a database around us: tables that are swapped, policies, sessions in other zones, a deploy beside a run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from c360gen.pipeline import LoadedProject, build
from tests.worlds import Embedded

SPECS = """
version: 2
targets:
  postgres: {dialect: postgres}
  visible: {dialect: postgres, settings: {row_security: "on"}}
sources:
  - name: raw
    schema: raw
    tables:
      - name: items
        columns: [{name: id, data_type: bigint}, {name: note, data_type: text}, {name: made_at, data_type: timestamptz}]
      - {name: others, columns: [{name: id, data_type: bigint}]}
snapshots:
  - name: history
    relation: source('raw', 'items')
    config: {schema: kept, unique_key: id, strategy: check, check_cols: [note], hard_deletes: invalidate, erasure: {by: id}}
models:
  - name: part
    config: {materialized: ephemeral}
    sql: select id, note, made_at from {{ source('raw', 'items') }}
  - name: recent
    config: {schema: kept}
    sql: |
      -- not {{ source('raw', 'others') }}, which is only named here
      select id, note from {{ ref('part') }} where made_at >= '2026-01-01'
  - name: copied
    config: {schema: kept, materialized: table}
    sql: select id, note from {{ ref('recent') }}
"""
Open = Callable[[str], Embedded]


@pytest.fixture
def opened(database: str, tmp_path: Path, project: Callable[[Path], LoadedProject]) -> Open:
    def made(target: str) -> Embedded:
        (tmp_path / "p.yml").write_text(SPECS, encoding="utf-8")
        found = Embedded(build(project(tmp_path), target), database)
        found.deploy()
        return found

    return made


def test_a_source_that_is_swapped_by_renaming_is_noticed(opened: Open) -> None:
    """A view goes on with the old table; a run that reads by name sees the new one."""
    found = opened("postgres")
    found.sql("INSERT INTO raw.items VALUES (1, 'a', '2026-02-01')")
    assert (found.run("copied", "2026-03-01 00:00:00"), found.run("history", "2026-03-01 00:00:00")) == ("", "")
    found.sql("CREATE TABLE raw.items_new AS SELECT 2::BIGINT AS id, 'b' AS note, TIMESTAMPTZ '2026-02-01' AS made_at")
    found.sql("ALTER TABLE raw.items RENAME TO items_old; ALTER TABLE raw.items_new RENAME TO items")
    assert "1 views read a table that is not called raw.items any more: kept.recent" in found.run("copied", "2026-03-02 00:00:00")
    assert found.run("history", "2026-03-02 00:00:00") == ""
    assert found.rows("SELECT id FROM kept.copied") == [(1,)]
    found.deploy()
    assert found.run("copied", "2026-03-02 00:00:00") == ""
    assert found.rows("SELECT id FROM kept.copied") == [(2,)]


def hidden(found: Embedded) -> None:
    """Two rows, of which a policy shows one to those who may not pass it."""
    found.sql("INSERT INTO raw.items VALUES (1, 'a', '2026-02-01'), (2, 'b', '2026-02-01')")
    assert found.run("history", "2026-03-01 00:00:00") == ""
    found.sql("ALTER TABLE raw.items ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON raw.items USING (id = 1)")
    found.sql("DROP ROLE IF EXISTS bound; CREATE ROLE bound; GRANT USAGE ON SCHEMA raw TO bound; GRANT SELECT ON raw.items TO bound")
    for schema in ("kept", "c360_control"):
        found.sql(f"GRANT ALL ON SCHEMA {schema} TO bound; GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO bound")
        found.sql(f"GRANT ALL ON ALL ROUTINES IN SCHEMA {schema} TO bound; GRANT ALL ON ALL SEQUENCES IN SCHEMA {schema} TO bound")
    found.sql("ALTER PROCEDURE c360_control.apply_history(BIGINT, TIMESTAMPTZ) OWNER TO bound")


def freed(found: Embedded) -> None:
    found.sql("REASSIGN OWNED BY bound TO CURRENT_USER; DROP OWNED BY bound; DROP ROLE bound")


def test_rows_that_a_policy_hides_are_not_deleted(opened: Open) -> None:
    found = opened("postgres")
    hidden(found)
    try:
        assert "row-level security policy" in found.run("history", "2026-03-02 00:00:00")
        assert found.rows("SELECT count(*) FROM kept.history WHERE valid_to IS NULL") == [(2,)]
    finally:
        freed(found)


def test_whoever_wants_what_the_policy_shows_says_so(opened: Open) -> None:
    found = opened("visible")
    hidden(found)
    try:
        assert found.run("history", "2026-03-02 00:00:00") == ""
        assert found.rows("SELECT count(*) FROM kept.history WHERE valid_to IS NULL") == [(1,)]
    finally:
        freed(found)


def test_a_constant_means_utc_whoever_deploys(opened: Open, database: str) -> None:
    found = opened("postgres")
    text = next(f.text for f in found.build.files if f.path == "deploy.sql")
    with psycopg.connect(database, autocommit=True, options="-c timezone=America/New_York -c datestyle=SQL,DMY") as connection:
        connection.execute(text)
        connection.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'")
        (view,) = connection.execute("SELECT pg_get_viewdef('kept.recent'::regclass)").fetchone() or ("",)
    assert "'2026-01-01 00:00:00+00'" in view


def test_a_deploy_waits_for_a_run_and_does_not_end_it(opened: Open, database: str) -> None:
    """Its locks and those of the run are asked for in one order: neither is a deadlock's victim."""
    found = opened("postgres")
    found.sql("INSERT INTO raw.items VALUES (1, 'a', '2026-02-01')")
    text = next(f.text for f in found.build.files if f.path == "deploy.sql")
    ended: list[str] = []

    def deploy() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(text)
            ended.append("deployed")

    with psycopg.connect(database) as run:
        run.execute("CALL c360_control.apply_history(NULL, '2026-03-01 00:00:00+00')")
        beside = threading.Thread(target=deploy)
        beside.start()
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'c360_control.run_log'::regclass"
        while found.rows(waits) == [(0,)]:
            assert beside.is_alive(), "the deploy has not waited"
        run.execute("SELECT count(*) FROM c360_control.run_log")
        assert ended == []
        run.commit()
    beside.join()
    assert ended == ["deployed"]
    assert found.rows("SELECT status FROM c360_control.run_log") == [("succeeded",)]
