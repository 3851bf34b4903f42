"""A snapshot finds and dates changes by a column that an update does not move."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted, creation_word

CODE, TITLE, LEVEL = "L101", "updated_at that an update does not move", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.snapshots():
        if node.updated_at is None or located.spec.config.updated_at is None or node.feed is not None:
            continue
        words = {name: creation_word(name) for name in (node.updated_at, *(c for _, c in project.sources_of(node.id, node.updated_at)))}
        name, word = next(((n, w) for n, w in words.items() if w), (None, None))
        if name is None:
            continue
        what = "says when a row was created" if word == "creation" else "is a date of the business"
        lost = "changes would be missed" if node.detects == "time" else "every change would be dated by the run, or to that day"
        message = f"snapshot {node.name}: {name} {what}; an update does not move it, so {lost}"
        yield Finding(message, located.span("config", "updated_at"), "name the column that every update sets, or use strategy: check")
