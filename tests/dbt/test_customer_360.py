"""Three days of the shipped Customer 360 through `dbt snapshot` and through `compat: dbt`: EXCEPT is empty both ways.

Both tools read the blocks of specs/sources.yml and specs/snapshots.yml; ours say `compat: dbt` besides.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from tests.dbt.sides import Sides

ROOT = Path(__file__).parents[2]
NAMES = ("customer_snapshot", "order_snapshot", "payment_snapshot")
REVIVED = "UPDATE raw_data.customers SET updated_at = now() WHERE customer_id = 4"
"""The customer who comes back on the third day does so with a time after the deletion, which dbt dates by its own clock."""


def specs() -> tuple[dict[str, Any], dict[str, Any]]:
    dbt: dict[str, Any] = {"version": 2}
    for name in ("sources", "snapshots"):
        dbt[name] = yaml.safe_load((ROOT / "specs" / f"{name}.yml").read_text(encoding="utf-8"))[name]
    ours = deepcopy(dbt)
    for snapshot in ours["snapshots"]:
        snapshot["config"]["compat"] = "dbt"
    return dbt, ours


def three_days(found: Sides, afterwards: str = "") -> None:
    for day in (1, 2, 3):
        found.sql((ROOT / "demo" / f"day{day}.sql").read_text(encoding="utf-8"))
        if day == 3 and afterwards:
            found.sql(afterwards)
        if day == 1:
            found.write(*specs())
            found.deploy()
        said, answered = found.both(NAMES)
        assert said == dict.fromkeys(NAMES, "success")
        assert answered == dict.fromkeys(NAMES, "")


def differences(found: Sides, name: str) -> list[list[tuple[Any, ...]]]:
    """(in dbt's, not in ours), (in ours, not in dbt's): every column of the source, the interval, and which run's time it is."""
    shown = [c["name"] for c in found.nodes[name]["columns"] if not c["name"].startswith("dbt_")]

    def mapped(column: str) -> str:
        at = f"CAST({column} AS TIMESTAMPTZ)"
        runs = " ".join(f"WHEN {at} BETWEEN '{w.start}' AND '{w.end}' THEN 'RUN{n}'" for n, w in enumerate(found.windows, 1))
        return f"CASE {runs} ELSE CAST({at} AS TEXT) END AS {column}"

    wanted = ", ".join((*shown, mapped("dbt_updated_at"), mapped("dbt_valid_from"), mapped("dbt_valid_to")))
    dbt, ours = (f"SELECT {wanted} FROM {schema}.{name}" for schema in ("dbt_snapshots", "snapshots"))
    return [found.rows(f"{a} EXCEPT ALL {b}") for a, b in ((dbt, ours), (ours, dbt))]


def test_equal(sides: Callable[[], Sides]) -> None:
    found = sides()
    three_days(found, REVIVED)
    for name in NAMES:
        assert differences(found, name) == [[], []], name
        hashes = [found.rows(f"SELECT dbt_scd_id FROM {schema}.{name} ORDER BY 1") for schema in ("dbt_snapshots", "snapshots")]
        assert hashes[0] == hashes[1] != [], f"{name}: no run time is in any of them"


def test_a_row_that_comes_back_with_its_old_time(sides: Callable[[], Sides]) -> None:
    """As shipped: customer 4 is deleted and comes back as it was. dbt's revival overlaps the time in which the customer was gone."""
    found = sides()
    three_days(found)
    assert differences(found, "order_snapshot") == differences(found, "payment_snapshot") == [[], []]
    (theirs,), (ours,) = differences(found, "customer_snapshot")
    assert (theirs[0], *theirs[-2:]) == (4, "2026-03-01 08:15:00+00", None)
    assert (ours[0], *ours[-2:]) == (4, "RUN3", None)
    versions = "SELECT dbt_valid_from, dbt_valid_to FROM {}.customer_snapshot WHERE customer_id = 4 ORDER BY dbt_valid_to NULLS LAST"
    before, after = found.rows(versions.format("dbt_snapshots"))
    assert after[0] < before[1], "dbt's versions overlap"
    before, after = found.rows(versions.format("snapshots"))
    assert after[0] > before[1], "ours do not"
