"""Model SQL is a template with dbt's few words; this renders it and remembers where every character came from."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2
import jinja2.sandbox

_MARK = re.compile("\ue000(\\d+)\ue001")
SEPARATOR = "/"
"""Between source and table in rendered SQL: a dot within quotes would be taken apart by BigQuery's rules."""
AS_OF = "c360_as_of"
"""The function that stands for `{{ as_of() }}` until the SQL is parsed."""


class BadReference(Exception):
    """`ref()` or `source()` names nothing: the message, and the line of help."""

    def __init__(self, code: str, message: str, help: str | None):
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


@dataclass(frozen=True)
class Rendered:
    """SQL, and the way back from an offset in it to an offset in the template."""

    sql: str
    starts: tuple[int, ...]
    origins: tuple[int, ...]

    def origin(self, offset: int) -> int:
        at = bisect.bisect_right(self.starts, offset) - 1
        return self.origins[at] + offset - self.starts[at] if at >= 0 else offset


@dataclass
class Words:
    """What a template may say, and what it said."""

    ref: Callable[[str], str]
    source: Callable[[str, str], str]
    this: str
    variables: Mapping[str, Any]
    allow_as_of: bool = True
    used: set[str] = field(default_factory=set)

    def scope(self, incremental: bool) -> dict[str, Any]:
        def is_incremental() -> bool:
            self.used.add("is_incremental")
            return incremental

        def as_of() -> str:
            if not self.allow_as_of:
                raise BadReference("C401", "a view has no run, so as_of() means nothing in it", "materialize it as a table")
            self.used.add("as_of")
            return f"{AS_OF}()"

        def var(name: str, default: Any = None) -> Any:
            if name in self.variables:
                return self.variables[name]
            if default is None:
                known = ", ".join(sorted(self.variables)) or "none"
                raise BadReference("C303", f"var '{name}' is not set", f"set it under project: vars: (set now: {known})")
            return default

        return {
            "ref": self.ref, "source": self.source, "this": self.this, "var": var, "as_of": as_of,
            "is_incremental": is_incremental,
        }  # fmt: skip


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
    environment.globals.clear()
    return environment


def render(template: str, words: Words, incremental: bool) -> Rendered:
    """Raise jinja2.TemplateError or BadReference; loops over large ranges are impossible: there is no range()."""
    text = _environment().from_string(_marked(template)).render(words.scope(incremental))
    out: list[str] = []
    starts, origins = [], []
    length = last = 0
    for mark in _MARK.finditer(text):
        piece = text[last : mark.start()]
        out.append(piece)
        length += len(piece)
        starts.append(length)
        origins.append(int(mark[1]))
        last = mark.end()
    out.append(text[last:])
    return Rendered("".join(out), tuple(starts), tuple(origins))


def _marked(template: str) -> str:
    """Put the offset of every piece of plain text, and of every `{{`, in front of it."""
    out: list[str] = []
    offset = 0
    for _, kind, value in _environment().lex(template):
        at = template.find(value, offset) if kind in ("data", "variable_begin") else offset
        if kind in ("data", "variable_begin"):
            out.append(f"\ue000{at}\ue001")
        out.append(value)
        offset = at + len(value)
    return "".join(out)
