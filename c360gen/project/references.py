"""ref('…') and source('…', '…'): from text to the id of a relation that exists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from c360gen.diagnostics import Diagnostics, Span, nearest_or_list
from c360gen.project.nodes import Source
from c360gen.project.render import BadReference
from c360gen.spec.load import Specs

_REFERENCE = re.compile(
    r"""\s*(?:ref\(\s*(['"])(?P<ref>[^'"]+)\1\s*\)|source\(\s*(['"])(?P<source>[^'"]+)\3\s*,\s*(['"])(?P<table>[^'"]+)\5\s*\))\s*"""
)


def parse_reference(text: str) -> str | None:
    """ref('x') → ref:x, source('a', 'b') → source:a.b, anything else → None."""
    found = _REFERENCE.fullmatch(text)
    if not found:
        return None
    return f"ref:{found['ref']}" if found["ref"] else f"source:{found['source']}.{found['table']}"


@dataclass(frozen=True)
class Known:
    """What references may name."""

    specs: Specs
    sources: Mapping[str, Source]
    nodes: frozenset[str]

    def check(self, id_: str) -> BadReference | None:
        kind, _, name = id_.partition(":")
        if kind == "source" and name not in self.sources:
            node = name.partition(".")[2]
            help = f"it is a node: write ref('{node}')" if node in self.nodes else nearest_or_list(name, self.sources, "sources")
            return BadReference("C202", f"source {name} is not known", help)
        if kind == "ref" and name not in self.nodes:
            if any(n.spec.name == name for n in self.specs.nodes):
                return BadReference("C201", f"{name} is not built: it says enabled: false", "enable it, or leave out what reads it")
            table = next((s.split(".") for s in self.sources if name in (s, s.partition(".")[2])), None)
            meant = f"it is a source's table: write source('{table[0]}', '{table[1]}')" if table else None
            return BadReference("C201", f"{name} is not known", meant or nearest_or_list(name, self.nodes, "nodes"))
        return None


def reference(text: str, at: Span, known: Known, diagnostics: Diagnostics) -> str | None:
    """ref('x') → its id, or a diagnostic."""
    id_ = parse_reference(text)
    if id_ is None:
        inner = text.strip().removeprefix("{{").removesuffix("}}").strip()
        bare = parse_reference(inner) is not None
        help = f"write it without braces: {inner}" if bare else "write source('source', 'table') or ref('model')"
        diagnostics.error("C104", f"{text} is not a reference", at, help)
        return None
    if bad := known.check(id_):
        diagnostics.error(bad.code, bad.message, at, bad.help)
        return None
    return id_
