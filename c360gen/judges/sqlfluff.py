"""sqlfluff's Snowflake grammar over every file and every `$$` body, and a lint of our own over the names in bodies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from c360gen.judges import Finding, JudgeUnavailable, migrations, snowflake_scripting, texts

_BODY = re.compile(r"\$\$(.*?)\$\$", re.S)


def judge(root: Path, manifest: Mapping[str, Any]) -> list[Finding]:
    found: list[Finding] = []
    for path, text in texts(root, manifest).items():
        if path == "deploy.sql" or path.startswith(("tests/", "schedules/", "scripts/")):  # the others are parts of deploy.sql
            found += [Finding(path, line, message) for line, message in check(text)]
    for path, text in migrations(root).items():
        found += [Finding(path, line, message) for line, message in check(text)]
    return found


def check(text: str) -> Iterator[tuple[int, str]]:
    """(line, message) for what the grammar does not know, in the file and in its bodies."""
    yield from _parse(text, 0)
    yield from snowflake_scripting.client_traps(text)
    for body in _BODY.finditer(text):
        offset = text.count("\n", 0, body.start(1))
        yield from _parse(body[1], offset)
        for line, message in snowflake_scripting.names(text[: body.start()], body[1]):
            yield line + offset, message


def _parse(text: str, offset: int) -> Iterator[tuple[int, str]]:
    for violation in linter().parse_string(text).violations:
        yield violation.line_no + offset, violation.desc()[:300]


@cache
def linter() -> Any:
    try:
        from sqlfluff.core import FluffConfig, Linter
    except ImportError:
        raise JudgeUnavailable("sqlfluff") from None
    overrides: Any = {"dialect": "snowflake", "templater": "raw", "large_file_skip_byte_limit": 0}
    return Linter(config=FluffConfig(overrides=overrides))
