"""What only a real Postgres can show: released states, rights, processes that die, transactions of the caller."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from c360gen import engines
from c360gen.pipeline import LoadedProject, build
from tests.conftest import CASES, built
from tests.worlds import Embedded, World, text_of

SPECS = Path(__file__).parents[2] / "specs"
ROW = "INSERT INTO raw.customers VALUES (1, 'a', 'Rome', '2026-01-01 10:00:00+00')"


@pytest.fixture
def history(world: Callable[[Path, str], World], server: str) -> Embedded:
    found = world(CASES / "guards" / "specs", "postgres")
    assert isinstance(found, Embedded)
    return found


def uri(found: Embedded, server: str) -> str:
    from tests.conftest import in_database

    return in_database(server, found.connection.info.dbname)


def test_deploy_is_re_runnable_and_keeps_history(history: Embedded) -> None:
    history.sql(ROW)
    assert history.run("history", "2026-01-02 00:00:00") == ""
    before = history.rows("SELECT * FROM snap.history")
    history.sql("CREATE UNLOGGED TABLE c360_control.stage_history (id BIGINT)")  # older versions of c360gen left theirs
    history.deploy()
    history.deploy()
    assert history.rows("SELECT * FROM snap.history") == before
    assert history.rows("SELECT count(*) FROM c360_control.release") == [(1,)]
    assert history.run("history", "2026-01-03 00:00:00") == ""


def test_the_first_load_takes_statistics(history: Embedded) -> None:
    """What reads a history right behind its first run would be planned for an empty table."""
    history.sql(ROW)
    size = "SELECT reltuples FROM pg_catalog.pg_class WHERE oid = 'snap.history'::regclass"
    assert history.rows(size) == [(-1,)]
    assert history.run("history", "2026-01-02 00:00:00") == ""
    assert history.rows(size) == [(1,)]


def test_the_log_says_where_a_run_failed(history: Embedded) -> None:
    """An error of the engine has no detail of ours: its context names the procedure and the statement."""
    history.sql("ALTER TABLE snap.history RENAME TO elsewhere")
    assert "does not exist" in history.run("history", "2026-01-02 00:00:00")
    ((detail,),) = history.rows("SELECT detail FROM c360_control.run_log")
    assert "PL/pgSQL function c360_control.apply_history" in detail


@pytest.mark.parametrize("engine", ["postgres", "duckdb"])
def test_deploy_refuses_another_released_state(engine: str, world: Callable[[Path, str], World]) -> None:
    """A column more is another state: nothing is changed, and the message says what to do instead."""
    found = world(CASES / "guards" / "specs", engine)
    assert isinstance(found, Embedded)
    other = text_of(found.build, "deploy.sql").replace(shape(found), "f" * 64)
    assert other != text_of(found.build, "deploy.sql")
    with pytest.raises(engines.EngineError, match=r"released state .* migration"):
        found.session.deploy(other)
    assert found.rows("SELECT shape FROM c360_control.release") == [(shape(found),)]
    found.deploy()


def shape(found: Embedded) -> str:
    return str(found.manifest["shape"])


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_deploy_refuses_another_released_state_in_the_warehouses(engine: str, world: Callable[[Path, str], World]) -> None:
    from tests.warehouse.machine import Failure
    from tests.worlds import Interpreted

    found = world(CASES / "guards" / "specs", engine)
    assert isinstance(found, Interpreted)
    text = text_of(found.build, "deploy.sql")
    found.warehouse.install(text)
    with pytest.raises(Failure, match="another released state"):
        found.warehouse.install(text.replace(str(found.manifest["shape"]), "f" * 64))


def test_deploy_refuses_a_history_that_would_expire(world: Callable[[Path, str], World]) -> None:
    """A data set's default is taken over by every table that is made in it, and BigQuery would delete month after month."""
    from tests.warehouse.machine import Failure
    from tests.worlds import Interpreted

    found = world(CASES / "guards" / "specs", "bigquery")
    assert isinstance(found, Interpreted)
    found.warehouse.execute("INSERT INTO catalog_.options VALUES ('history', 'partition_expiration_days'), ('history', 'description')")
    with pytest.raises(Failure, match="has an expiration: its versions would be deleted"):
        found.warehouse.install(text_of(found.build, "deploy.sql"))
    found.warehouse.execute("DELETE FROM catalog_.options WHERE option_name <> 'description'")
    found.warehouse.install(text_of(found.build, "deploy.sql"))


