"""How SQL is run for real: one file per engine, its driver imported only when it is used."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

DIALECTS = ("duckdb", "postgres")
"""Those that can be run from here; the others are deployed and run with their own clients, for which the files are written."""


class EngineError(Exception):
    """The database said no; the message is for the user and holds no password, `help` is what to do where that is known."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.help = help


class EngineUnreachable(EngineError):
    """There is no session: nobody answers, or the driver is an extra that is not installed."""


class EngineBusy(EngineError):
    """Somebody else holds a lock; nothing was changed, and the same may go through later."""


@dataclass(frozen=True)
class Ledger:
    """What a database says of itself: its released state, and the migrations that it has seen and not rolled back."""

    identity: str | None
    """None: nothing of ours is there."""
    applied: Mapping[int, str] = field(default_factory=dict)
    """number → checksum."""


@dataclass(frozen=True)
class Run:
    """How the run of one node ended."""

    node: str
    succeeded: bool
    seconds: float
    counters: Mapping[str, int] = field(default_factory=dict)
    message: str = ""
    run_id: int | None = None
    """Of its row in the run log, the last of a microbatch's; None where it came to no row."""
    watermark: dt.datetime | None = None
    lost: bool = False
    """The session ended with it: no other node can be run in it."""


REHEARSED = ("what", "found")
"""The columns of what a dry run counts."""


class Session(Protocol):
    """A connection to one database of one target."""

    def deploy(self, sql: str) -> None:
        """Execute deploy.sql as a whole. Raise EngineError when the database refuses; nothing is changed then."""

    def rehearse(self, sql: str) -> list[tuple[str, int]]:
        """Execute dry_run.sql as a whole → what it counts, and how many. Raise EngineError when the database refuses."""

    def lock(self) -> None:
        """Hold off every other deploy of this project until the session is closed. Raise EngineBusy."""

    def ledger(self) -> Ledger: ...

    def look(self, statements: Sequence[str], query: str) -> list[dict[str, Any]]:
        """The rows of a query after some statements, all of which is rolled back. Raise EngineError."""

    def run(self, node: Mapping[str, Any], text: str | None, as_of: str | None, full_refresh: bool) -> Run:
        """Run one node of the manifest; `text` is its script where there are no procedures. Never raises for a failed run."""

    def task(self, node: Mapping[str, Any], task: Mapping[str, Any], text: str | None, arguments: Mapping[str, Any], apply: bool) -> Run:
        """Check, rewind or erase: a task of a node of the manifest; without `apply` it is a dry run. Never raises for a failure."""

    def status(self) -> list[Mapping[str, Any]]:
        """The rows of the view node_status, by name of the node; times are datetimes with a zone. Raise EngineError."""

    def freshness(self) -> list[Mapping[str, Any]]:
        """The rows of the view source_freshness, by name of the source. Raise EngineError, also where no source is watched."""

    def execute(self, sql: str) -> None:
        """One statement that returns nothing, in a transaction of its own. Raise EngineError."""

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns and rows of one SELECT; times are datetimes with a zone. Raise EngineError."""

    def close(self) -> None: ...


def standing(rows: Sequence[tuple[int, str, str]]) -> dict[int, str]:
    """(number, action, checksum) of a ledger in its order → the migrations that count."""
    found: dict[int, str] = {}
    for number, action, checksum in rows:
        if action == "rolled back":
            found.pop(number, None)
        elif action in ("applied", "contained"):
            found[number] = checksum
    return found


STATUS = ("node", "fresh_until", "watermark", "last_run_id", "last_status", "last_started_at", "last_finished_at", "failures", "message",
          "at_work")  # fmt: skip


@contextlib.contextmanager
def scratch(dialect: str, database: str, control: str) -> Iterator[Session]:
    """An empty database that is gone afterwards: in memory on DuckDB, one of its own beside `database` on Postgres. Raise EngineError."""
    module = importlib.import_module(f"{__name__}.{dialect}")
    with module.scratch(database, control) as session:
        yield session


def connect(dialect: str, database: str, control: str) -> Session:
    """Open a database of one of DIALECTS. Raise EngineUnreachable, or EngineBusy."""
    module = importlib.import_module(f"{__name__}.{dialect}")
    session: Session = module.connect(database, control)
    return session
