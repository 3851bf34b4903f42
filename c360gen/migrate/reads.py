"""What a snapshot reads, while it is migrated: whether its rows of now can be asked for a new column."""

from __future__ import annotations

from dataclasses import replace

from c360gen.migrate.state import NodeState, State
from c360gen.project.nodes import Snapshot

OTHERWISE = "say {backfill: …}, or new_version"


def unreadable(node: Snapshot, name: str, released: State, wanted: State) -> tuple[str, str] | None:
    """Why a migration cannot take values of a column from what the snapshot reads, and what helps; None where it can."""
    kind, _, source = str(node.relation).partition(":")
    if kind == "query":
        return "its own SQL is read by runs alone", OTHERWISE
    if node.policies.on_duplicate_key != "fail":
        return f"with on_duplicate_key: {node.policies.on_duplicate_key} a run alone knows which row of a key counts", OTHERWISE
    if kind == "source":
        return None
    if source not in wanted.nodes:
        return f"{source} is a part of what reads it, and nothing that a migration can ask", OTHERWISE
    there = released.nodes.get(source)
    if there is None or name not in there.columns or not _stays(source, released, wanted):
        why = f"{source} has no {name} yet, or changes in the same release"
        return why, f"release {source} alone and run it, then the snapshot; or {OTHERWISE}"
    return None


def _stays(name: str, released: State, wanted: State) -> bool:
    """Whether a node is there, with the rows that it has, while tables change: of a view, all that it reads, too."""
    there, was = wanted.nodes.get(name), released.nodes.get(name)
    if there is None or was is None or _rows(there) != _rows(was):
        return False
    return there.kind != "view" or all(_stays(n, released, wanted) for n in there.reads)


def _rows(node: NodeState) -> NodeState:
    """Without what is shown beside its rows, which an older c360gen has not written down."""
    return replace(node, facts={k: v for k, v in node.facts.items() if k != "shown_beside"})
