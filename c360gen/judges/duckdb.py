"""DuckDB itself: deploy.sql, every script and every data test are executed in memory on empty sources."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from c360gen.judges import Finding, JudgeUnavailable, source_ddl, texts


def judge(root: Path, manifest: Mapping[str, Any]) -> list[Finding]:
    try:
        import duckdb
    except ImportError:
        raise JudgeUnavailable("duckdb") from None
    connection = duckdb.connect()
    for ddl in source_ddl(manifest):
        connection.execute(ddl)
    connection.execute("SET TimeZone = 'UTC'")
    found = []
    arguments = {t["script"]: t["arguments"] for n in manifest["nodes"] for t in n["tasks"]}
    watching = manifest.get("freshness", {}).get("script")
    files = texts(root, manifest)
    runs_first = sorted(files, key=lambda path: path in arguments)  # nothing can be rewound before it has run
    for path in runs_first:
        text = files[path]
        for argument in arguments.get(path, ()):
            value = "now()" if argument["data_type"] == "timestamptz" else f"CAST(NULL AS {argument['type']})"
            connection.execute(f"SET VARIABLE {argument['variable']} = {value}")
        if path != "deploy.sql" and not path.startswith(("scripts/", "tests/")):
            continue  # parts of deploy.sql
        at = 0
        try:
            for statement in duckdb.extract_statements(text):
                at = max(at, text.find(statement.query.strip().splitlines()[0], at))
                connection.execute(statement)
        except duckdb.Error as error:
            if not (path == watching and "ZC019" in str(error)):  # empty sources are not fresh
                found.append(Finding(path, text.count("\n", 0, at) + 1, str(error).splitlines()[0]))
            with contextlib.suppress(duckdb.Error):  # no transaction was open
                connection.execute("ROLLBACK")
    return found
