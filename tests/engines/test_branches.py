"""Every branch of every Postgres procedure is executed: each IF counts its visits in a sequence, which no rollback undoes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import yaml

from c360gen.emit.files import File
from c360gen.pipeline import LoadedProject
from tests.conftest import CASES, built, new_database
from tests.test_scenarios import SCENARIOS, runs_of
from tests.worlds import Embedded, text_of

ELSEWHERE = (
    "IF NOT FOUND",  # tests/engines/test_postgres.py: test_not_deployed
    "IF current_setting('transaction_isolation')",  # test_wrong_isolation_level
    "IF p_run_id IS NOT NULL AND NOT FOUND",  # tests/engines/test_callers.py: test_apply_takes_only_an_open_run_of_its_session
    "IF p_run_id IS NULL",  # test_the_worker_runs_in_a_transaction_of_the_caller
    "IF v_sqlstate !~ '^ZC'",  # test_a_lock_that_is_held
    "IF v_rows <>",  # test_a_target_that_somebody_else_writes_to; one shell writes them all
    "IF v_released <>",  # test_deploy_refuses_another_released_state
    "IF current_setting('server_version_num')",  # no older server is at hand
    "IF to_regclass",  # test_deploy_is_re_runnable_and_keeps_history
    "IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles",
    "IF NOT v_dry_run AND (v_changed_rows >",  # tests/test_adoption.py: test_what_would_change_a_version_is_noticed_before_the_commit
    "IF v_swapped_views >",  # tests/engines/test_surroundings.py: a view of a source that was renamed
    "IF EXISTS (SELECT 1 FROM c360_control.seed_state",  # a seed that is as it was: tests/test_seeds.py
)


def instrumented(text: str, case: str) -> tuple[str, dict[str, str]]:
    """deploy.sql with `PERFORM nextval('cov.bN')` as the first statement of every branch, and what each N stands for."""
    branches: dict[str, str] = {}

    def count(found: re.Match[str]) -> str:
        name = f"b{len(branches)}"
        branches[name] = f"{case}: {found[1].strip()}"
        return f"{found[0]}\n    PERFORM nextval('cov.{name}');"

    changed = re.sub(r"^( *(?:IF|ELSIF) .* THEN)$", count, text, flags=re.M)
    sequences = "".join(f"CREATE SEQUENCE cov.{name};\n" for name in branches)
    return f"CREATE SCHEMA cov;\n{sequences}\n{changed}", branches


COVER = (
    "adoption", "constraints", "daily_copies", "daily_copies_policies", "guards", "incremental_keys", "maintenance", "microbatch_moved",
    "microbatch_words", "retyped_sources", "sentinel", "source_delta", "unmoved",
)  # fmt: skip
"""Scenarios that reach together every branch of any scenario's procedures; who writes a branch that none of them reaches adds one."""


def test_every_branch(server: str, project: Callable[[Path], LoadedProject]) -> None:
    texts = {case: instrumented(text_of(built(project(case / "specs"), "postgres"), "deploy.sql"), case.name) for case in SCENARIOS}
    known = {label.partition(": ")[2] for _, branches in texts.values() for label in branches.values()}
    reached: set[str] = set()
    for name in COVER:
        reached |= played(CASES / name, *texts[CASES / name], server, project)
    missed = {label for label in known - reached if not label.startswith(ELSEWHERE)}
    assert not missed, sorted(missed)
    assert len(known) > 15


def played(case: Path, text: str, branches: dict[str, str], server: str, project: Callable[[Path], LoadedProject]) -> set[str]:
    """The branches that a scenario reaches."""
    made = built(project(case / "specs"), "postgres")
    files = [f if f.path != "deploy.sql" else File(f.path, text) for f in made.files]
    found = Embedded(dataclasses.replace(made, files=files), new_database(server, f"branches_{case.name}"))
    found.deploy()
    scenario = yaml.safe_load((case / "scenario.yml").read_text(encoding="utf-8"))
    for step in scenario["steps"]:
        for statement in step.get("sql", []):
            found.sql(statement)
        for node in runs_of(step, scenario):
            found.run(node, str(step["as_of"]), bool(step.get("full_refresh")))
        for task in step.get("tasks", []):
            found.task(task["action"], task["node"], task.get("with", {}), bool(task.get("apply")))
    called = dict(found.rows(" UNION ALL ".join(f"SELECT '{name}', is_called FROM cov.{name}" for name in branches)))
    found.close()
    return {label.partition(": ")[2] for name, label in branches.items() if called[name]}


def test_the_stage_lives_as_long_as_its_transaction(database: str, project: Callable[[Path], LoadedProject]) -> None:
    """Nothing of it is there after a run, or after one that failed; and runs of one session do not find each other's."""
    found = Embedded(built(project(CASES / "guards" / "specs"), "postgres"), database)
    found.deploy()
    found.sql("INSERT INTO raw.customers VALUES (1, 'a', 'x', '2026-01-01 00:00:00+00')")
    stages = "SELECT count(*) FROM pg_catalog.pg_class WHERE relname LIKE 'stage\\_%'"
    for key, email, wanted in (("1", "a", ""), ("NULL", "b", "ZC002"), ("1", "c", "")):
        found.sql(f"UPDATE raw.customers SET id = {key}, email = '{email}'")
        assert found.run("history")[:5] == wanted
        assert found.rows(stages) == [(0,)]
    assert found.rows("SELECT email FROM snap.history ORDER BY valid_from") == [("a",), ("c",)]
    found.close()


@pytest.mark.parametrize("engine", ["postgres"])
def test_a_lock_that_is_held(engine: str, database: str, project: Callable[[Path], LoadedProject]) -> None:
    """Whoever holds the node's row makes a run wait ten seconds, then fail with a hint; other nodes do not wait."""
    found = Embedded(built(project(CASES / "check_list" / "specs"), engine), database)
    found.deploy()
    with psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM c360_control.state WHERE node = 'snap.plain' FOR UPDATE")
        assert found.run("dated") == ""
        message = found.run("plain")
    assert "lock timeout" in message and "holds the lock" in message
    assert found.run("plain") == ""
    found.close()
