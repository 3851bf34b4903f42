"""The whole project as meant, what resolve returns: its graph, and what stands beside its nodes. Plain frozen data."""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from c360gen.diagnostics import Span
from c360gen.project.nodes import Column, Node, Snapshot, Source
from c360gen.spec.load import Located
from c360gen.spec.models import Approval, Exposure, Project, Schedule, Target


@dataclass(frozen=True)
class ResolvedSchedule:
    spec: Schedule
    nodes: tuple[str, ...]
    """Names in dependency order; views left out."""
    span: Span
    at: Mapping[str, Span] = field(default_factory=dict)
    """Where its `cron` and its `timezone` stand."""


@dataclass(frozen=True)
class ResolvedExposure:
    spec: Exposure
    depends_on: tuple[str, ...]
    span: Span


@dataclass(frozen=True)
class ResolvedApproval:
    spec: Approval
    span: Span


@dataclass(frozen=True)
class ScenarioTable:
    """Rows of one relation, every value as text that its column's type can be cast from."""

    id: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    span: Span
    as_of: dt.datetime | None = None


@dataclass(frozen=True)
class ScenarioStep:
    as_of: dt.datetime
    because: str
    given: tuple[ScenarioTable, ...]
    run: tuple[str, ...]
    """Names of nodes, in dependency order."""
    full_refresh: bool
    fails: tuple[str, ...]
    expect: tuple[ScenarioTable, ...]
    span: Span


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: tuple[ScenarioStep, ...]
    nodes: frozenset[str]
    """Everything that must exist for it."""
    span: Span


@dataclass(frozen=True)
class Resolved:
    """The whole project, nodes in dependency order."""

    project: Project
    targets: Mapping[str, Target]
    sources: Mapping[str, Source]
    nodes: Mapping[str, Node]
    exposures: tuple[ResolvedExposure, ...]
    schedules: tuple[ResolvedSchedule, ...]
    scenarios: tuple[Scenario, ...] = ()
    targets_at: Mapping[str, Located[Target]] = field(default_factory=dict, repr=False)
    """Where each target stands in the specs."""
    approvals: tuple[ResolvedApproval, ...] = ()

    @property
    def snapshots(self) -> Iterator[Snapshot]:
        return (node for node in self.nodes.values() if isinstance(node, Snapshot))

    def snapshot(self, name: str) -> Snapshot:
        """Of a name that is known to be one."""
        found = self.nodes[name]
        assert isinstance(found, Snapshot)
        return found

    def upstream(self, node: Node, through: Callable[[Node], bool]) -> Iterator[Source | Node]:
        """What a node reads, nearest first and each once; and behind every node that `through` is true of, what that one reads."""
        waiting, seen = deque(node.depends_on), set(node.depends_on)
        while waiting:
            found = self.relation(waiting.popleft())
            yield found
            if isinstance(found, Node) and through(found):
                waiting += (new := [id_ for id_ in found.depends_on if id_ not in seen])
                seen.update(new)

    def relation(self, id_: str) -> Source | Node:
        kind, _, name = id_.partition(":")
        return self.sources[name] if kind == "source" else self.nodes[name]
