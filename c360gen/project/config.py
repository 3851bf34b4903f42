"""What the configs of all nodes mean alike, with the project's own settings where they say nothing."""

from __future__ import annotations

from c360gen.spec import models as spec


def readers(config: spec.NodeConfig | spec.SeedConfig, project: spec.Project) -> tuple[str, ...]:
    """Roles that may read a node: those that it names, else the project's; an empty list is nobody."""
    given = config.grants if config.grants is not None else project.grants
    return tuple(dict.fromkeys(given.select))


def comments(config: spec.NodeConfig | spec.SeedConfig) -> tuple[str, ...]:
    """relation, columns: whose descriptions become comments."""
    docs = config.persist_docs
    return (*(("relation",) if docs.relation else ()), *(("columns",) if docs.columns else ()))
