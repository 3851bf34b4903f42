"""A key whose rows move one by one is replaced by those that moved."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted

CODE, TITLE, LEVEL = "L207", "a key that is replaced in parts", "error"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.models("incremental"):
        if node.strategy != "delete_insert" or node.cursor is None:
            continue
        known = sorted(project.keys(node.id), key=lambda key: (len(key), sorted(key)))
        if known and not any(key <= {*node.key} for key in known):
            one, rest = ", ".join(node.key), ", ".join(sorted(known[0] - {*node.key}))
            message = (
                f"{node.name}: {one} is in several rows, and a run reads only those whose {node.cursor} moved: the others of the key go"
            )
            help = f"add {rest} to unique_key, or let {node.cursor} be the latest of all rows of {one}"
            yield Finding(message, located.span("config", "unique_key"), help)
