"""A version that ends is a row that is updated, and its beginning stays as it was."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted
from c360gen.project.nodes import Node, Snapshot

CODE, TITLE, LEVEL = "L208", "an incremental that never reads how versions end", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.models("incremental"):
        read = _of_histories(project, node, node.cursor) if node.cursor is not None else set()
        for history in (h for h in project.resolved.snapshots if any(name == h.name for name, _ in read)):
            end = history.name, history.valid_to
            shown = [c.name for c in node.columns if end in _of_histories(project, node, c.name)]
            if not shown or end in read:
                continue
            message = f"{node.name} reads by {node.cursor}, which stays when a version of {history.name} ends: its {shown[0]} is never read"
            until = history.valid_to if history.open_until is None else f"nullif({history.valid_to}, '{history.open_until.date()}')"
            help = f"let the cursor be when a version changed last: coalesce({until}, {history.valid_from})"
            yield Finding(message, located.span("config", "cursor"), help)


def _of_histories(project: Linted, node: Node, column: str) -> set[tuple[str, str]]:
    """The columns of snapshots that a column's values come from, through every node between."""
    found: set[tuple[str, str]] = set()
    seen, left = set[tuple[str, str]](), list(node.column(column).origins)
    while left:
        origin = left.pop()
        relation = project.resolved.relation(origin[0])
        if isinstance(relation, Snapshot):
            found.add((relation.name, origin[1]))
        elif isinstance(relation, Node) and origin not in seen:
            seen.add(origin)
            left += relation.column(origin[1]).origins
    return found
