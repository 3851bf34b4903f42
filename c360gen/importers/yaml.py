"""Specs as YAML for people: keys in our order, short mappings on one line, long texts as blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

_WIDTH = 120
HEADER = "# yaml-language-server: $schema={schema}\n"


class Inline(dict[str, Any]):
    """A mapping that stands on one line."""


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists are indented below their key."""
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> str:
        """ "ref('x')" where quotes are needed, not 'ref(''x'')'."""
        style = super().choose_scalar_style()
        return '"' if style == "'" and "'" in str(getattr(self.event, "value", "")) else style


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value.strip() and not _unprintable(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _unprintable(value: str) -> bool:
    return any(not (c.isprintable() or c == "\n") for c in value)


def _inline(dumper: yaml.SafeDumper, value: Inline) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.Node:
    """grants: {select: [analyst]}: one flat entry needs no line of its own."""
    flat = len(value) == 1 and all(not isinstance(v, Mapping) and not _deep(v) and "\n" not in str(v) for v in value.values())
    short = flat and len(str(value)) < _WIDTH - 40
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=bool(short))


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    plain = all(isinstance(v, str | int | float | bool) and "\n" not in str(v) for v in value)
    short = plain and sum(len(str(v)) + 2 for v in value) < _WIDTH - 40
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=bool(short and value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Inline, _inline)
_Dumper.add_representer(dict, _mapping)
_Dumper.add_representer(list, _list)


def inline(value: Mapping[str, Any]) -> dict[str, Any]:
    """On one line where it fits, and nothing in it is long."""
    flat = all(not isinstance(v, Mapping) and "\n" not in str(v) and not _deep(v) for v in value.values())
    short = sum(len(str(k)) + len(str(v)) + 4 for k, v in value.items()) < _WIDTH - 12
    return Inline(value) if flat and short else dict(value)


def _deep(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping | list | tuple) for v in value)


def text(sections: Mapping[str, Any], schema: str) -> str:
    """One file; `schema` is the way from it to the JSON Schema."""
    body = "version: 2\n"
    for name, value in sections.items():
        body += "\n" + yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return HEADER.format(schema=schema) + body
