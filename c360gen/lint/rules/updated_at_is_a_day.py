"""Two changes on one day have the same date."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted
from c360gen.terms import types

CODE, TITLE, LEVEL = "L102", "updated_at that is only a day", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.snapshots():
        if node.updated_at is None or node.feed is not None:
            continue
        if (type_ := node.column(node.updated_at).type) is not None and type_.this is types.T.DATE:
            message = f"snapshot {node.name}: {node.updated_at} is a date, so the second change of a day is dated by the run"
            help = "name a timestamptz, or use strategy: check without updated_at"
            yield Finding(message, located.span("config", "updated_at"), help)
