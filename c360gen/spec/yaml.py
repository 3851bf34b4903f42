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
_HIDDEN = re.compile("[\r\x85\u2028\u2029]")
"""What ends a line for a reader of YAML, a comment's too, and in no editor."""
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

    def commented(self, loc: Loc) -> bool:
        """Whether a # follows where a value should begin."""
        node = self.nodes.get(loc)
        line = self.text.split("\n")[node.start_mark.line] if node is not None and node.start_mark.line == node.end_mark.line else ""
        return line[node.start_mark.column :].lstrip().startswith("#") if node is not None else False

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
        depth = next((len(raw) - len(said) for said, raw in pairs if said.strip()), 0)

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

    Lines of `text` end with LF.
    `path` is the file as the user sees it, `named` how its project names it.
    """
    if hidden := _HIDDEN.search(text):
        line, column = _line_column(text, hidden.start())
        what = f"a line ends here for YAML, and in no editor: U+{ord(hidden[0]):04X}"
        at = Span(path, line + 1, column + 1, column + 2)
        diagnostics.error("C101", what, at, "remove it; as part of a text, it is written as an escape in double quotes")
        return None
    try:
        documents = list(yaml.compose_all(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        from c360gen.spec import slips  # here, so that completion, which reads specs too, needs no models

        slip = slips.of(error, text)
        at = Span(path, slip.line + 1, slip.column + 1, slip.column + 1 + slip.width)
        diagnostics.error("C101", f"this is not YAML: {slip.what}", at, slip.help)
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
            self._error("C104", f"{node.tag} would be a tag, and YAML knows none of this name", node, "put quotes around the value")
            self.tree.refused.add(loc)
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
