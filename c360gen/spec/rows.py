"""The lines of a file that YAML cannot read, and what stands in which column of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_OPENING = re.compile(r"(?P<indent> *)(?P<dashes>(?:- +|-$)*)(?:(?P<key>\"[^\"]*\"|'[^']*'|\w[\w.-]*)\s*:(?:\s+(?P<value>.*))?$)?")
HEADER = re.compile(r"(?:^|[:\-]\s+)[|>][-+0-9]*\s*(?:#.*)?$")
"""A line that ends with | or >: the text is below it."""


@dataclass(frozen=True)
class Row:
    """A line as YAML's blocks see it: `  - name: stg` has a dash in column 2 and a key in column 4."""

    line: int
    dashes: tuple[int, ...]
    column: int
    key: str | None
    value: str
    text: str

    @property
    def first(self) -> int:
        return self.dashes[0] if self.dashes else self.column

    @property
    def pending(self) -> bool:
        """Something must follow below it."""
        return self.value.startswith("#") or not self.value if self.key else not self.text


class Page:
    """The lines of a file, and where its reader stands."""

    def __init__(self, text: str, error: Any):
        self.lines = text.split("\n")
        self.problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0])
        self.context = str(getattr(error, "context", None) or "")
        mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        mark = mark or begun
        self.line: int = mark.line if mark else 0
        self.column: int = mark.column if mark else 0
        self.begun = (begun.line, begun.column) if begun else None
        self.before, self.rest = self.at(self.line)[: self.column], self.at(self.line)[self.column :]
        self.rows = [*self._rows()]

    def at(self, line: int) -> str:
        return self.lines[line] if line < len(self.lines) else ""

    def _rows(self) -> Iterator[Row]:
        """Lines that are neither empty, nor a comment, nor the text below a `|`."""
        below = -1
        for number, line in enumerate(self.lines):
            bare = line.strip()
            if not bare or (below >= 0 and len(line) - len(line.lstrip()) > below):
                continue
            below = -1
            if bare.startswith("#"):
                continue
            found = row(number, line)
            if HEADER.search(line):
                below = found.column if found.key else found.first
            yield found

    def previous(self, line: int) -> Row | None:
        return next((r for r in reversed(self.rows) if r.line < line), None)

    def open(self, line: int) -> list[tuple[int, bool, Row]]:
        """(column, whether a dash stands there, its line), the deepest first: where a line may begin that follows those before `line`."""
        found, limit = [], 1_000_000
        for row in reversed(self.rows):
            if row.line >= line:
                continue
            places = [*((c, True, row) for c in row.dashes), *([(row.column, False, row)] if row.key else [])]
            found += [p for p in reversed(places) if p[0] < limit]
            limit = min(limit, row.first)
        return found


def row(number: int, line: str) -> Row:
    found = _OPENING.match(line)
    assert found is not None, "every part of it may be empty"
    indent, dashes = len(found["indent"]), found["dashes"]
    at = tuple(indent + i for i, sign in enumerate(dashes) if sign == "-")
    column = indent + len(dashes)
    return Row(number, at, column, found["key"], found["value"] or "", line[column:].rstrip())
