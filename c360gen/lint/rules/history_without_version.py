"""A history has several rows per key: which of them an incremental keeps must be said."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import traverse_scope

from c360gen.lint.project import Finding, Linted, conditions, history_of

CODE, TITLE, LEVEL = "L204", "an incremental over a history without a version column", "error"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.models("incremental"):
        if node.strategy != "merge" or node.version_column is not None:
            continue
        for scope in traverse_scope(node.query("").first):
            if not isinstance(scope.expression, exp.Select) or scope.expression.args.get("group"):
                continue
            for alias, (_, source) in scope.selected_sources.items():
                history = history_of(project, source)
                if history is None or any(k <= set(node.key) for k in project.keys_of(source, alias, conditions(scope.expression))):
                    continue
                by = ", ".join(node.key)
                message = f"{node.name} merges the versions of {history.name} by {by}: several rows of one key, in any order"
                help = f"add version_column: {history.valid_from}, or read open versions only ({history.valid_to} IS NULL)"
                yield Finding(message, located.span("config", "unique_key"), help)
