"""A table that real dbt has made goes on here: adopted, it holds dbt's rows, and the next day of both leaves the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from c360gen.cli.main import cli
from tests.dbt.sides import Sides
from tests.worlds import task_of, text_of

COLUMNS = [{"name": "id", "data_type": "bigint"}, {"name": "v", "data_type": "text"}, {"name": "updated_at", "data_type": "timestamptz"}]
SOURCES = [{"name": "raw", "schema": "raw", "tables": [{"name": "t", "columns": COLUMNS}]}]
OPEN = "cast('9999-12-31 00:00:00+00' as timestamptz)"


def spec(config: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    snapshot = {"name": "h", "relation": "source('raw', 't')", "config": {"schema": "snap", "unique_key": "id", **config}, **others}
    return {"version": 2, "sources": SOURCES, "snapshots": [snapshot]}


def begun(found: Sides, config: Mapping[str, Any]) -> None:
    """Two days of dbt alone: a change, a deletion, a new key."""
    found.write(spec(config), spec({k: v for k, v in config.items() if k != "dbt_valid_to_current"}))
    for statement in (
        "CREATE SCHEMA raw", "CREATE TABLE raw.t (id BIGINT, v TEXT, updated_at TIMESTAMPTZ)",
        "INSERT INTO raw.t SELECT id, v, '2026-01-01 00:00:00+00' FROM (VALUES (1, 'a'), (2, 'b'), (3, NULL)) AS t(id, v)",
    ):  # fmt: skip
        found.sql(statement)
    assert found.dbt() == {"h": "success"}
    for statement in (
        "UPDATE raw.t SET v = 'a2', updated_at = '2026-01-02 00:00:00+00' WHERE id = 1", "DELETE FROM raw.t WHERE id = 2",
        "INSERT INTO raw.t VALUES (4, 'd', '2026-01-02 00:00:00+00')",
    ):  # fmt: skip
        found.sql(statement)
    assert found.dbt() == {"h": "success"}


def adopting(found: Sides, dbt: Mapping[str, Any], ours: Mapping[str, Any], adopt: Mapping[str, Any]) -> None:
    """Our specs with dbt's table as `c360gen adopt --table` declares it; built and deployed."""
    found.close()
    given = ["adopt", "--table", "dbt_snap.h", "--target", found.engine, "--database", found.database, "--specs", str(found.specs)]
    described = CliRunner().invoke(cli, given)
    assert described.exit_code == 0, described.output
    written = spec(ours, adopt={"relation": "source('dbt', 'h')", **adopt})
    written["sources"] = [*SOURCES, *yaml.safe_load(described.stdout)["sources"]]
    found.write(spec(dbt), written)
    found.deploy()


def adopt(found: Sides, *, apply: bool = True) -> str:
    manifest = {"nodes": list(found.nodes.values())}
    node, task = task_of(manifest, "adopt", "h")
    text = text_of(found.build, task["script"]) if task["script"] else None
    return str(found.session.task(node, task, text, {}, apply).message)


@pytest.mark.parametrize(
    ("dbt", "ours"),
    [
        ({"strategy": "timestamp", "updated_at": "updated_at", "hard_deletes": "invalidate"}, {}),
        ({"strategy": "check", "check_cols": ["v"], "hard_deletes": "new_record", "dbt_valid_to_current": OPEN},
         {"dbt_valid_to_current": "9999-12-31"}),
        ({"strategy": "check", "check_cols": ["v"], "updated_at": "updated_at", "hard_deletes": "ignore"}, {}),
    ],
    ids=["timestamp", "check", "ignore"],
)  # fmt: skip
def test_its_rows_and_the_next_day_are_equal(sides: Callable[[], Sides], dbt: dict[str, Any], ours: dict[str, Any]) -> None:
    found = sides()
    begun(found, dbt)
    adopting(found, dbt, {**dbt, **ours, "compat": "dbt"}, ours)
    assert adopt(found) == ""
    columns = ["id", "v", "updated_at", "dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"]
    columns += ["dbt_is_deleted"] if dbt["hard_deletes"] == "new_record" else []
    assert found.table("snap.h", columns) == found.table("dbt_snap.h", columns) != []
    found.sql("UPDATE raw.t SET v = 'c', updated_at = now() WHERE id IN (1, 3)")
    found.sql("INSERT INTO raw.t VALUES (2, 'b2', now())")
    found.sql("DELETE FROM raw.t WHERE id = 4")
    assert found.both(["h"]) == ({"h": "success"}, {"h": ""})
    columns = [c for c in columns if c not in ("dbt_scd_id", "dbt_updated_at")]
    assert found.table("snap.h", columns) == found.table("dbt_snap.h", columns)


def test_what_dbt_has_damaged_is_told_and_mended(sides: Callable[[], Sides]) -> None:
    """A key twice in the source, and a key that comes back with its old time: dbt reports success and leaves versions that overlap."""
    found = sides()
    config = {"strategy": "timestamp", "updated_at": "updated_at", "hard_deletes": "invalidate"}
    begun(found, config)
    found.sql("INSERT INTO raw.t VALUES (2, 'b', '2026-01-01 00:00:00+00')")
    found.sql("INSERT INTO raw.t VALUES (5, 'e', '2026-01-03 00:00:00+00'), (5, 'f', '2026-01-04 00:00:00+00')")
    assert found.dbt() == {"h": "success"}
    adopting(found, config, config, {})
    said = adopt(found)
    assert "overlap: 1 (2), two_open: 1 (5)" in said
    assert found.rows("SELECT COUNT(*) FROM snap.h") == [(0,)]
    adopting(found, config, config, {"repair": True})
    assert adopt(found) == ""
    found.sql("DELETE FROM raw.t WHERE v = 'e'")
    assert found.run("h") == ""
    assert found.rows("SELECT problem FROM snap.h_health") == []
    current = "SELECT id, v FROM snap.h WHERE valid_to IS NULL ORDER BY id"
    assert found.rows(current) == found.rows("SELECT id, v FROM raw.t ORDER BY id")
