"""Stops a Postgres procedure before its n-th statement: its text with a gate in front of every statement, and who waits at one."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field

import psycopg

from tests.statements import statements

SETUP = """
CREATE SCHEMA gate;
CREATE TABLE gate.plan (stop INTEGER NOT NULL, setting TEXT);
INSERT INTO gate.plan VALUES (0);
CREATE FUNCTION gate.at(number INTEGER) RETURNS INTEGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'gate %', number;
    IF EXISTS (SELECT 1 FROM gate.plan AS p WHERE p.stop = number) THEN
        PERFORM set_config(p.setting, '30ms', true) FROM gate.plan AS p WHERE p.setting IS NOT NULL;
        PERFORM pg_advisory_lock(4711);  -- the test holds it: here the backend stands still
        PERFORM pg_advisory_unlock(4711);
    END IF;
    RETURN number;
END;
$$;
GRANT USAGE ON SCHEMA gate TO PUBLIC;
GRANT SELECT ON gate.plan TO PUBLIC;
"""
PROCEDURE = r"CREATE OR REPLACE PROCEDURE \S+?\.((?:%s)_(?!job_)\w+)\(.*?\bAS (\$\w*\$)\n(.*?)\n\2;"


@dataclass(frozen=True)
class Gated:
    """deploy.sql with gates, and the statement that stands behind each: `apply_history: UPDATE snap.history …`."""

    text: str
    gates: dict[int, str]


def gated(deploy: str, which: str = "apply|run") -> Gated:
    """Put a gate before every statement of every apply_ and run_, or of `which`; what the log gives a run to begin is half a second."""
    gates: dict[int, str] = {}

    def one(found: re.Match[str]) -> str:
        body = found[3]
        begin = re.search(r"^BEGIN$", body, re.M)
        assert begin is not None
        # GET DIAGNOSTICS belongs to the statement before it.
        at = [s.start for s in statements(body) if s.start > begin.start() and not s.flat.startswith("GET ") and s.flat.strip(" ;")]
        pieces, last = [], 0
        for place in at:
            gates[len(gates) + 1] = f"{found[1]}: {' '.join(body[place : place + 90].split())}"
            pieces += [body[last:place], f"v_gate := gate.at({len(gates)}); "]
            last = place
        # An assignment touches neither FOUND nor ROW_COUNT.
        made = "".join([*pieces, body[last:]]).replace("DECLARE\n", "DECLARE\n    v_gate INTEGER;\n", 1)
        return found[0].replace(body, made)

    text = re.sub(PROCEDURE % which, one, deploy, flags=re.S)
    return Gated(SETUP + text.replace("INTERVAL '10 seconds'", "INTERVAL '500 milliseconds'"), gates)


@dataclass
class Call:
    """A CALL in a session and thread of its own, and how it ended."""

    database: str
    statement: str
    settings: dict[str, str] = field(default_factory=dict)
    error: psycopg.Error | None = None
    pid: int = 0
    passed: list[int] = field(default_factory=list)
    """The gates that it went through, in order."""

    def start(self) -> Call:
        self.connection = psycopg.connect(self.database, autocommit=True)
        self.connection.add_notice_handler(self._notice)
        for name, value in self.settings.items():
            self.connection.execute(f"SET {name} = '{value}'")
        self.pid = self.connection.info.backend_pid
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def _run(self) -> None:
        try:
            self.connection.execute(self.statement)
        except psycopg.Error as error:
            self.error = error

    def _notice(self, said: psycopg.errors.Diagnostic) -> None:
        word, _, number = (said.message_primary or "").partition(" ")
        if word == "gate":
            self.passed.append(int(number))

    def join(self) -> psycopg.Error | None:
        """Wait for the end; the session stays open, as a pool's or a person's would."""
        self.thread.join(timeout=60)
        assert not self.thread.is_alive(), "the call does not end"
        return self.error

    def close(self) -> None:
        self.connection.close()


class Keeper:
    """Holds the gates shut: the only one who knows at which of them a backend has to stop."""

    def __init__(self, database: str):
        self.database = database
        self.connection = psycopg.connect(database, autocommit=True)

    def shut(self, number: int, setting: str | None = None) -> None:
        """Whoever comes to this gate waits; `setting`: a timeout that is 30 ms from there on."""
        self.connection.execute("UPDATE gate.plan SET stop = %s, setting = %s", [number, setting])
        self.connection.execute("SELECT pg_advisory_lock(4711)")

    def pass_by(self) -> None:
        """Who stands goes on standing; others come through."""
        self.connection.execute("UPDATE gate.plan SET stop = 0, setting = NULL")

    def open(self) -> None:
        """Nobody stops any more, and who stands goes on."""
        self.pass_by()
        self.connection.execute("SELECT pg_advisory_unlock_all()")

    def stands(self, call: Call) -> bool:
        """Whether the call stands at the gate; False when it ended."""
        query = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted AND pid = %s"
        while True:
            if self.connection.execute(query, [call.pid]).fetchone():
                return True
            call.thread.join(timeout=0.005)
            if not call.thread.is_alive():
                return False
