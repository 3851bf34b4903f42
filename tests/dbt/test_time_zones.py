"""E29: a source that writes UTC without saying so, and a session somewhere else. dbt dates a deletion by the wall clock of its session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from tests.dbt.sides import Sides

COLUMNS = [{"name": "id", "data_type": "bigint"}, {"name": "updated_at", "data_type": "timestamp"}]
SOURCES = [{"name": "raw", "schema": "raw", "tables": [{"name": "t", "columns": COLUMNS}]}]


def specs(compat: str | None) -> dict[str, object]:
    config = {"schema": "snap", "unique_key": "id", "strategy": "timestamp", "updated_at": "updated_at", "hard_deletes": "invalidate"}
    snapshot = {"name": "h", "relation": "source('raw', 't')", "config": {**config, **({"compat": compat} if compat else {})}}
    return {"version": 2, "sources": SOURCES, "snapshots": [snapshot]}


def test_deletion_in_tokyo(sides: Callable[[str], Sides]) -> None:
    found = sides("Asia/Tokyo")
    found.write(specs(None), specs("dbt"))
    found.sql("CREATE SCHEMA raw")
    found.sql("CREATE TABLE raw.t (id BIGINT, updated_at TIMESTAMP)")
    found.sql("INSERT INTO raw.t VALUES (1, '2026-01-01'), (2, '2026-01-01')")
    found.deploy()
    found.both(["h"])
    found.sql("DELETE FROM raw.t WHERE id = 1")
    said, answered = found.both(["h"])
    assert (said, answered) == ({"h": "success"}, {"h": ""})
    assert found.table("snap.h", ["id", "dbt_valid_from", "dbt_valid_to"]) == [["1", "2026-01-01", "RUN2"], ["2", "2026-01-01", None]]
    ((ended,),) = found.rows("SELECT dbt_valid_to FROM dbt_snap.h WHERE id = 1")
    hours = (ended.replace(tzinfo=dt.UTC) - found.windows[1].start) / dt.timedelta(hours=1)
    assert 9 <= hours < 10, "nine hours in the future, beside a start that is UTC"
