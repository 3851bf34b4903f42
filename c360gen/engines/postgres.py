"""PostgreSQL through psycopg: executes deploy.sql, CALLs the procedures in autocommit."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from c360gen.emit import freshness
from c360gen.engines import REHEARSED, STATUS, EngineBusy, EngineError, EngineUnreachable, Ledger, Run, standing
from c360gen.ops.program import COUNTERS

BUSY = ("55P03", "40P01", "40001")
"""lock_not_available, deadlock_detected, serialization_failure: the same may go through later."""


def connect(database: str, control: str) -> Session:
    """A libpq connection string or URI; an empty one takes PGHOST, PGSERVICE, .pgpass and the like. It is never printed."""
    try:
        import psycopg
    except ImportError:
        raise EngineUnreachable("psycopg is not installed", "pip install 'c360gen[postgres]'") from None
    try:
        connection = psycopg.connect(database, autocommit=True, connect_timeout=10)
        connection.execute("SET datestyle = 'ISO, MDY'")  # psycopg reads no other
        return Session(connection, control)
    except psycopg.Error as error:
        help = "--database or C360GEN_DATABASE names it, else libpq does: does psql reach it?"
        raise EngineUnreachable(f"cannot connect to Postgres: {_without_secrets(str(error))}", help) from None


@contextlib.contextmanager
def scratch(database: str, control: str) -> Iterator[Session]:
    """A database of its own on the server of `database`; whoever connects needs the right to create one."""
    import psycopg
    from psycopg import conninfo, sql

    server = connect(database, control)
    name = f"c360gen_test_{secrets.token_hex(6)}"
    try:
        try:
            server.connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        except psycopg.Error as error:
            raise EngineError(f"scenarios need a database of their own: {_say(error)}") from None
        session = None
        try:
            session = connect(conninfo.make_conninfo(database, dbname=name), control)
            yield session
        finally:
            if session is not None:
                session.close()
            server.connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    finally:
        server.close()


class Session:
    def __init__(self, connection: Any, control: str):
        self.connection, self.control = connection, control

    def deploy(self, sql: str) -> None:
        self._executed(sql)

    def rehearse(self, sql: str) -> list[tuple[str, int]]:
        counted: list[tuple[str, int]] = []
        done = self._executed(sql)
        while True:
            if tuple(d.name for d in done.description or ()) == REHEARSED:
                counted = done.fetchall()
            if not done.nextset():
                return counted

    def _executed(self, sql: str) -> Any:
        import psycopg

        try:
            return self.connection.execute(sql.encode(), prepare=False)
        except psycopg.Error as error:
            self.connection.rollback()
            raise (EngineBusy if error.sqlstate in BUSY else EngineError)(_say(error)) from None

    def lock(self) -> None:
        import psycopg

        try:
            self.connection.execute("SET lock_timeout = '5s'")
            self.connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"c360gen deploy {self.control}"])
        except psycopg.Error as error:
            if error.sqlstate in BUSY:
                raise EngineBusy("another deploy is at work in this database", "wait for it, or give --retries") from None
            raise EngineError(_say(error)) from None

    def ledger(self) -> Ledger:
        import psycopg
        from psycopg import sql

        control = sql.Identifier(self.control)
        try:
            (release, migration) = self.connection.execute(
                "SELECT to_regclass(quote_ident(%s) || '.release') IS NOT NULL, to_regclass(quote_ident(%s) || '.migration') IS NOT NULL",
                [self.control, self.control],
            ).fetchone()
            if not release:
                return Ledger(None)
            newest = sql.SQL("SELECT shape FROM {}.release ORDER BY release_id DESC LIMIT 1").format(control)
            row = self.connection.execute(newest).fetchone()
            if not migration:
                return Ledger(row and row[0])
            entries = sql.SQL("SELECT number, action, checksum FROM {}.migration ORDER BY entry_id").format(control)
            return Ledger(row and row[0], standing(self.connection.execute(entries).fetchall()))
        except psycopg.Error as error:
            raise EngineError(_say(error), "it needs USAGE on the control schema, and SELECT on its tables") from None

    def look(self, statements: Sequence[str], query: str) -> list[dict[str, Any]]:
        """With the search path of a deploy: what is printed of a view depends on it."""
        import psycopg

        try:
            self.connection.execute("BEGIN")
            self.connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
            self.connection.execute("SET LOCAL lock_timeout = '5s'")
            for statement in statements:
                self.connection.execute(statement.encode(), prepare=False)
            cursor = self.connection.execute(query.encode(), prepare=False)
            names = [d.name for d in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except psycopg.Error as error:
            raise (EngineBusy if error.sqlstate in BUSY else EngineError)(_say(error)) from None
        finally:
            self.connection.rollback()

    def run(self, node: Mapping[str, Any], text: str | None, as_of: str | None, full_refresh: bool) -> Run:
        import psycopg

        started, since = time.perf_counter(), None
        arguments = "CAST(%s AS timestamptz)" + (", %s" if node["full_refresh"] else "")
        values: list[Any] = [as_of, full_refresh] if node["full_refresh"] else [as_of]
        try:
            (since,) = self.connection.execute("SELECT clock_timestamp()").fetchone()
            if text is None:
                self.connection.execute(f"CALL {node['run']}({arguments})", values)
            else:
                self._script(text, as_of, full_refresh)
        except psycopg.Error as error:
            return self._ended(node, started, since, _say(error))
        return self._ended(node, started, since)

    def _script(self, text: str, as_of: str | None, full_refresh: bool) -> None:
        """A script takes its arguments from settings of the session."""
        settings = [as_of or "", "true" if full_refresh else ""]
        self.connection.execute("SELECT set_config('c360.as_of', %s, false), set_config('c360.full_refresh', %s, false)", settings)
        self.connection.execute(text.encode(), prepare=False)

    def task(self, node: Mapping[str, Any], task: Mapping[str, Any], text: str | None, arguments: Mapping[str, Any], apply: bool) -> Run:
        import psycopg

        started, since = time.perf_counter(), None
        values = {a["name"]: arguments[a["name"]] for a in task["arguments"]} | ({"dry_run": not apply} if task["dry_run"] else {})
        types = {a["name"]: a["type"] for a in task["arguments"]} | {"dry_run": "BOOLEAN"}
        try:
            (since,) = self.connection.execute("SELECT clock_timestamp()").fetchone()
            if text is None:
                given = ", ".join(f"p_{name} => CAST(%s AS {types[name]})" for name in values)
                self.connection.execute(f"CALL {task['call']}({given})", list(values.values()))
            else:
                for name, value in values.items():
                    self.connection.execute("SELECT set_config(%s, %s, false)", [f"c360.{name}", "" if value is None else str(value)])
                self.connection.execute(text.encode(), prepare=False)
        except psycopg.Error as error:
            return self._ended(node, started, since, _say(error))
        return self._ended(node, started, since)

    def status(self) -> list[Mapping[str, Any]]:
        return self._rows("node_status", STATUS)

    def freshness(self) -> list[Mapping[str, Any]]:
        return self._rows(freshness.VIEW, freshness.COLUMNS)

    def _rows(self, view: str, columns: Sequence[str]) -> list[Mapping[str, Any]]:
        import psycopg
        from psycopg import sql

        listed = sql.SQL(", ").join(map(sql.Identifier, columns))
        query = sql.SQL("SELECT {} FROM {} ORDER BY 1").format(listed, sql.Identifier(self.control, view))
        try:
            return [dict(zip(columns, row, strict=True)) for row in self.connection.execute(query).fetchall()]
        except psycopg.Error as error:
            raise EngineError(_say(error)) from None

    def execute(self, sql: str) -> None:
        self.query(sql)

    def query(self, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        import psycopg

        try:
            self.connection.execute("SET TimeZone = 'UTC'")
            cursor = self.connection.execute(sql.encode(), prepare=False)
            found = cursor.description is not None
            return [c.name for c in cursor.description or ()], cursor.fetchall() if found else []
        except psycopg.Error as error:
            raise EngineError(_say(error)) from None

    def close(self) -> None:
        self.connection.close()

    def _ended(self, node: Mapping[str, Any], started: float, since: dt.datetime | None, message: str | None = None) -> Run:
        """With what this session's call wrote to the log, over all windows where it loaded several."""
        import psycopg
        from psycopg import sql

        run = Run(str(node["name"]), message is None, time.perf_counter() - started, message=message or "")
        sums = sql.SQL(", ").join(sql.SQL("SUM({})::bigint").format(sql.Identifier(name)) for name in COUNTERS)
        own = "WHERE node = %s AND backend_pid = pg_backend_pid() AND started_at >= %s"
        query = sql.SQL(f"SELECT MAX(run_id), MAX(watermark_after), {{}} FROM {{}}.run_log {own}").format(
            sums, sql.Identifier(self.control)
        )
        try:
            found = self.connection.execute(query, [f"{node['schema']}.{node['identifier']}", since]).fetchone()
        except psycopg.Error:  # who may run need not be one who may read the log
            return replace(run, lost=bool(self.connection.closed))
        run_id, watermark, *counts = found
        counters = {n: v for n, v in zip(COUNTERS, counts, strict=True) if v is not None}
        return replace(run, counters=counters, run_id=run_id, watermark=watermark)


def _say(error: Any) -> str:
    """Code, message, detail and hint of a Postgres error on one line."""
    found = error.diag
    code = f"{found.sqlstate} " if found.sqlstate and found.sqlstate.startswith("ZC") else ""
    parts = [f"{code}{found.message_primary or str(error).strip()}", found.message_detail, found.message_hint]
    return " ".join(p.rstrip(".") + "." for p in parts if p)


def _without_secrets(text: str) -> str:
    return re.sub(r"(password=)\S+|(://[^:/@\s]+:)[^@\s]+(?=@)", r"\1\2***", text).strip().splitlines()[0]
