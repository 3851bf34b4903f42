"""Settings that change after tables exist: S10, S11, E32. What changes tables is a migration here; deploy refuses it until there is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from c360gen.engines import EngineError
from tests.dbt.sides import Sides

COLUMNS = [{"name": "id", "data_type": "bigint"}, {"name": "v", "data_type": "text"}, {"name": "updated_at", "data_type": "timestamptz"}]
SOURCES = [{"name": "raw", "schema": "raw", "tables": [{"name": "t", "columns": COLUMNS}]}]


def spec(config: Mapping[str, Any]) -> dict[str, Any]:
    always = {"schema": "snap", "unique_key": "id", "strategy": "timestamp", "updated_at": "updated_at"}
    snapshot = {"name": "h", "relation": "source('raw', 't')", "config": {**always, **config}}
    return {"version": 2, "sources": SOURCES, "snapshots": [snapshot]}


def started(found: Sides, dbt: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """One run of both, then a change that waits."""
    found.write(spec(dbt), spec({**ours, "compat": "dbt"}))
    found.sql("CREATE SCHEMA raw")
    found.sql("CREATE TABLE raw.t (id BIGINT, v TEXT, updated_at TIMESTAMPTZ)")
    found.sql("INSERT INTO raw.t VALUES (1, 'a', '2026-01-01 00:00:00+00')")
    found.deploy()
    assert found.both(["h"]) == ({"h": "success"}, {"h": ""})
    found.sql("UPDATE raw.t SET v = 'b', updated_at = '2026-01-02 00:00:00+00'")


def test_end_of_time_switched_off(sides: Callable[[], Sides]) -> None:
    """dbt no longer knows its open versions, opens a second one and reports success."""
    found = sides()
    started(found, {"dbt_valid_to_current": "cast('9999-12-31 00:00:00+00' as timestamptz)"}, {"dbt_valid_to_current": "9999-12-31"})
    found.write(spec({}), spec({"compat": "dbt"}))
    with pytest.raises(EngineError, match="released state"):
        found.deploy()
    assert found.dbt() == {"h": "success"}
    assert found.table("dbt_snap.h", ["v", "dbt_valid_to"]) == [["a", "9999-12-31"], ["b", None]]
    assert found.table("snap.h", ["v", "dbt_valid_to"]) == [["a", "9999-12-31"]]


def test_columns_renamed(sides: Callable[[], Sides]) -> None:
    """Both refuse."""
    found = sides()
    started(found, {}, {})
    names = {"snapshot_meta_column_names": {"dbt_valid_from": "seen_from"}}
    found.write(spec(names), spec({**names, "compat": "dbt"}))
    with pytest.raises(EngineError, match="released state"):
        found.deploy()
    assert "seen_from" in found.dbt()["h"]
