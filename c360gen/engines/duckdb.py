"""DuckDB, embedded: executes the scripts, and writes the row of a failure that a script alone cannot."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

import duckdb

from c360gen.emit import freshness
from c360gen.engines import REHEARSED, STATUS, EngineBusy, EngineError, EngineUnreachable, Ledger, Run, standing
from c360gen.ops.program import COUNTERS

LOCKED = "IO Error: Could not set lock on file"
"""What DuckDB says, from 1.4 to 2.0, where another process has the file open."""


def connect(database: str, control: str) -> Session:
    """Open a file, or `:memory:`."""
    try:
        connection = duckdb.connect(database)
        connection.execute("SET enable_progress_bar = false")  # it is printed on stdout, into the document that a machine reads
        return Session(connection, control)
    except duckdb.Error as error:
        said = f"cannot open {database}: {_first(error)}"
        # The path is in the message too: only how it begins tells a lock from a file that is named after one.
        if str(error).startswith(LOCKED):
            raise EngineBusy(said, "a DuckDB file belongs to one process at a time: end the other one") from None
        raise EngineUnreachable(said, "name a DuckDB file, or a new one in a folder that exists") from None


@contextlib.contextmanager
def scratch(database: str, control: str) -> Iterator[Session]:
    """A database in memory; `database` is none."""
    session = connect(":memory:", control)
    try:
        yield session
    finally:
        session.close()


class Session:
    def __init__(self, connection: Any, control: str):
        self.connection, self.control = connection, control

    def deploy(self, sql: str) -> None:
        self._script(sql)

    def rehearse(self, sql: str) -> list[tuple[str, int]]:
        return self._script(sql)

    def lock(self) -> None:
        """One process has the file open; sessions of this process conflict when they commit."""

    def ledger(self) -> Ledger:
        try:
            return self._ledger()
        except duckdb.Error as error:
            raise EngineError(_first(error)) from None

    def _ledger(self) -> Ledger:
        there = self.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = ?", [self.control]
        )
        tables = {name for (name,) in there.fetchall()}
        if "release" not in tables:
            return Ledger(None)
        (identity,) = self.connection.execute(f"SELECT arg_max(shape, rowid) FROM {self._control}.release").fetchone()
        if "migration" not in tables:
            return Ledger(identity)
        rows = self.connection.execute(f"SELECT number, action, checksum FROM {self._control}.migration ORDER BY rowid").fetchall()
        return Ledger(identity, standing(rows))

    def look(self, statements: Sequence[str], query: str) -> list[dict[str, Any]]:
        self.connection.begin()
        try:
            for statement in statements:
                self.connection.execute(statement)
            cursor = self.connection.execute(query)
            names = [d[0] for d in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except duckdb.Error as error:
            raise EngineError(_first(error)) from None
        finally:
            self.connection.rollback()

    def run(self, node: Mapping[str, Any], text: str | None, as_of: str | None, full_refresh: bool) -> Run:
        assert text is not None, "a DuckDB target has scripts"
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute("SET VARIABLE as_of = CAST(? AS TIMESTAMPTZ)", [as_of])
        self.connection.execute("SET VARIABLE full_refresh = CAST(? AS BOOLEAN)", [full_refresh])
        return self._logged(node, text)

    def _logged(self, node: Mapping[str, Any], text: str) -> Run:
        """Execute a script; where it fails, write the row of the failure."""
        started = time.perf_counter()
        self.connection.execute("SET VARIABLE run_id = CAST(NULL AS BIGINT)")
        self.connection.execute("SET VARIABLE windows_due = false")
        counters: Counter[str] = Counter()
        more = True
        while more:  # a script loads one window; where there are none, it says nothing of others
            try:
                self._script(text)
            except EngineError as error:
                self._failed(str(error))
                return self._ended(node, started, counters, str(error))
            counters.update(self._counters())
            (more,) = self.connection.execute("SELECT getvariable('windows_due')").fetchone()
        return self._ended(node, started, counters)

    def _ended(self, node: Mapping[str, Any], started: float, counters: Mapping[str, int], message: str | None = None) -> Run:
        query = f"SELECT run_id, watermark_after FROM {self._control}.run_log WHERE run_id = getvariable('run_id')"
        run_id, watermark = self.connection.execute(query).fetchone() or (None, None)
        return Run(str(node["name"]), message is None, time.perf_counter() - started, counters, message or "", run_id, watermark)

    def task(self, node: Mapping[str, Any], task: Mapping[str, Any], text: str | None, arguments: Mapping[str, Any], apply: bool) -> Run:
        assert text is not None, "a DuckDB target has scripts"
        started = time.perf_counter()
        self.connection.execute("SET TimeZone = 'UTC'")
        for argument in task["arguments"]:
            statement = f"SET VARIABLE {argument['variable']} = CAST(? AS {argument['type']})"
            try:
                self.connection.execute(statement, [arguments[argument["name"]]])
            except duckdb.Error as error:  # nothing has begun, so that there is no row of a failure to write
                return Run(str(node["name"]), False, time.perf_counter() - started, message=f"{argument['name']}: {_first(error)}")
        self.connection.execute("SET VARIABLE dry_run = CAST(? AS BOOLEAN)", [not apply])
        return self._logged(node, text)

    def status(self) -> list[Mapping[str, Any]]:
        return self._rows("node_status", STATUS)

    def freshness(self) -> list[Mapping[str, Any]]:
        self.connection.execute("SET TimeZone = 'UTC'")
        return self._rows(freshness.VIEW, freshness.COLUMNS)

    def _rows(self, view: str, columns: Sequence[str]) -> list[Mapping[str, Any]]:
        try:
            rows = self.connection.execute(f"SELECT {', '.join(columns)} FROM {self._in_control(view)} ORDER BY 1").fetchall()
        except duckdb.Error as error:
            raise EngineError(_first(error)) from None
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def execute(self, sql: str) -> None:
        self.query(sql)

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            self.connection.execute("SET TimeZone = 'UTC'")
            cursor = self.connection.execute(sql)
            return [c[0] for c in cursor.description or ()], cursor.fetchall()
        except duckdb.Error as error:
            raise EngineError(_first(error)) from None

    def close(self) -> None:
        self.connection.close()

    def _script(self, sql: str) -> list[tuple[str, int]]:
        """Statement by statement, as a client would; the first error rolls back what is open → what a dry run has counted.

        In a thread, since Python hears of Ctrl-C only where it is not inside of DuckDB.
        """
        counted: list[tuple[str, int]] = []

        def execute() -> None:
            for statement in duckdb.extract_statements(sql):
                done = self.connection.execute(statement)
                if tuple(d[0] for d in done.description or ()) == REHEARSED:
                    counted[:] = done.fetchall()

        try:
            with futures.ThreadPoolExecutor(1) as worker:
                ended = worker.submit(execute)
                try:
                    ended.result()
                except KeyboardInterrupt:
                    while not ended.done():  # between two statements there is nothing to interrupt
                        self.connection.interrupt()
                        futures.wait([ended], 0.1)
                    with contextlib.suppress(duckdb.Error):
                        self.connection.execute("ROLLBACK")
                    raise
        except duckdb.Error as error:
            with contextlib.suppress(duckdb.Error):  # no transaction was open
                self.connection.execute("ROLLBACK")
            busy = isinstance(error, duckdb.TransactionException) and "onflict" in str(error)
            raise (EngineBusy if busy else EngineError)(_first(error)) from None
        return counted

    def _failed(self, message: str) -> None:
        """The failure row, and the window's: a script has no handler, so whoever runs it writes them."""
        own = "WHERE run_id = getvariable('run_id') AND status = 'running'"
        for update, values in (
            (f"UPDATE {self._control}.windows SET status = 'failed' {own}", []),
            (f"UPDATE {self._control}.run_log SET status = 'failed', finished_at = now(), message = ? {own}", [message]),
        ):
            # Of two sessions at one node the other may be marking these very rows as abandoned: then that is what they say.
            with contextlib.suppress(duckdb.TransactionException):
                self.connection.execute(update, values)

    def _counters(self) -> dict[str, int]:
        cursor = self.connection.execute(f"SELECT {', '.join(COUNTERS)} FROM {self._control}.run_log WHERE run_id = getvariable('run_id')")
        row = cursor.fetchone()
        return {n: v for n, v in zip(COUNTERS, row or (), strict=False) if v is not None}

    def _in_control(self, name: str) -> str:
        return f"{self._control}.{name}"

    @property
    def _control(self) -> str:
        return '"' + self.control.replace('"', '""') + '"'


def _first(error: Exception) -> str:
    text = str(error).split("\n\n")[0].strip()
    return text.removeprefix("Invalid Input Error: ")
