"""YAML text → plain data, and the place of every key and value in it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from c360gen.diagnostics import Diagnostics, Span

Loc = tuple[str | int, ...]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_NODES = 200_000
"""More than any honest file has; aliases multiply nodes, and a bomb must not take the memory."""
_STANDARD = "tag:yaml.org,2002:"
_KINDS = {"timestamp": "a date", "int": "a whole number", "float": "a number", "bool": "true or false"}
UNREADABLE = (ValueError, OverflowError, KeyError, AttributeError, yaml.YAMLError)
"""What PyYAML raises for text that it cannot read: for a date that no calendar has, whatever Python said of it."""


@dataclass(frozen=True)
class SqlText:
    """SQL as the user wrote it, and the way from an offset in it to a place in a file."""

    text: str
    place: Callable[[int, int], Span] = field(compare=False, repr=False)

    def span(self, start: int, end: int) -> Span:
        """Offsets into the text → the place in the file."""
        return self.place(start, end)


def sql_of_file(text: str, path: str, named: str = "") -> SqlText:
    """The text of a whole file; `named` is how its project names it."""

    def place(start: int, end: int) -> Span:
        line, column = _line_column(text, start)
        return Span(path, line + 1, column + 1, column + 1 + max(1, end - start), named)

    return SqlText(text, place)


@dataclass
class Tree:
    """The data of one file and where each part of it stands."""

    path: str
    data: dict[str, Any]
    nodes: dict[Loc, Any]
    keys: dict[Loc, Any]
    text: str
    named: str = ""
    refused: set[Loc] = field(default_factory=set)
    """Scalars that are not what their tag or their form says: told already, and their text stands in `data`."""

    def span(self, loc: Loc) -> Span:
        """The place of a value; where it is missing, that of its nearest parent's key."""
        if loc in self.nodes:
            return self._of(self.nodes[loc])
        while loc and loc not in self.keys and loc not in self.nodes:
            loc = loc[:-1]
        return self.key_span(loc)

    def key_span(self, loc: Loc) -> Span:
        node = self.keys.get(loc) or self.nodes.get(loc)
        return self._of(node) if node is not None else Span(self.path, 1, 1, 2, self.named)

    def _of(self, node: Any) -> Span:
        start, end = node.start_mark, node.end_mark
        one_line = isinstance(node, yaml.ScalarNode) and end.line == start.line
        width = end.column - start.column if one_line else 1
        return Span(self.path, start.line + 1, start.column + 1, start.column + 1 + max(1, width), self.named)

    def written(self, loc: Loc) -> str:
        """A scalar as it stands in the file: `off`, which is read as false."""
        node = self.nodes.get(loc)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""

    def sql(self, loc: Loc) -> SqlText:
        """A string value as SQL whose offsets can be found again."""
        node = self.nodes[loc]
        value: str = node.value
        if node.style == "|":
            return SqlText(value, self._in_block(node, value))
        opening = 1 if node.style in ("'", '"') else 0
        simple = node.end_mark.line == node.start_mark.line

        def place(start: int, end: int) -> Span:
            at = node.start_mark.column + opening + (start if simple else 0)
            return Span(self.path, node.start_mark.line + 1, at + 1, at + 1 + max(1, end - start), self.named)

        return SqlText(value, place)

    def _in_block(self, node: Any, value: str) -> Callable[[int, int], Span]:
        lines = self.text.split("\n")
        first = node.start_mark.line + 1
        pairs = zip(value.split("\n"), lines[first:], strict=False)
        depth = next((len(raw.rstrip("\r")) - len(said) for said, raw in pairs if said.strip()), 0)

        def place(start: int, end: int) -> Span:
            line, column = _line_column(value, start)
            at = column + depth
            return Span(self.path, first + line + 1, at + 1, at + 1 + max(1, end - start), self.named)

        return place


