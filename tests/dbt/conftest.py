"""Real dbt beside c360gen. Collected only where dbt is installed: `make dbt` runs it in a venv of its own, `make test` never does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.dbt.sides import Sides

collect_ignore_glob = [] if find_spec("dbt") else ["test_*.py"]


@pytest.fixture(params=["duckdb", "postgres"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sides(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> Iterator[Callable[[], Sides]]:
    """Opens a fresh database in which dbt and c360gen work side by side."""
    opened: list[Sides] = []

    def open_sides(timezone: str = "UTC") -> Sides:
        database = str(tmp_path / "compare.duckdb") if engine == "duckdb" else request.getfixturevalue("database")
        opened.append(Sides(engine, database, tmp_path, timezone))
        return opened[-1]

    yield open_sides
    for one in opened:
        one.close()
