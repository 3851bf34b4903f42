"""What belongs to others must not stand where something of ours will be: it would be written over, or taken for it."""

from __future__ import annotations

from c360gen.diagnostics import Diagnostics
from c360gen.dialects.names import Address, Names
from c360gen.project.nodes import Node, Snapshot


def check(names: Names, diagnostics: Diagnostics) -> None:
    """`CREATE TABLE IF NOT EXISTS` would find a source, and every run would replace what its owner has written."""
    ours: dict[tuple[str, str, str], Node] = {}
    for node in names.project.nodes.values():
        for name in node.objects:
            ours.setdefault(_key(names.node(node.name, name)), node)
    for source in names.project.sources.values():
        at = names.symbol("source", source.name)
        found = ours.get(_key(at))
        if found is None or (isinstance(found, Snapshot) and found.adopts is not None and found.adopts.source == source.name):
            continue  # of an adoption it is said in its own words
        message = f"{found.name} would create {at.schema}.{at.name}, which is the table of the source {source.name}"
        same = f"read it with ref('{found.name}')"
        if at.name.lower() != found.identifier.lower():
            same = f"read ref('{found.name}') in its place, of which it is a part,"
        help = f"{same} if it is ours; else give the node another schema: or alias:"
        diagnostics.error("C207", message, found.span, help)


def _key(address: Address) -> tuple[str, str, str]:
    """Names that differ in case only are the same on most engines."""
    return (address.database or "").lower(), address.schema.lower(), address.name.lower()
