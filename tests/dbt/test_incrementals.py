"""Incremental models beside dbt's (tests/dbt/incrementals.yml): ONE `dbt run` per step runs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import new_database
from tests.dbt.sides import Sides

ALL: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("incrementals.yml").read_text(encoding="utf-8"))
COLUMNS = {"id": "bigint", "v": "text", "updated_at": "timestamptz"}


@dataclass
class Outcome:
    ours: list[list[list[Any]]] = field(default_factory=list)
    dbt: list[list[list[Any]]] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def columns_of(model: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = model.get("columns") or COLUMNS
    return found


def sql_of(model: dict[str, Any], key: str) -> str:
    plain = f"select {', '.join(columns_of(model))} from {{{{ source('raw', '{model['name']}') }}}}"
    return str(model.get(key) or model.get("sql") or plain).replace("{name}", model["name"])


def specs() -> tuple[dict[str, Any], dict[str, Any]]:
    tables, theirs, ours = [], [], []
    for one in ALL:
        columns = [{"name": n, "data_type": t} for n, t in columns_of(one).items()]
        tables.append({"name": one["name"], "columns": columns})
        config = {"schema": "int", "materialized": "incremental", **one["config"]}
        theirs.append({"name": one["name"], "config": config})
        config = {**config, **one.get("ours_config", {})}
        ours.append({"name": one["name"], "config": config, "sql": sql_of(one, "sql"), "columns": columns})
    sources = [{"name": "raw", "schema": "raw", "tables": tables}]
    return {"version": 2, "sources": sources, "models": theirs}, {"version": 2, "sources": sources, "models": ours}


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    folder = tmp_path_factory.mktemp("incrementals")
    duckdb = request.param == "duckdb"
    database = str(folder / "compare.duckdb") if duckdb else new_database(request.getfixturevalue("server"), "incrementals")
    found = Sides(request.param, database, folder)
    found.write(*specs(), {m["name"]: sql_of(m, "dbt_sql") for m in ALL})
    found.sql("CREATE SCHEMA raw")
    for one in ALL:
        found.sql(f"CREATE TABLE raw.{one['name']} ({', '.join(f'{n} {t}' for n, t in columns_of(one).items())})")
    found.deploy()
    outcomes = {m["name"]: Outcome() for m in ALL}
    for step in range(max(len(m["steps"]) for m in ALL)):
        going = [m for m in ALL if step < len(m["steps"])]
        for one in going:
            for statement in one["steps"][step]["sql"]:
                found.sql(statement.replace("{t}", f"raw.{one['name']}"))
        said, answered = found.both([m["name"] for m in going], "run")
        for one in going:
            seen, shown = outcomes[one["name"]], one.get("ours_columns") or list(columns_of(one))
            seen.said.append(said[one["name"]])
            seen.answered.append(answered[one["name"]])
            seen.ours.append(texts(found.table(f"int.{one['name']}", shown)))
            seen.dbt.append(texts(found.table(f"dbt_int.{one['name']}", shown)))
    yield outcomes
    found.close()


@pytest.fixture
def outcome(outcomes: dict[str, Outcome]) -> Callable[[dict[str, Any]], Outcome]:
    return lambda model: outcomes[model["name"]]


def texts(found: list[list[Any]]) -> list[list[Any]]:
    return sorted(([v if v is None else str(v) for v in row] for row in found), key=repr)


@pytest.mark.parametrize("model", ALL, ids=lambda m: m["name"])
def test_rows(model: dict[str, Any], outcome: Callable[[dict[str, Any]], Outcome]) -> None:
    found = outcome(model)
    assert found.said == ["success"] * len(model["steps"])
    for step, message in zip(model["steps"], found.answered, strict=True):
        assert bool(message) == bool(step.get("fails")) and step.get("fails", "") in message, message
    for step in range(model.get("equal_for", 0) if "differs" in model else len(model["steps"])):
        assert found.ours[step] == found.dbt[step] != [], f"step {step + 1}"
    if "differs" in model:
        assert found.ours[-1] == texts(model["ours"])
        assert found.dbt[-1] == texts(model["dbt"])
        assert found.ours[-1] != found.dbt[-1]
