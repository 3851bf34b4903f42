"""`c360gen impact NODE[.COLUMN]`: what would break if it were removed, or a column retyped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c360gen.cli import complete, console, mermaid, options
from c360gen.cli.lineage import found, of_relation

if TYPE_CHECKING:
    from c360gen.project.impact import Impact
    from c360gen.project.lineage import Lineage

RETYPED = {"type": "gets the other type, unless its own is declared", "values": "may get other values"}


TITLES = {
    "columns": "columns that are made of it: gone when it is removed; when it is retyped, each", "rows": "nodes whose rows it decides",
    "settings": "settings that name it", "tests": "data tests of it", "exposures": "exposures that would show it",
    "schedules": "schedules that would fail",
}  # fmt: skip
OF_RELATION = {
    **TITLES, "columns": "columns that are made of its own", "rows": "nodes that read it, and those below",
    "settings": "settings that name its columns", "tests": "data tests that look into it",
}  # fmt: skip


@click.command(
    "impact",
    help="Show what would break if a column were removed or retyped, or a source or node removed: columns, rows, tests, exposures, "
    "schedules.",
)
@click.argument("name", metavar="NODE[.COLUMN]", shell_complete=complete.places)
@options.picture
@options.specs
def command(name: str, shape: str, specs: Path) -> None:
    from c360gen.project.impact import impact
    from c360gen.project.lineage import Lineage

    lineage = Lineage(options.project(specs).resolved)
    at = found(lineage.project, name)
    reached = impact(lineage, at)
    shown = at[0].partition(":")[2] + (f".{at[1]}" if at[1] else "")
    if shape == "json":
        content = {k: v for k, v in dataclasses.asdict(reached).items() if k != "place"}
        content["columns"] = [{**dataclasses.asdict(c), "retyped": c.retyped if at[1] else None} for c in reached.columns]
        console.answer(json.dumps({"of": shown, **content}, indent=2, ensure_ascii=False))
    elif shape == "mermaid":
        console.answer(mermaid.chart(_edges(lineage, reached), [shown]))
    else:
        _tell(shown, reached, TITLES if at[1] else OF_RELATION)


def _edges(lineage: Lineage, reached: Impact) -> list[tuple[str, str, str]]:
    """Columns and rows as lineage has them, and from nodes on to those who read them; of a relation, nodes."""
    if not reached.place[1]:
        return [(_bare(e.origin[0]), _bare(e.to[0]), e.how) for e in of_relation(lineage, reached.place[0])[1]]
    made: list[tuple[str, str, str]] = []
    for edge in lineage.down([reached.place]):
        origin, to = (f"{id_.partition(':')[2]}{f'.{name}' if name else ''}" for id_, name in (edge.origin, edge.to))
        made.append((origin, to, edge.how))
    for exposure in reached.exposures:
        made += [(_of(reached, node), f"exposure {exposure.name}", "") for node in exposure.nodes]
    return list(dict.fromkeys(made))


def _bare(id_: str) -> str:
    kind, _, name = id_.partition(":")
    return f"exposure {name}" if kind == "exposure" else name


def _of(reached: Impact, node: str) -> str:
    """The first affected column of a node stands for it in the picture."""
    return next((f"{node}.{c.column}" for c in reached.columns if c.node == node), node)


def _tell(shown: str, reached: Impact, titles: Mapping[str, str]) -> None:
    sections: dict[str, list[tuple[str, str, str]]] = {
        "columns": [(f"{c.node}.{c.column}", c.how, RETYPED[c.retyped] if reached.place[1] else "") for c in reached.columns],
        "rows": [(r.node, r.how, r.column) for r in reached.rows],
        "settings": [(f"{s.node}: {s.setting}", s.column, "") for s in reached.settings],
        "tests": [(f"{t.relation}.{t.column}".rstrip("."), t.test, "") for t in reached.tests],
        "exposures": [(e.name, f"reads {', '.join(e.nodes)}", e.owner) for e in reached.exposures],
        "schedules": [(s.name, f"runs {', '.join(s.nodes)}", "") for s in reached.schedules],
    }  # fmt: skip
    console.answer(shown)
    if not any(sections.values()):
        console.answer("\nnothing would break")
    for key, rows in sections.items():
        if not rows:
            continue
        console.answer(f"\n{titles[key]}")
        widths = [max(len(r[i]) for r in rows) for i in (0, 1)]
        for row in rows:
            console.answer(f"  {row[0].ljust(widths[0])}  {row[1].ljust(widths[1])}  {row[2]}".rstrip())
