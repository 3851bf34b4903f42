"""Projects that change, on the engines that this project runs itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.migrate.evolving import Evolving


@pytest.fixture
def evolving(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Evolving]]:
    opened: list[Evolving] = []

    def make(engine: str) -> Evolving:
        database = ":memory:" if engine == "duckdb" else request.getfixturevalue("database")
        opened.append(Evolving(tmp_path / f"{engine}_{len(opened)}", engine, database))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
