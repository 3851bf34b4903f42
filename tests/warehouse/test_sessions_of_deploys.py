"""The session that deploys to Snowflake may be one that commits nothing by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from c360gen.pipeline import LoadedProject
from tests.conftest import CASES, built
from tests.warehouse.machine import Failure
from tests.warehouse.warehouse import Warehouse
from tests.worlds import manifest_of, source_tables, text_of


@pytest.mark.parametrize("autocommit", [True, False])
def test_the_released_state_outlives_the_session(autocommit: bool, project: Callable[[Path], LoadedProject]) -> None:
    """AUTOCOMMIT may be off for a user or an account: what nobody commits goes with the end of the session."""
    build = built(project(CASES / "merge" / "specs"), "snowflake")
    manifest = manifest_of(build)
    warehouse = Warehouse("snowflake", manifest["database"])
    for statement in source_tables(manifest, "TIMESTAMP"):
        warehouse.execute(statement)
    for _ in range(2):
        warehouse.install(text_of(build, "deploy.sql"), autocommit)
        assert warehouse.rows("SELECT count(*) FROM c360_control.release") == [(1,)]
        assert warehouse.rows("SELECT count(*) FROM c360_control.lock_latest") == [(1,)]
    warehouse.execute("UPDATE c360_control.release SET shape = 'another'")
    with pytest.raises(Failure, match="another released state"):
        warehouse.install(text_of(build, "deploy.sql"), autocommit)
