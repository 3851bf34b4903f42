"""Scenarios of tests/dbt/scenarios, each a source and a snapshot of its own; ONE `dbt snapshot` per step runs all of them.

A scenario is a name, `about`, `config` of the snapshot as both tools read it, `columns` of the source, and `steps`: `sql` (with {t} for
the source table), `config` that changes from here on, `fails` when ours refuses with these words, `dbt_fails` when dbt does.
Without `differs` both tables must be equal after every step. With it they are for the first `equal_for` steps, and `ours` and `dbt` hold
the rows of both after the last; `default` holds those of the same snapshot without `compat: dbt`.

dbt closes and inserts by UPDATE and INSERT on DuckDB and Postgres, and by a MERGE on Snowflake and BigQuery. That MERGE is the third
world here, on Postgres; where it leaves other rows or fails they are `dbt_merge` and `merge_fails`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import new_database
from tests.dbt.sides import Sides

FOLDER = Path(__file__).parent / "scenarios"
COLUMNS = {"id": "bigint", "v": "text", "updated_at": "timestamptz"}
WORDS = {"timestamptz": "TIMESTAMPTZ", "double": "DOUBLE PRECISION"}
OWN = ("dbt_valid_from", "dbt_valid_to", "dbt_is_deleted")
NOT_DBT = ("on_empty_source", "nullable_keys")
"""Settings that dbt has not: ours alone."""


@dataclass(frozen=True)
class Scenario:
    name: str
    given: dict[str, Any]

    @property
    def columns(self) -> dict[str, str]:
        return {**(self.given.get("columns") or COLUMNS)}

    @property
    def steps(self) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = self.given["steps"]
        return steps

    def config(self, step: int) -> dict[str, Any]:
        """What the snapshot says at a step, the first being 0."""
        found: dict[str, Any] = dict(self.given["config"])
        for each in self.steps[: step + 1]:
            found |= each.get("config", {})
        return {k: v for k, v in found.items() if v is not None}

    def own(self) -> list[str]:
        config = self.config(0)
        names = config.get("snapshot_meta_column_names", {})
        wanted = OWN if config.get("hard_deletes") == "new_record" else OWN[:2]
        return [names.get(n, n) for n in wanted]

    def shown(self) -> list[str]:
        return [*(c for c in self.columns if c != "updated_at"), *self.own()]

    @property
    def nodes(self) -> list[str]:
        return [self.name, f"{self.name}_default"] if "default" in self.given else [self.name]


def scenarios() -> list[Scenario]:
    found = [Scenario(s["name"], s) for path in sorted(FOLDER.glob("*.yml")) for s in yaml.safe_load(path.read_text(encoding="utf-8"))]
    assert len({s.name for s in found}) == len(found)
    return found


ALL = scenarios()


def specs(step: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The YAML of dbt and of c360gen; snapshots keep what they said when their steps are over."""
    tables, theirs, ours = [], [], []
    for one in ALL:
        tables.append({"name": one.name, "columns": [{"name": n, "data_type": t} for n, t in one.columns.items()]})
        config = {"schema": "snap", "unique_key": "id", **one.config(step)}
        relation = f"source('raw', '{one.name}')"
        until = config.get("dbt_valid_to_current")
        dbt = {k: v for k, v in config.items() if k not in NOT_DBT}
        dbt |= {"dbt_valid_to_current": f"cast('{until} 00:00:00+00' as timestamptz)"} if until else {}
        theirs.append({"name": one.name, "relation": relation, "config": dbt})
        ours.append({"name": one.name, "relation": relation, "config": {**config, "compat": "dbt"}})
        if "default" in one.given:
            ours.append({"name": f"{one.name}_default", "relation": relation, "config": config})
    sources = [{"name": "raw", "schema": "raw", "tables": tables}]
    return {"version": 2, "sources": sources, "snapshots": theirs}, {"version": 2, "sources": sources, "snapshots": ours}


@dataclass
class Outcome:
    """What was seen of one scenario."""

    ours: list[list[list[Any]]]
    dbt: list[list[list[Any]]]
    default: list[list[Any]]
    answered: list[str]
    said: list[str]
    run_times: list[int]


@pytest.fixture(scope="module", params=["duckdb", "postgres", "merge"])
def way(request: pytest.FixtureRequest) -> str:
    """How dbt writes: as on DuckDB, as on Postgres, or by MERGE."""
    return str(request.param)


