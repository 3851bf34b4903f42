"""Without a word about deletes, a row that is gone stays current for ever."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted

CODE, TITLE, LEVEL = "L104", "deletes that nobody decided about", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.snapshots():
        config = located.spec.config
        said = config.model_fields_set & {"hard_deletes", "deleted_flag", "deleted_at", "source_delta"}
        if node.feed is None and not said:
            message = f"snapshot {node.name} does not say what becomes of deleted rows: they stay current for ever"
            yield Finding(message, located.span("name"), "say hard_deletes: invalidate, new_record or, if that is meant, ignore")
