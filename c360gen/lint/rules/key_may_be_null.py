"""A row whose key is NULL equals no other: a merge would insert it again and again, so the run refuses it."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted

CODE, TITLE, LEVEL = "L203", "a key that nothing keeps from being NULL", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.models("incremental"):
        open_ = [name for name in node.key if not project.never_null(node.id, name)]
        if open_:
            message = f"{node.name}: nothing says that {', '.join(open_)} of its unique_key is never NULL; a run would fail on it"
            help = "add data_tests: [not_null] to the column, here or where it comes from"
            yield Finding(message, located.span("config", "unique_key"), help)
