"""Edges as a Mermaid flowchart, which GitHub, GitLab and many wikis draw."""

from __future__ import annotations

from collections.abc import Iterable


def chart(edges: Iterable[tuple[str, str, str]], marked: Iterable[str] = ()) -> str:
    """[(a, b, how)] → `flowchart LR` with a box per name and an arrow per edge; `marked` boxes stand out."""
    names: dict[str, str] = {}
    lines = []
    for origin, to, how in edges:
        ids = [names.setdefault(n, f"n{len(names)}") for n in (origin, to)]
        lines.append(f"  {ids[0]} -->{f'|{_quoted(how)}| ' if how else ' '}{ids[1]}")
    for name in marked:
        names.setdefault(name, f"n{len(names)}")
    boxes = [f"  {id_}[{_quoted(name)}]" for name, id_ in names.items()]
    styles = [f"  style {names[name]} stroke-width:3px" for name in marked]
    return "\n".join(["flowchart LR", *boxes, *lines, *styles])


def _quoted(text: str) -> str:
    return '"' + text.replace("#", "#35;").replace('"', "#quot;") + '"'