def _line_column(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n"), offset - (before.rfind("\n") + 1)


def parse(text: str, path: str, diagnostics: Diagnostics, named: str = "") -> Tree | None:
    """The tree of one document whose top is a mapping, or None with the reason in `diagnostics`; an empty file is empty.

    `path` is the file as the user sees it, `named` how its project names it.
    """
    try:
        documents = list(yaml.compose_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        what, at, help = _told(error, text, path)
        diagnostics.error("C101", f"this is not YAML: {what}", at, help)
        return None
    except RecursionError:
        diagnostics.error("C101", "this YAML is nested too deeply", Span(path))
        return None
    documents = [d for d in documents if d is not None]
    if len(documents) > 1:
        mark = documents[1].start_mark
        diagnostics.error("C101", "a file holds one YAML document", Span(path, mark.line + 1, 1, 2), "split the file at ---")
        return None
    tree = Tree(path, {}, {}, {}, text, named)
    if not documents or (isinstance(documents[0], yaml.ScalarNode) and documents[0].tag.endswith(":null")):
        return tree
    if not isinstance(documents[0], yaml.MappingNode):
        diagnostics.error("C101", "a spec file is a mapping of sections", Span(path), "begin with version: 2")
        return None
    builder = _Builder(tree, diagnostics)
    try:
        tree.data = builder.build(documents[0], (), ())
    except _TooMuch as error:
        diagnostics.error("C101", str(error), Span(path))
        return None
    except _Unquoted as error:
        at = tree._of(error.node)
        help = "put quotes around the value, or write it below the key, after |"
        diagnostics.error(
            "C101", "this is not YAML: a value cannot begin with {{", Span(path, at.line, max(1, at.column - 1), at.column + 1), help
        )
        return None
    return tree


def _told(error: yaml.YAMLError, text: str, path: str) -> tuple[str, Span, str | None]:
    """What a reader of YAML stumbled over, where it began, and the usual reason."""
    mark, begun = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    what = str(getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0])
    context = str(getattr(error, "context", None) or "")
    lines = text.split("\n")
    if "end of stream" in what and "quoted scalar" in context and begun:
        what, mark = "this quote is never closed", begun
    mark = mark or begun
    at = Span(path, mark.line + 1, mark.column + 1, mark.column + 2) if mark else Span(path)
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    before, rest = line[: at.column - 1], line[at.column - 1 :]
    if line.startswith("\t"):
        return "a tab in the indentation", at, "indent with spaces"
    if "cannot start any token" in what:
        return f"a value cannot begin with {rest[:1]}", at, "put quotes around the value"
    if "undefined alias" in what:
        return (
            f"{rest.split()[0].rstrip(',}]')} would be an alias, and nothing has this name",
            at,
            "put quotes around a value that begins with *",
        )
    if "expected ',' or" in what:
        return _in_flow(what, at, before, rest)
    if "mapping values are not allowed" in what:
        return what, at, _colon(lines, at)
    if "expected '-' indicator" in what or "expected <block end>" in what:
        return "this line is not indented as the lines that it belongs to", at, "a key stands right below the first key of its item"
    return what, at, None


def _in_flow(what: str, at: Span, before: str, rest: str) -> tuple[str, Span, str | None]:
    """Inside {…} and […] a comma, a brace or a quote ends a value."""
    if "{{" in before[-1:] + rest[:2] or rest.startswith("{"):
        return "inside {…} a value ends where {{ begins", at, "put quotes around the value, or give the key a line of its own"
    if rest.startswith(("'", '"', "(")) or before.rstrip().endswith(("'", '"')):
        return "inside {…} a value ends with its quote or comma", at, "put quotes around the whole value: \"source('…', '…')\""
    return what, at, "is a comma, a quote or a bracket missing before this?"


def _colon(lines: list[str], at: Span) -> str:
    """A colon inside of a value, or a space that is missing after the - or the colon of the line before."""
    previous = next((line.strip() for line in reversed(lines[: at.line - 1]) if line.strip()), "")
    if re.match(r"-\w", previous):
        return f"a space is missing after the - of the line before: {'- ' + previous[1:]}"
    if re.fullmatch(r"(?:- )?\w+:\S+", previous):
        return f"a space is missing after the colon of the line before: {previous.replace(':', ': ', 1)}"
    return "a colon inside a value needs quotes around the value"


class _TooMuch(Exception):
    pass


class _Unquoted(Exception):
    """`{{ … }}` that YAML reads as its own braces."""

    def __init__(self, node: Any):
        super().__init__()
        self.node = node


class _Builder:
    """Nodes → data. Our own, because PyYAML's takes duplicate keys in silence and turns dates into objects."""

    def __init__(self, tree: Tree, diagnostics: Diagnostics):
        self.tree, self.diagnostics = tree, diagnostics
        self.built = 0
        self.scalars = yaml.SafeLoader("")

    def build(self, node: Any, loc: Loc, parents: Sequence[int]) -> Any:
        self.built += 1
        if self.built > _MOST_NODES:
            raise _TooMuch("this YAML has too many nodes: do its aliases repeat each other?")
        if id(node) in parents:
            raise _TooMuch("an alias in this YAML contains itself")
        self.tree.nodes.setdefault(loc, node)
        inside = (*parents, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*loc, i), inside) for i, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc, inside)
        return self._scalar(node, loc)

    def _mapping(self, node: Any, loc: Loc, inside: Sequence[int]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_STANDARD}merge":
                values = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for value in values:
                    built = self.build(value, loc, inside)
                    merged = {**(built if isinstance(built, dict) else {}), **merged}
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                if isinstance(key_node, yaml.MappingNode):  # {{ … }} without quotes is a mapping whose key is a mapping
                    raise _Unquoted(key_node)
                self._error("C104", "a key must be a word", key_node)
                continue
            key = str(key_node.value)
            if key in out:
                first = self.tree.key_span((*loc, key))
                self._error("C103", f"`{key}` is given twice, first in line {first.line}", key_node, "keep one of them")
                continue
            self.tree.keys[(*loc, key)] = key_node
            out[key] = self.build(value_node, (*loc, key), inside)
        return {**merged, **out}

    def _scalar(self, node: Any, loc: Loc) -> Any:
        if not node.tag.startswith(_STANDARD):
            return node.value
        try:
            value = self.scalars.construct_object(node, deep=True)
        except UNREADABLE:
            kind = node.tag.removeprefix(_STANDARD)
            wanted = "a time" if kind == "timestamp" and ":" in node.value else _KINDS.get(kind)
            what = f"is not {wanted}" if wanted else f"cannot be read as {kind}"
            self._error("C104", f"'{node.value}' {what}", node, "put quotes around it if it is text")
            self.tree.refused.add(loc)
            return node.value
        return node.value if isinstance(value, dt.date | dt.datetime | bytes) else value

    def _error(self, code: str, message: str, node: Any, help: str | None = None) -> None:
        self.diagnostics.error(code, message, self.tree._of(node), help)
