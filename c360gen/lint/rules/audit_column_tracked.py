"""A column that loaders write makes a new version of every row with every load."""

from __future__ import annotations

from collections.abc import Iterator

from c360gen.lint.project import Finding, Linted, is_audit

CODE, TITLE, LEVEL = "L103", "a tracked column that every load changes", "warning"


def check(project: Linted) -> Iterator[Finding]:
    for node, located in project.snapshots():
        if node.feed is not None:
            continue
        found = sorted(name for name in node.tracked if is_audit(name))
        if not found:
            continue
        config = located.spec.config
        listed = ", ".join(found)
        what = f"{listed} changes" if len(found) == 1 else f"{listed} change"
        check_cols = f"check_cols: {{all_except: [{listed}]}}"
        cure = check_cols if config.strategy == "check" else f"give {'it' if len(found) == 1 else 'them'} on_change: ignore under columns:"
        at = located.span("config", "check_cols") if config.check_cols else located.span("config", "strategy")
        yield Finding(f"snapshot {node.name}: {what} with every load, and would make a new version of every row", at, cure)
