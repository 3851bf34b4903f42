"""A wall clock without a zone repeats an hour every autumn."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted
from c360gen.terms import types

CODE, TITLE, LEVEL = "L301", "a timestamp without a zone", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for name, (located, loc) in project.source_items.items():
        source = project.resolved.sources[name]
        for index, column in enumerate(source.columns):
            if column.type is not None and column.type.this is types.T.TIMESTAMP:
                at = located.span(*loc, "columns", index, "data_type")
                message = f"{name}.{column.name} is a wall clock without a zone: one hour of every autumn has no order, and is read as UTC"
                yield Finding(message, at, "declare timestamptz if it is an instant; convert it where it is loaded if it is local time")
