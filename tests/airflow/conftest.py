"""Real Airflows, each in a venv of its own: `make airflow` makes them, `make test` never looks at them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
Airflow = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module", params=["2", "3"])
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Asks inside.py in the venv of one Airflow, with a home and a database of its own → its answer."""
    binaries = ROOT / f".venv-airflow-{request.param}" / "bin"
    assert (binaries / "airflow").exists(), f"{binaries} has no Airflow: make airflow"
    home = tmp_path_factory.mktemp(f"airflow{request.param}")
    settings = {
        "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(home),
    }  # fmt: skip

    def called(*words: str, **more: str) -> str:
        done = subprocess.run(words, env={**settings, **more}, capture_output=True, text=True, timeout=600, cwd=home)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        return done.stdout

    def ask(*words: str, connection: str = "", conn_id: str = "") -> dict[str, Any]:
        if words[0] == "run" and not (home / "migrated").exists():
            called(str(binaries / "airflow"), "db", "migrate")
            (home / "migrated").touch()
        more = {"AIRFLOW__CORE__DAGS_FOLDER": words[1], **({f"AIRFLOW_CONN_{conn_id.upper()}": connection} if conn_id else {})}
        said = called(str(binaries / "python"), str(Path(__file__).with_name("inside.py")), *words, **more)
        found: dict[str, Any] = json.loads(said.rstrip("\n").rpartition("\n")[2])
        return found

    return ask