@pytest.fixture(scope="module")
def outcomes(way: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """All scenarios in one world, step by step."""
    folder = tmp_path_factory.mktemp("scenarios")
    database = str(folder / "compare.duckdb") if way == "duckdb" else new_database(request.getfixturevalue("server"), f"scenarios_{way}")
    found = Sides("duckdb" if way == "duckdb" else "postgres", database, folder, merges=way == "merge")
    outcomes = {s.name: Outcome([], [], [], [], [], []) for s in ALL}
    found.write(*specs(0))
    found.sql("CREATE SCHEMA raw")
    for one in ALL:
        columns = ", ".join(f'"{n}" {WORDS.get(t, t)}' for n, t in one.columns.items())
        found.sql(f"CREATE TABLE raw.{one.name} ({columns})")
    found.deploy()
    for step in range(max(len(s.steps) for s in ALL)):
        going = [s for s in ALL if step < len(s.steps)]
        if any("config" in s.steps[step] for s in going):
            found.write(*specs(step))
        for one in going:
            for statement in one.steps[step].get("sql", []):
                found.sql(statement.replace("{t}", f"raw.{one.name}"))
            if "config" in one.steps[step]:
                found.replace_procedure(one.name)
        said, answered = found.both([n for s in going for n in s.nodes])
        for one in going:
            seen = outcomes[one.name]
            seen.answered.append(answered[one.name])
            seen.said.append(said[one.name])
            seen.ours.append(found.table(f"snap.{one.name}", one.shown()))
            seen.dbt.append(found.table(f"dbt_snap.{one.name}", one.shown()))
            seen.run_times += found.run_times(f"snap.{one.name}", one.own()[:2])
            if "default" in one.given:
                names = [n.removeprefix("dbt_") if n in OWN else n for n in one.shown()]
                seen.default = found.table(f"snap.{one.name}_default", names)
    yield outcomes
    found.close()


@pytest.fixture
def outcome(outcomes: dict[str, Outcome]) -> Callable[[Scenario], Outcome]:
    return lambda scenario: outcomes[scenario.name]


def of_dbt(scenario: Scenario, key: str, step: int | None, way: str) -> Any:
    """What dbt is expected to leave, or to say at a step."""
    merged = {"dbt": "dbt_merge", "dbt_fails": "merge_fails"}[key]
    given = scenario.given if step is None else scenario.steps[step]
    return given[merged] if way == "merge" and merged in given else given.get(key)


def rows(expected: list[list[Any]]) -> list[list[Any]]:
    return sorted(([v if v is None else str(v) for v in row] for row in expected), key=repr)


def texts(found: list[list[Any]]) -> list[list[Any]]:
    return sorted(([v if v is None else str(v) for v in row] for row in found), key=repr)


def equal_steps(scenario: Scenario) -> int:
    """After how many steps both tables must still be equal."""
    return scenario.given.get("equal_for", 0) if "differs" in scenario.given else len(scenario.steps)


@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.name)
def test_who_refuses(scenario: Scenario, way: str, outcome: Callable[[Scenario], Outcome]) -> None:
    found = outcome(scenario)
    for number, step in enumerate(scenario.steps):
        theirs = of_dbt(scenario, "dbt_fails", number, way)
        for wanted, message in ((step.get("fails"), found.answered[number]), (theirs, found.said[number])):
            said = "" if message == "success" else message
            assert bool(said) == bool(wanted), f"step {number + 1}: {message}"
            assert str(wanted or "") in said, f"step {number + 1}: {message}"


@pytest.mark.parametrize("scenario", [s for s in ALL if equal_steps(s)], ids=lambda s: s.name)
def test_equal(scenario: Scenario, outcome: Callable[[Scenario], Outcome]) -> None:
    found = outcome(scenario)
    for step in range(equal_steps(scenario)):
        assert found.ours[step] == found.dbt[step], f"step {step + 1} of {scenario.name}"
    assert any(found.ours), "two empty tables prove nothing"
    if "ours" in scenario.given and "differs" not in scenario.given:
        assert texts(found.ours[-1]) == rows(scenario.given["ours"])


@pytest.mark.parametrize("scenario", [s for s in ALL if "differs" in s.given], ids=lambda s: s.name)
def test_different_on_purpose(scenario: Scenario, way: str, outcome: Callable[[Scenario], Outcome]) -> None:
    found = outcome(scenario)
    assert texts(found.ours[-1]) == rows(scenario.given["ours"])
    assert texts(found.dbt[-1]) == rows(of_dbt(scenario, "dbt", None, way))
    refused = any(of_dbt(scenario, "dbt_fails", n, way) for n in range(len(scenario.steps)))
    assert refused or texts(found.ours[-1]) != texts(found.dbt[-1])


@pytest.mark.parametrize("scenario", [s for s in ALL if "default" in s.given], ids=lambda s: s.name)
def test_without_compat(scenario: Scenario, outcome: Callable[[Scenario], Outcome]) -> None:
    """What c360gen keeps where it does not have to do as dbt does."""
    found = outcome(scenario)
    assert texts(found.default) == rows(scenario.given["default"])
    assert texts(found.default) != texts(found.dbt[-1])


@pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.name)
def test_one_time_per_run(scenario: Scenario, outcome: Callable[[Scenario], Outcome]) -> None:
    """A version ends at the very instant at which the next begins, however long the run took."""
    assert set(outcome(scenario).run_times) <= {1}
