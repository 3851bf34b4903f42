"""Where a stream is played: one deployed world per spec, emptied between two streams, and its tables as plain text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c360gen.pipeline import build, load_project
from tests.oracle import Row, State, instant
from tests.oracle.incrementals import Incremental
from tests.oracle.snapshots import Snapshot
from tests.streams.specs import Step, quoted, spec_of, values_of
from tests.worlds import NOW, Embedded, Interpreted, World, plain

Found = dict[str, Any]
"""A row of a table as plain text; on Postgres with its place and its transaction, which every write would move."""


@dataclass(frozen=True)
class Contents:
    """Everything that a node has written."""

    table: list[Found]
    quarantine: list[Found]


class Stage:
    def __init__(self, engine: str, folder: Path, database: Callable[[], str]):
        self.engine, self.folder, self.database = engine, folder, database
        self.settings: Snapshot | Incremental | None = None
        self.world: World

    def set(self, settings: Snapshot | Incremental) -> None:
        """A world in which nothing has run yet."""
        if settings == self.settings:
            self._empty()
            return
        self.close()
        (self.folder / "p.yml").write_text(spec_of(settings), encoding="utf-8")
        made = build(load_project(self.folder), self.engine)
        if self.engine == "postgres":
            _clear(self.database())
        self.world = (
            Embedded(made, self.database() if self.engine == "postgres" else ":memory:")
            if self.engine in ("duckdb", "postgres")
            else Interpreted(made)
        )
        if self.engine == "duckdb":
            self.world.sql("SET threads = 1")  # tables of a few rows
        self.settings = settings
        self.world.deploy()

    def _empty(self) -> None:
        self.world.sql("DELETE FROM kept.node")
        if quarantines(self.settings):
            self.world.sql("DELETE FROM kept.node_quarantine")
        self.world.sql("DELETE FROM c360_control.run_log")
        if self.embedded:
            self.world.sql("UPDATE c360_control.state SET watermark = NULL, last_as_of = NULL, last_run_id = NULL")
        else:
            self.world.sql("DELETE FROM c360_control.watermark; UPDATE c360_control.lock_node SET run_id = NULL")

    def close(self) -> None:
        if self.settings is not None:
            self.world.close()
        self.settings = None

    @property
    def embedded(self) -> bool:
        return isinstance(self.world, Embedded)

    @property
    def clock(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) if self.embedded else NOW

    # --- runs ----------------------------------------------------------------------------------------------------------

    def load(self, rows: tuple[Row, ...]) -> None:
        assert self.settings is not None
        self.world.sql("DELETE FROM raw.given")
        if rows:
            self.world.sql(f"INSERT INTO raw.given VALUES {', '.join(values_of(r, self.settings) for r in rows)}")

    def run(self, step: Step, *, full_refresh: bool) -> str:
        """The code of the guard that refused the run, or nothing."""
        if self.embedded:
            self.world.sql(f"SET TimeZone = '{step.zone}'")
        message = self.world.run("node", f"{step.as_of:%Y-%m-%d %H:%M:%S.%f}", full_refresh)
        if self.embedded:
            self.world.sql("SET TimeZone = 'UTC'")
        found = re.search(r"\bZC\d{3}\b", message)
        return found[0] if found else message

    def counted(self, names: list[str]) -> dict[str, int]:
        """What the last run wrote into the run log."""
        return {n: v or 0 for n, v in zip(names, self._logged(", ".join(names)), strict=True)}

    def watermark(self) -> Any:
        """Where the last run says that reading goes on."""
        return _time(self._logged("CAST(watermark_after AS TEXT)")[0])

    def _logged(self, columns: str) -> tuple[Any, ...]:
        latest = "run_id" if self.embedded else "logged_at"
        query = f"SELECT {columns} FROM c360_control.run_log WHERE status = 'succeeded' ORDER BY {latest} DESC LIMIT 1"
        return self.world.rows(query)[0]

    # --- tables --------------------------------------------------------------------------------------------------------

    def contents(self) -> Contents:
        s = self.settings
        assert s is not None
        columns = dict(s.columns)
        if isinstance(s, Incremental):
            return Contents(self._rows("kept.node", columns), [])
        history = {"valid_from": "timestamptz", "valid_to": "timestamptz", "opened_run_id": "", "closed_run_id": ""}
        if s.hard_deletes == "new_record":
            history["is_deleted"] = "boolean"
        kept_back = {"c360_quarantined_at": "timestamptz", "c360_reason": "text"}
        return Contents(
            self._rows("kept.node", columns | history),
            self._rows("kept.node_quarantine", columns | kept_back) if quarantines(s) else [],
        )

    def as_of(self, at: dt.datetime) -> list[Found]:
        """What the function beside the history says of an instant."""
        assert self.settings is not None
        return self._rows(f"kept.node_as_of(TIMESTAMPTZ '{at:%Y-%m-%d %H:%M:%S.%f}+00')", dict(self.settings.columns), placed=False)

    def current(self) -> list[Found]:
        assert self.settings is not None
        return self._rows("kept.node_current", dict(self.settings.columns), placed=False)

    def _rows(self, table: str, columns: dict[str, str], placed: bool = True) -> list[Found]:
        times = [kind.startswith(("date", "timestamp")) for kind in columns.values()]
        selected = [f"CAST({quoted(c)} AS TEXT)" if time else quoted(c) for c, time in zip(columns, times, strict=True)]
        if placed and self.engine == "postgres":
            selected.append("CAST(ctid AS TEXT) || ' ' || CAST(xmin AS TEXT)")
        found = []
        for values in self.world.rows(f"SELECT {', '.join(selected)} FROM {table}"):
            row = {c: _time(v) if time else plain(v) for (c, time), v in zip(zip(columns, times, strict=True), values, strict=False)}
            found.append(row | ({"place": values[-1]} if len(values) > len(columns) else {}))
        return ordered(found)


def quarantines(settings: Snapshot | Incremental | None) -> bool:
    return isinstance(settings, Snapshot) and "quarantine" in (
        settings.on_duplicate_key, settings.on_null_key, settings.on_null_updated_at, settings.on_future_updated_at,
    )  # fmt: skip


def ordered(rows: list[Found]) -> list[Found]:
    return sorted(rows, key=lambda r: [repr(r[c]) for c in sorted(r)])


def text_of(value: Any) -> Any:
    """A value of the oracle as plain text."""
    return plain(dt.datetime.combine(value, dt.time()) if type(value) is dt.date else value)


def expected(settings: Snapshot | Incremental, state: State) -> Contents:
    """What the oracle says that a node has written."""

    def row(given: Row, **more: Any) -> Found:
        return {c: text_of(v) for c, v in {**given, **more}.items()}

    if isinstance(settings, Incremental):
        return Contents(ordered([row(r) for r in state.rows]), [])
    until = instant(settings.dbt_valid_to_current)
    marked = settings.hard_deletes == "new_record"
    versions = []
    for v in state.versions:
        marker = {"is_deleted": v.marker} if marked else {}
        versions.append(row(v.row, valid_from=v.valid_from, valid_to=v.valid_to or until, **marker))
    kept_back = [row(r, c360_reason=reason, c360_quarantined_at=at) for at, reason, r in state.quarantine]
    return Contents(ordered(versions), ordered(kept_back))


def without(rows: list[Found], *columns: str) -> list[Found]:
    return ordered([{c: v for c, v in r.items() if c not in columns} for r in rows])


def _clear(uri: str) -> None:
    import psycopg

    with psycopg.connect(uri, autocommit=True) as connection:
        for schema in ("raw", "kept", "c360_control"):
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def _time(value: str | None) -> Any:
    """A time that was read as text, because Python has no infinite ones."""
    return value if value is None or value.endswith("infinity") else plain(dt.datetime.fromisoformat(value))