def test_roles(database: str, project: Callable[[Path], LoadedProject]) -> None:
    """The runner may call and read the log, the reader may read, neither may write, the public may nothing."""
    made = built(project(SPECS), "postgres")
    found = Embedded(made, database)
    found.deploy()
    found.sql("CREATE ROLE nobody_at_all NOLOGIN")
    found.sql("INSERT INTO raw_data.customers (customer_id, first_name, updated_at) VALUES (1, 'Ada', '2026-01-01 00:00:00+00')")
    connection = found.connection

    def as_role(role: str, statement: str) -> str:
        connection.execute(f"SET ROLE {role}")
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            return str(error.diag.sqlstate)
        finally:
            connection.execute("RESET ROLE")
        return "ok"

    try:
        assert as_role("c360_job", "CALL c360_control.run_customer_snapshot()") == "ok"
        assert as_role("c360_job", "CALL c360_control.run_job_snapshots_daily()") == "ok"
        assert as_role("c360_job", "CALL c360_control.run_int_payments(p_full_refresh => true)") == "ok"
        assert as_role("c360_job", "SELECT * FROM c360_control.run_log") == "ok"
        assert as_role("c360_job", "SELECT * FROM snapshots.customer_snapshot") == "42501"
        assert as_role("c360_job", "DELETE FROM c360_control.run_log") == "42501"
        assert as_role("c360_job", "SELECT * FROM raw_data.customers") == "42501"
        assert as_role("c360_read", "SELECT * FROM snapshots.customer_snapshot_current") == "ok"
        assert as_role("c360_read", "SELECT * FROM snapshots.customer_snapshot_as_of(now())") == "ok"
        assert as_role("c360_read", "SELECT * FROM marts.mart_customer_360") == "ok"
        assert as_role("c360_read", "DELETE FROM snapshots.customer_snapshot") == "42501"
        assert as_role("c360_read", "CALL c360_control.run_customer_snapshot()") == "42501"
        for statement in ("CALL c360_control.run_customer_snapshot()", "CALL c360_control.apply_customer_snapshot()",
                          "SELECT c360_control.run_begin('x', 'y', NULL)", "SELECT * FROM snapshots.customer_snapshot"):  # fmt: skip
            assert as_role("nobody_at_all", statement) == "42501", statement
        assert found.rows("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'snapshots'") == [("c360_owner",)]
    finally:
        found.close()
        with psycopg.connect(database, autocommit=True) as last:
            last.execute("DROP ROLE nobody_at_all")


def test_the_worker_runs_in_a_transaction_of_the_caller(history: Embedded, server: str) -> None:
    """apply_ lives and dies with the caller's transaction; run_ refuses to be in one."""
    history.sql(ROW)
    with psycopg.connect(uri(history, server)) as connection:
        connection.execute("CALL c360_control.apply_history(NULL, '2026-01-02 00:00:00+00')")
        connection.rollback()
        assert history.rows("SELECT count(*) FROM snap.history") == [(0,)]
        connection.execute("CALL c360_control.apply_history(NULL, '2026-01-02 00:00:00+00')")
        connection.commit()
        assert history.rows("SELECT count(*) FROM snap.history") == [(1,)]
        assert history.rows("SELECT status FROM c360_control.run_log") == [("succeeded",)]
        with pytest.raises(psycopg.errors.InvalidTransactionTermination):
            connection.execute("CALL c360_control.run_history()")


def test_wrong_isolation_level(history: Embedded, server: str) -> None:
    history.sql(ROW)
    with psycopg.connect(uri(history, server)) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with pytest.raises(psycopg.Error) as found:
            connection.execute("CALL c360_control.apply_history()")
    assert found.value.diag.sqlstate == "ZC007"


def test_not_deployed(history: Embedded) -> None:
    history.sql("DELETE FROM c360_control.state")
    assert history.run("history").startswith("ZC008")
    assert history.rows("SELECT status, sqlstate FROM c360_control.run_log") == [("failed", "ZC008")]


def test_a_target_that_somebody_else_writes_to(history: Embedded) -> None:
    """A trigger stands for the writer between stage and close: the count is wrong, so nothing is kept."""
    history.sql(ROW)
    assert history.run("history", "2026-01-02 00:00:00") == ""
    history.sql("""
        CREATE FUNCTION snap.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER skip BEFORE UPDATE ON snap.history FOR EACH ROW EXECUTE FUNCTION snap.skip()""")
    history.sql("UPDATE raw.customers SET email = 'b'")
    assert history.run("history", "2026-01-03 00:00:00").startswith("ZC006")
    assert history.rows("SELECT count(*) FROM snap.history") == [(1,)]
    history.sql("DROP TRIGGER skip ON snap.history")
    assert history.run("history", "2026-01-03 00:00:00") == ""


