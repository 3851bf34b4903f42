"""1 / 2 is 0 in Postgres and 0.5 in the three other dialects: here it is 0, whatever dialect it is written in."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from c360gen.lint.project import Finding, Linted
from c360gen.project.query import place

CODE, TITLE, LEVEL = "L303", "a division of integers", "warning"


def check(project: Linted) -> Iterator[Finding]:
    written = str(project.resolved.project.sql_dialect)
    for node in project.resolved.nodes.values():
        for dialect, query in node.queries.items():
            if (dialect or written) == "postgres":
                continue
            for part in query.first.find_all(exp.Div):
                if part.meta.get("integers"):
                    theirs = f"{dialect or written} keeps what is behind the point"
                    message = f"{node.name} divides integers, which gives an integer here, while {theirs}"
                    at = place(part, query.places[0]) if query.places else node.span
                    yield Finding(message, at, "CAST one side to numeric(p,s) or double")
