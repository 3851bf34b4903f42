"""`grants:` and `persist_docs:` in a deployed Postgres: who may read what, and which texts are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import CASES
from tests.worlds import World

SPECS = CASES / "readers" / "specs"
MAY = [("analyst", "analytics.seen", True), ("analyst", "analytics.hidden", False), ("analyst", "snap.history", True),
       ("analyst", "snap.history_current", True), ("analyst", "snap.history_as_of(now())", True), ("auditor", "snap.history", True),
       ("auditor", "analytics.seen", False), ("c360_runner", "snap.history", False)]  # fmt: skip


def test_who_may_read(world: Callable[[Path, str], World]) -> None:
    found: Any = world(SPECS, "postgres")
    found.deploy()
    for role, relation, may in MAY:
        found.sql(f"SET ROLE {role}")
        try:
            found.rows(f"SELECT 1 FROM {relation}")
            assert may, (role, relation)
        except psycopg.errors.InsufficientPrivilege:
            assert not may, (role, relation)
        found.sql("RESET ROLE")


@pytest.mark.parametrize("relation,text", [("analytics.seen", None), ("analytics.hidden", "Shown."), ("snap.history", None)])
def test_which_texts_are_there(relation: str, text: str | None, world: Callable[[Path, str], World]) -> None:
    found = world(SPECS, "postgres")
    assert found.rows(f"SELECT obj_description('{relation}'::regclass)") == [(text,)]
    columns = found.rows(f"SELECT col_description('{relation}'::regclass, n) FROM generate_series(1, 9) AS n")
    assert {c for (c,) in columns if c} == ({"This text is there."} if relation == "analytics.seen" else set())
