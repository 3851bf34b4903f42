"""What the shell offers after TAB: names from the specs; silence where they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from c360gen.project.nodes import Resolved


def places(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Nodes and sources; behind a dot, the columns of one."""
    from c360gen.project.nodes import Node, Source

    project = _project(ctx)
    if project is None:
        return []
    relations: dict[str, Node | Source] = {**project.sources, **project.nodes}
    names = {n: r.kind if isinstance(r, Node) else "source" for n, r in relations.items()}
    for name, relation in relations.items():
        if incomplete.startswith(f"{name}."):
            names |= {f"{name}.{c.name}": c.description for c in relation.columns}
    return [CompletionItem(n, help=help) for n, help in names.items() if n.startswith(incomplete)]


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    project = _project(ctx)
    return [CompletionItem(n, help=str(t.dialect)) for n, t in project.targets.items() if n.startswith(incomplete)] if project else []


def selections(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last word of a selection: a name, or a method and its values."""
    from c360gen.project.resolve import selectables

    project = _project(ctx)
    if project is None:
        return []
    items = selectables(project.sources, project.nodes, project.exposures).values()
    offered = {i.name: i.resource_type for i in items if i.resource_type in ("model", "snapshot")}
    offered |= {f"tag:{t}": "" for i in items for t in i.tags}
    offered |= {f"{i.resource_type}:{i.name}": "" for i in items if i.resource_type in ("source", "exposure")}
    offered |= {f"resource_type:{i.resource_type}": "" for i in items} | {f"path:{i.path}": "" for i in items}
    before, plus, word = incomplete.rpartition("+")
    return [CompletionItem(f"{before}{plus}{n}", help=help) for n, help in sorted(offered.items()) if n.startswith(word)]


def _project(ctx: click.Context) -> Resolved | None:
    """The project of --specs; None where it cannot be read: completion never fails."""
    from c360gen.diagnostics import SpecError
    from c360gen.pipeline import load_project

    try:
        return load_project(ctx.params.get("specs") or Path("specs")).resolved
    except SpecError:
        return None