def test_a_killed_backend_is_seen_as_abandoned(history: Embedded, server: str) -> None:
    """The process dies in the middle of a run: nothing is committed, the health view tells, the next run marks it."""
    history.sql(ROW)
    history.sql("""CREATE FUNCTION snap.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END'""")
    history.sql("CREATE TRIGGER slow BEFORE INSERT ON snap.history FOR EACH ROW EXECUTE FUNCTION snap.slow()")
    victim = psycopg.connect(uri(history, server), autocommit=True)
    pid = victim.info.backend_pid

    def call() -> None:
        with pytest.raises(psycopg.OperationalError):
            victim.execute("CALL c360_control.run_history('2026-01-02 00:00:00+00')")

    thread = threading.Thread(target=call)
    thread.start()
    wait_until(lambda: history.rows("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [(1,)])
    assert history.rows("SELECT status FROM c360_control.run_health") == [("running",)]
    history.sql(f"SELECT pg_terminate_backend({pid})")
    thread.join(timeout=20)
    wait_until(lambda: history.rows("SELECT status FROM c360_control.run_health") == [("abandoned",)])
    assert history.rows("SELECT count(*) FROM snap.history") == [(0,)]
    history.sql("DROP TRIGGER slow ON snap.history")
    assert history.run("history", "2026-01-02 00:00:00") == ""
    assert history.rows("SELECT status FROM c360_control.run_log ORDER BY run_id") == [("abandoned",), ("succeeded",)]


def test_whose_lock_is_held_lives(history: Embedded, server: str) -> None:
    """A run of any age lives while it holds its row of the log, and nobody waits to see that; an earlier one of this session is dead."""
    history.sql(ROW)
    row = "INSERT INTO c360_control.run_log (node, action, status, spec_hash, started_at) VALUES ('snap.history', 'run', 'running', '', {})"
    with psycopg.connect(uri(history, server)) as other:
        other.execute(row.format("clock_timestamp() - INTERVAL '1 hour'"))
        other.commit()
        other.execute("SELECT 1 FROM c360_control.run_log FOR UPDATE")
        history.sql(row.format("clock_timestamp()"))
        history.sql("SET lock_timeout = '3s'")
        assert history.run("history", "2026-01-02 00:00:00") == ""
        statuses = "SELECT status FROM c360_control.run_log ORDER BY run_id"
        assert history.rows(statuses) == [("running",), ("abandoned",), ("succeeded",)]
    assert history.run("history", "2026-01-02 00:00:00") == ""
    assert history.rows(statuses) == [("abandoned",), ("abandoned",), ("succeeded",), ("succeeded",)]


def test_a_timeout_is_logged(history: Embedded) -> None:
    """`WHEN OTHERS` alone would not see a statement_timeout."""
    history.sql(ROW)
    history.sql("""CREATE FUNCTION snap.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END'""")
    history.sql("CREATE TRIGGER slow BEFORE INSERT ON snap.history FOR EACH ROW EXECUTE FUNCTION snap.slow()")
    history.sql("SET statement_timeout = '300ms'")
    assert "statement timeout" in history.run("history", "2026-01-02 00:00:00")
    history.sql("SET statement_timeout = 0")
    assert history.rows("SELECT status, sqlstate FROM c360_control.run_log") == [("failed", "57014")]


def test_two_runs_at_once(history: Embedded, server: str) -> None:
    """The second waits for the first, then sees what it has committed: every version once."""
    history.sql("INSERT INTO raw.customers SELECT g, 'a', 'x', '2026-01-01 00:00:00+00' FROM generate_series(1, 2000) AS g")
    assert history.run("history") == ""
    for number in range(3):
        history.sql(f"UPDATE raw.customers SET email = 'round {number}'")
        messages: list[str] = []
        threads = [threading.Thread(target=call_run, args=(uri(history, server), messages)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert messages == [""] * 4
        assert history.rows("SELECT count(*), count(DISTINCT id) FROM snap.history WHERE valid_to IS NULL") == [(2000, 2000)]
        assert history.rows("SELECT count(*) FROM snap.history") == [(2000 * (number + 2),)]


def call_run(database: str, messages: list[str]) -> None:
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("CALL c360_control.run_history()")
    except psycopg.Error as error:
        messages.append(str(error))
    else:
        messages.append("")


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_password_is_never_shown() -> None:
    with pytest.raises(engines.EngineError) as found:
        engines.connect("postgres", "postgresql://me:secret@127.0.0.1:1/x", "c")
    assert "secret" not in str(found.value)


@pytest.mark.parametrize("form", ["procedures", "scripts"])
def test_settings_of_a_target(form: str, database: str, tmp_path: Path, project: Callable[[Path], LoadedProject]) -> None:
    """What a target says of memory, patience and workers is what its runs have; the caller's own settings are as they were afterwards."""
    specs = (CASES / "guards" / "specs" / "p.yml").read_text(encoding="utf-8")
    said = f"postgres: {{dialect: postgres, form: {form}, settings: {{work_mem: 1MB, max_parallel_workers_per_gather: 0}}}}"
    (tmp_path / "p.yml").write_text(specs.replace("postgres: {dialect: postgres}", said), encoding="utf-8")
    found = Embedded(build(project(tmp_path), "postgres"), database)
    found.deploy()
    found.sql("CREATE TABLE raw.seen (work_mem TEXT, workers TEXT)")
    found.sql(
        "CREATE FUNCTION raw.look() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN INSERT INTO raw.seen "
        "VALUES (current_setting('work_mem'), current_setting('max_parallel_workers_per_gather')); RETURN NULL; END $$"
    )
    found.sql("CREATE TRIGGER look AFTER INSERT ON snap.history FOR EACH STATEMENT EXECUTE FUNCTION raw.look()")
    found.sql(ROW)
    before = found.rows("SHOW work_mem")
    assert found.run("history", "2026-01-02 00:00:00") == ""
    assert found.rows("SELECT * FROM raw.seen") == [("1MB", "0")]
    assert found.rows("SHOW work_mem") == before
    found.close()
