"""`c360gen ls`: the nodes of a selection, in dependency order."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.diagnostics import nearest_or_list
from c360gen.project.resolve import selectables
from c360gen.project.select import BadSelection, Selectable, select


@click.command("ls", help="List nodes, sources and exposures; all of them, or those of a selection.")
@click.option(
    "--select", "-s", "selection", default=None, metavar="SELECTION", help="Names, globs, +n, n+, tag:, path:, source:, resource_type:."
)
@click.option("--exclude", default=None, metavar="SELECTION")
@options.specs_and_out
def command(selection: str | None, exclude: str | None, specs: Path, out: Path) -> None:
    found = options.project(specs).resolved
    items = selectables(found.sources, found.nodes)
    for e in found.exposures:
        id_ = f"exposure:{e.spec.name}"
        items[id_] = Selectable(id_, e.spec.name, "exposure", e.span.path, e.spec.tags, e.depends_on)
    try:
        chosen = select(selection, items, exclude) if selection else set(items) - (select(exclude, items) if exclude else set())
    except BadSelection as bad:
        names = [i.name for i in items.values()]
        console.fail("C206", str(bad), nearest_or_list(bad.word.strip("+"), names, "nodes"))
    for id_, item in items.items():
        if id_ in chosen:
            console.answer(f"{item.resource_type}:{item.name}")
