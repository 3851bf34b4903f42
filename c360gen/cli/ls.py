"""`c360gen ls`: what a selection matches, in dependency order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c360gen.cli import console, options
from c360gen.project.select import BadSelection, Selectable, select, selectables

if TYPE_CHECKING:
    from c360gen.project.resolved import Resolved

GRAMMAR = "Names and globs; +n, n+, 2+n; tag:, path:, source:, exposure:, resource_type:. A space is union, a comma intersection."


@click.command("ls", help="List sources, nodes and exposures, in dependency order: all of them, or those of a selection.")
@options.select(GRAMMAR)
@options.exclude("What to leave out, in these words.")
@click.option(
    "--output", "shape", type=click.Choice(["name", "json", "path"]), default="name", show_default=True,
    help="A name per line, a JSON object per line, or the files that say it.",
)  # fmt: skip
@options.specs
def command(selection: str | None, exclude: str | None, shape: str, specs: Path) -> None:
    project = options.project(specs).resolved
    items = selectables(project.sources, project.nodes, project.exposures)
    try:
        chosen = select(selection, items) if selection is not None else set(items)
        chosen = chosen - select(exclude, items) if exclude is not None else chosen
    except BadSelection as bad:
        console.fail("C206", str(bad), bad.help)
    if not chosen:
        console.fail("C206", f"'{exclude}' excludes everything", "omit --exclude, or narrow it")
    lines = [_line(items[id_], project, shape) for id_ in items if id_ in chosen]
    for line in dict.fromkeys(lines):
        console.answer(line)


def _line(item: Selectable, project: Resolved, shape: str) -> str:
    if shape == "name":
        return item.name
    if shape == "path":
        return item.path
    entry = {"name": item.name, "resource_type": item.resource_type, "path": item.path, "tags": [*item.tags], "depends_on": [*item.parents]}
    if item.id.startswith("ref:"):
        node = project.nodes[item.name]
        entry |= {"kind": node.kind, "strategy": node.strategy, "schema": node.schema, "identifier": node.identifier}
    return json.dumps(entry, ensure_ascii=False)
