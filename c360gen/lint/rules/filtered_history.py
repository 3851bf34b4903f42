"""A row that leaves the filter looks like a row that was deleted."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from c360gen.lint.project import Finding, Linted

CODE, TITLE, LEVEL = "L105", "a history of a filtered relation", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.snapshots():
        if node.hard_deletes == "ignore" or node.feed is not None or node.relation is None or not node.relation.startswith("ref:"):
            continue
        read = project.resolved.nodes[node.relation.removeprefix("ref:")]
        where = [s.args["where"] for s in read.query("").first.find_all(exp.Select) if s.args.get("where")] if read.queries else []
        if where:
            at = project.place(read, where[0])
            message = f"snapshot {node.name} reads {read.name}, which filters: a row that leaves the filter is recorded as deleted"
            help = f"filter after the history ({at.path}:{at.line}), or track the column of the filter"
            yield Finding(message, located.span("relation"), help)
