"""`c360gen lineage NODE[.COLUMN]`: where it comes from and where it goes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from c360gen.cli import complete, console, mermaid, options
from c360gen.project.graph import reach

if TYPE_CHECKING:
    from c360gen.project.lineage import Edge, Lineage
    from c360gen.project.origins import Place
    from c360gen.project.resolved import Resolved


@click.command("lineage", help="Show where a column, or a node, comes from and where it goes.")
@click.argument("name", metavar="NODE[.COLUMN]", shell_complete=complete.places)
@options.picture
@options.specs
def command(name: str, shape: str, specs: Path) -> None:
    from c360gen.project.lineage import Lineage

    lineage = Lineage(options.project(specs).resolved)
    at = found(lineage.project, name)
    if at[1]:
        up, down = lineage.up([at]), lineage.down([at])
    else:
        up, down = of_relation(lineage, at[0])
    if shape == "json":
        console.answer(json.dumps({"of": _shown(at), "up": [*map(_entry, up)], "down": [*map(_entry, down)]}, indent=2, ensure_ascii=False))
    elif shape == "mermaid":
        edges = dict.fromkeys([*up, *down])
        console.answer(mermaid.chart([(_shown(e.origin), _shown(e.to), e.how) for e in edges], [_shown(at)]))
    else:
        _tell(at, up, down)


def found(project: Resolved, name: str) -> Place:
    """The column or relation that an argument names, or C206 and exit code 1."""
    from c360gen.project.lineage import Unknown, place

    try:
        return place(project, name)
    except Unknown as unknown:
        console.fail("C206", str(unknown), unknown.help)


def of_relation(lineage: Lineage, id_: str) -> tuple[list[Edge], list[Edge]]:
    """A relation as a whole: what it reads and what reads it, and, one step up, its columns."""
    from c360gen.project.lineage import Edge

    project = lineage.project
    parents = {n.id: n.depends_on for n in project.nodes.values()}
    below = {**lineage.readers}
    for exposure in project.exposures:
        for parent in exposure.depends_on:
            below[parent] = (*below.get(parent, ()), f"exposure:{exposure.spec.name}")
    up = [Edge((p, ""), (n, ""), "reads") for n in _ordered(project, reach([id_], parents, None)) for p in parents.get(n, ())]
    down = [Edge((n, ""), (r, ""), "reads") for n in _ordered(project, reach([id_], below, None)) for r in below.get(n, ())]
    return [*up, *lineage.into(id_)], down


def _ordered(project: Resolved, ids: Iterable[str]) -> list[str]:
    known = set(ids)
    return [i for i in (*(s.id for s in project.sources.values()), *(n.id for n in project.nodes.values())) if i in known]


def _shown(at: Place) -> str:
    kind, _, name = at[0].partition(":")
    whole = f"exposure {name}" if kind == "exposure" else name
    return f"{whole}.{at[1]}" if at[1] else whole


def _entry(edge: Edge) -> dict[str, Any]:
    return {"from": _side(edge.origin), "to": _side(edge.to), "how": edge.how}


def _side(at: Place) -> dict[str, str | None]:
    kind, _, name = at[0].partition(":")
    return {"kind": {"ref": "node"}.get(kind, kind), "name": name, "column": at[1] or None}


def _tell(at: Place, up: list[Edge], down: list[Edge]) -> None:
    """Both directions, nearest first: a line for each edge."""
    console.answer(_shown(at))
    for title, edges, none in (("comes from", up, "nothing: it is where it begins"), ("goes to", down, "nothing: nobody reads it")):
        console.answer(f"\n{title}")
        rows = [[_end(e), e.how, _shown(e.origin)] for e in edges]
        if title == "goes to":
            rows = [[_shown(e.origin), e.how, _end(e)] for e in edges]
        widths = [max((len(r[i]) for r in rows), default=0) for i in (0, 1)]
        arrow = "<-" if title == "comes from" else "->"
        for left, how, right in rows:
            console.answer(f"  {left.ljust(widths[0])}  {how.ljust(widths[1])}  {arrow} {right}")
        if not rows:
            console.answer(f"  {none}")


def _end(edge: Edge) -> str:
    return f"rows of {_shown(edge.to)}" if not edge.to[1] and edge.how != "reads" else _shown(edge.to)
