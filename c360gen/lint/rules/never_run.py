"""A node that no schedule runs stays as it was deployed: empty."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted

CODE, TITLE, LEVEL = "L402", "a node that no schedule runs", "warning"


def check(project: Linted) -> Iterator[Finding]:
    if not project.resolved.schedules:
        return  # somebody else runs everything, by the manifest
    scheduled = {name for s in project.resolved.schedules for name in s.nodes}
    for node in project.resolved.nodes.values():
        if node.runs and node.name not in scheduled:
            message = f"no schedule runs {node.name}: it stays as it was deployed, empty"
            yield Finding(message, node.span, "select it in a schedule, or say enabled: false")
