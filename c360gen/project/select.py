"""`--select`: dbt's grammar of names, globs, +graph+, methods, union by space, intersection by comma."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from c360gen.project.graph import reach

_ATOM = re.compile(r"(?:(\d*)(\+))?([^+\s,]+?)(?:(\+)(\d*))?")
METHODS = ("tag", "path", "source", "exposure", "resource_type")


@dataclass(frozen=True)
class Selectable:
    """What can be selected: an id such as `ref:x`, `source:a.b`, `exposure:y`, and what methods ask of it."""

    id: str
    name: str
    resource_type: str
    path: str
    tags: tuple[str, ...]
    parents: tuple[str, ...]


class BadSelection(Exception):
    """The selection is not grammar, or a part of it matches nothing; `word` is the part."""

    def __init__(self, word: str, message: str):
        super().__init__(message)
        self.word = word


def select(text: str, items: Mapping[str, Selectable], exclude: str | None = None) -> set[str]:
    """The ids that `text` selects, less those of `exclude`. Raise BadSelection when a word matches nothing."""
    chosen = _union(text, items)
    return chosen - _union(exclude, items) if exclude else chosen


def _union(text: str, items: Mapping[str, Selectable]) -> set[str]:
    words = text.split()
    if not words:
        raise BadSelection(text, "the selection is empty")
    return set().union(*(_intersection(word, items) for word in words))


def _intersection(word: str, items: Mapping[str, Selectable]) -> set[str]:
    parts = [_atom(part, items) for part in word.split(",")]
    return set.intersection(*parts)


def _atom(word: str, items: Mapping[str, Selectable]) -> set[str]:
    found = _ATOM.fullmatch(word)
    if not found:
        raise BadSelection(word, f"'{word}' is not a selection")
    up_steps, up, core, down, down_steps = found.groups()
    start = _matching(core, items)
    if not start:
        raise BadSelection(word, f"'{core}' matches nothing")
    parents = {i.id: i.parents for i in items.values()}
    children: dict[str, list[str]] = {}
    for item in items.values():
        for parent in item.parents:
            children.setdefault(parent, []).append(item.id)
    chosen = set(start)
    for id_ in start:
        chosen |= reach(id_, parents, int(up_steps) if up_steps else None) if up else set()
        chosen |= reach(id_, children, int(down_steps) if down_steps else None) if down else set()
    return chosen


def _matching(core: str, items: Mapping[str, Selectable]) -> set[str]:
    method, colon, value = core.partition(":")
    if not colon:
        return {i.id for i in _nodes(items.values()) if fnmatch.fnmatchcase(i.name, core)}
    if method not in METHODS:
        raise BadSelection(core, f"'{method}:' is not a method; known: {', '.join(METHODS)}")
    tests: dict[str, Callable[[Selectable], bool]] = {
        "tag": lambda i: any(fnmatch.fnmatchcase(t, value) for t in i.tags),
        "path": lambda i: on_path(i.path, value),
        "source": lambda i: i.resource_type == "source" and (fnmatch.fnmatchcase(i.name, value) or i.name.split(".")[0] == value),
        "exposure": lambda i: i.resource_type == "exposure" and fnmatch.fnmatchcase(i.name, value),
        "resource_type": lambda i: i.resource_type == value,
    }
    return {i.id for i in items.values() if tests[method](i)}


def on_path(path: str, wanted: str) -> bool:
    """Whether a file is `wanted`, lies below it, or fits it as a glob."""
    return path == wanted or path.startswith(wanted.rstrip("/") + "/") or fnmatch.fnmatchcase(path, wanted)


def _nodes(items: Iterable[Selectable]) -> Iterable[Selectable]:
    return (i for i in items if i.resource_type in ("model", "snapshot", "seed"))
