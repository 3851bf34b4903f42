"""Seeds in a deployed database: loaded once, replaced when their rows changed, and never half of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from c360gen import dialects
from c360gen.diagnostics import SpecError
from c360gen.engines import EngineError
from c360gen.pipeline import build, load_project
from c360gen.spec.load import LARGEST_SEED
from tests.conftest import ENGINES
from tests.warehouse.machine import Failure
from tests.worlds import Embedded, Interpreted, World, text_of

SPEC = """
targets: {duckdb: {dialect: duckdb}, postgres: {dialect: postgres}, snowflake: {dialect: snowflake, database: C360},
  bigquery: {dialect: bigquery, database: acme}}
seeds:
  - name: numbers
    columns: [{name: n, data_type: bigint}, {name: word, data_type: text}]
"""


def project(folder: Path, *lines: str) -> Path:
    (folder / "seeds").mkdir(exist_ok=True)
    (folder / "p.yml").write_text(SPEC, encoding="utf-8")
    (folder / "seeds" / "numbers.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture
def deployed(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """(engine, lines of the CSV) → a world with it; later calls deploy other lines into the same one."""
    worlds: dict[str, World] = {}

    def deploy(engine: str, *lines: str) -> World:
        made = build(load_project(project(tmp_path, *lines)), engine)
        if engine not in worlds:
            place = ":memory:" if engine == "duckdb" else request.getfixturevalue("database") if engine == "postgres" else ""
            worlds[engine] = Embedded(made, place) if place else Interpreted(made)
        worlds[engine].build = made  # type: ignore[attr-defined]
        worlds[engine].deploy()
        return worlds[engine]

    yield deploy
    for one in worlds.values():
        one.close()


def rows(world: World) -> list[tuple[Any, ...]]:
    return sorted((int(n), word) for n, word in world.rows("SELECT n, word FROM analytics.numbers"))


@pytest.mark.parametrize("engine", ENGINES)
def test_loaded_again_only_when_the_rows_changed(engine: str, deployed: Any) -> None:
    world = deployed(engine, "n,word", "1,one", "2,two")
    world.sql("UPDATE analytics.numbers SET word = 'by hand' WHERE n = 1")
    deployed(engine, "word,n", "one,1", '"two",+2', "")
    assert rows(world) == [(1, "by hand"), (2, "two")], "other columns first, other spelling: the same rows"
    deployed(engine, "n,word", "1,one", "3,three")
    assert rows(world) == [(1, "one"), (3, "three")]
    deployed(engine, "n,word")
    assert rows(world) == []


@pytest.mark.parametrize("engine", ENGINES)
def test_more_rows_than_one_insert_takes(engine: str, deployed: Any) -> None:
    world = deployed(engine, "n,word", *(f"{n},w{n}" for n in range(1201)))
    assert rows(world) == [(n, f"w{n}") for n in range(1201)]
    assert text_of(world.build, "tables/numbers.sql").count("INSERT INTO") == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_never_half(engine: str, deployed: Any) -> None:
    """The second INSERT fails: neither the first nor the deletion is seen, and the next deploy tries again."""
    world = deployed(engine, "n,word", "1,one")
    world.sql("CREATE UNIQUE INDEX once ON analytics.numbers (n)")
    with pytest.raises(EngineError):
        deployed(engine, "n,word", *(f"{n},x" for n in range(600)), "7,again")
    assert rows(world) == [(1, "one")]
    deployed(engine, "n,word", "2,two")
    assert rows(world) == [(2, "two")]


@pytest.mark.parametrize("engine", ["snowflake", "bigquery"])
def test_never_half_whatever_statement_fails(engine: str, deployed: Any) -> None:
    world = deployed(engine, "n,word", "1,one")
    machine = world.warehouse.machine
    lines = ("n,word", *(f"{n},x" for n in range(600)))
    failed = 0
    for at in range(1, 40):
        machine.count, machine.failures = 0, {at: Failure("injected")}
        try:
            deployed(engine, *lines)
        except Failure:
            failed += 1
            assert rows(world) == [(1, "one")], at
        else:
            break
    machine.failures = {}
    assert failed >= 5, "the deletion, two INSERTs, the state, the commit"
    assert len(rows(world)) == 600


def test_bigquery_takes_a_megabyte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    specs = project(tmp_path, "n,word", *(f"{n},x" for n in range(2000)))
    assert dialects.get("bigquery").longest == 1024 * 1024
    monkeypatch.setattr(dialects.get("bigquery"), "longest", 30_000)
    assert any(f.path == "deploy.sql" for f in build(load_project(specs), "snowflake").files)
    with pytest.raises(SpecError) as error:
        build(load_project(specs), "bigquery")
    assert [d.code for d in error.value.diagnostics] == ["C402"]


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    specs = project(tmp_path, "n,word", *(f"{n},{'x' * 90}" for n in range(LARGEST_SEED // 90)))
    with pytest.raises(SpecError) as error:
        load_project(specs)
    (found,) = error.value.diagnostics
    assert found.code == "C104" and "256 KiB is the most" in found.message and "sources:" in str(found.help)
