"""`--select`: dbt's grammar of names, globs, +graph+, methods, union by space, intersection by comma."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from c360gen.diagnostics import did_you_mean, nearest_or_list
from c360gen.project.graph import reach

if TYPE_CHECKING:
    from c360gen.project.nodes import Node, Source
    from c360gen.project.resolved import ResolvedExposure

_ATOM = re.compile(r"(?:(\d*)(\+))?([^+\s,]+?)(?:(\+)(\d*))?")


@dataclass(frozen=True)
class Selectable:
    """What can be selected: an id such as `ref:x`, `source:a.b`, `exposure:y`, and what methods ask of it."""

    id: str
    name: str
    resource_type: str
    path: str
    tags: tuple[str, ...]
    parents: tuple[str, ...]


def selectables(sources: Mapping[str, Source], nodes: Mapping[str, Node], exposures: Iterable[ResolvedExposure]) -> dict[str, Selectable]:
    """Everything that a selection can name, by id, in dependency order."""
    items = {s.id: Selectable(s.id, s.name, "source", s.span.origin, s.tags, ()) for s in sources.values()}
    for n in nodes.values():
        kind = n.kind if n.kind in ("snapshot", "seed") else "model"
        items[n.id] = Selectable(n.id, n.name, kind, n.span.origin, n.tags, n.depends_on)
    for e in exposures:
        id_ = f"exposure:{e.spec.name}"
        items[id_] = Selectable(id_, e.spec.name, "exposure", e.span.origin, e.spec.tags, e.depends_on)
    return items


class BadSelection(Exception):
    """The selection is not grammar, or a part of it matches nothing; `help` has the nearest names."""

    def __init__(self, message: str, help: str | None):
        super().__init__(message)
        self.help = help


def select(text: str, items: Mapping[str, Selectable], exclude: str | None = None) -> set[str]:
    """The ids that `text` selects, less those of `exclude`. Raise BadSelection when it, or a word of it, matches nothing."""
    graph = _Graph(items)
    chosen = graph.union(text)
    left = chosen - graph.union(exclude) if exclude else chosen
    if not left:
        raise BadSelection(f"'{exclude}' excludes all that '{text}' selects", None)
    return left


class _Graph:
    """The items, and the ways between them, looked up once for all words."""

    def __init__(self, items: Mapping[str, Selectable]):
        self.items = items
        self.parents = {i.id: i.parents for i in items.values()}
        self.children: dict[str, list[str]] = {}
        for item in items.values():
            for parent in item.parents:
                self.children.setdefault(parent, []).append(item.id)

    def union(self, text: str) -> set[str]:
        words = text.split()
        if not words:
            raise BadSelection("the selection is empty", _known(self.items))
        return set().union(*(self._intersection(word) for word in words))

    def _intersection(self, word: str) -> set[str]:
        found = set.intersection(*(self._atom(part) for part in word.split(",")))
        if not found:
            help = "a comma is an intersection, a space a union"
            raise BadSelection(f"'{word}' matches nothing: its parts have nothing in common", help)
        return found

    def _atom(self, word: str) -> set[str]:
        found = _ATOM.fullmatch(word)
        if not found:
            help = "write name, +name, name+, 2+name, tag:…, path:…, source:…, exposure:… or resource_type:…"
            raise BadSelection(f"'{word}' is not a selection", help)
        up_steps, up, core, down, down_steps = found.groups()
        start = _matching(core, self.items)
        chosen = set(start)
        if up:
            chosen |= reach(start, self.parents, int(up_steps) if up_steps else None)
        if down:
            chosen |= reach(start, self.children, int(down_steps) if down_steps else None)
        return chosen


def _matching(core: str, items: Mapping[str, Selectable]) -> set[str]:
    method, colon, value = core.partition(":")
    if not colon:
        found = {i.id for i in _nodes(items.values()) if fnmatch.fnmatchcase(i.name, core)}
        if not found:
            raise BadSelection(f"'{core}' matches nothing", _elsewhere(core, items) or _known(items, core))
        return found
    if method not in METHODS:
        help = did_you_mean(method, METHODS)
        raise BadSelection(f"'{method}:' is not a method; known: {', '.join(METHODS)}", help and help.replace("'?", f":{value}'?"))
    of, known = _METHODS[method]
    found = {i.id for i in items.values() if of(i, value)}
    if not found:
        raise BadSelection(
            f"'{core}' matches nothing", nearest_or_list(value, {v for i in items.values() for v in known(i)}, f"values of {method}:")
        )
    return found


def _nodes(items: Iterable[Selectable]) -> Iterable[Selectable]:
    return (i for i in items if i.resource_type in ("model", "snapshot", "seed"))


def _known(items: Mapping[str, Selectable], word: str = "") -> str | None:
    return nearest_or_list(word, [i.name for i in _nodes(items.values())], "nodes")


def _elsewhere(word: str, items: Mapping[str, Selectable]) -> str | None:
    """A bare name is a node's; what is called so and is none needs its method."""
    for item in items.values():
        if item.resource_type in ("source", "exposure") and word in (item.name, item.name.partition(".")[0]):
            return f"it is {'an exposure' if item.resource_type == 'exposure' else 'a source'}: write {item.resource_type}:{word}"
        if word in item.tags:
            return f"it is a tag: write tag:{word}"
    return None


def on_path(path: str, value: str) -> bool:
    """Whether a path is the one given, lies below it, or matches it as a glob."""
    return path == value or path.startswith(value.rstrip("/") + "/") or fnmatch.fnmatchcase(path, value)


def _folders(path: str) -> Iterable[str]:
    return (p.as_posix() for p in PurePosixPath(path).parents if p.name)


def _is(kind: str) -> Callable[[Selectable, str], bool]:
    """A source or an exposure by its name or a glob; a source's tables all at once by the name before the dot."""

    def matches(item: Selectable, value: str) -> bool:
        return item.resource_type == kind and (
            fnmatch.fnmatchcase(item.name, value) or (kind == "source" and item.name.split(".")[0] == value)
        )

    return matches


def _names_of(kind: str) -> Callable[[Selectable], Iterable[str]]:
    return lambda item: [item.name, item.name.partition(".")[0]] if item.resource_type == kind else []


_METHODS: dict[str, tuple[Callable[[Selectable, str], bool], Callable[[Selectable], Iterable[str]]]] = {
    "tag": (lambda i, value: any(fnmatch.fnmatchcase(t, value) for t in i.tags), lambda i: i.tags),
    "path": (lambda i, value: on_path(i.path, value), lambda i: [i.path, *_folders(i.path)]),
    "source": (_is("source"), _names_of("source")),
    "exposure": (_is("exposure"), _names_of("exposure")),
    "resource_type": (lambda i, value: i.resource_type == value, lambda i: [i.resource_type]),
}
"""What each method asks of an item, and the values that it could be asked for."""

METHODS = tuple(_METHODS)
