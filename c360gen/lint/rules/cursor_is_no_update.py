"""An incremental that updates rows reads by a column that an update does not move."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted, creation_word

CODE, TITLE, LEVEL = "L201", "a cursor that does not move on update", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.models("incremental"):
        if node.cursor is None or node.strategy not in ("merge", "delete_insert", "insert_overwrite"):
            continue
        names = (node.cursor, *sorted(c for _, c in project.sources_of(node.id, node.cursor)))
        if word := next((w for n in names if (w := creation_word(n))), None):
            what = "when a row was created" if word == "creation" else "a date of the business"
            message = f"{node.name} reads by {node.cursor}, which is {what}: later updates of a row are never read"
            help = "use the column that every update sets as cursor; or, if rows never change, strategy append"
            yield Finding(message, located.span("config", "cursor"), help)
