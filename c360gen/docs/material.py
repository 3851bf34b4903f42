"""What pages are made of: the project and its builds, found by the ids of the graph."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from c360gen import dialects, strategies
from c360gen.docs.graph import Box, draw
from c360gen.docs.pages import Code, Group, Part, Picture, file_names
from c360gen.emit.files import File
from c360gen.ops.program import GUARDS, Program
from c360gen.pipeline import Build, LoadedProject
from c360gen.project.graph import reach
from c360gen.project.lineage import Lineage
from c360gen.project.nodes import Node, Source
from c360gen.project.resolved import Resolved, ResolvedExposure, ResolvedSchedule
from c360gen.spec.load import Located
from c360gen.spec.models import Exposure, Schedule
from c360gen.strategies import Artefacts

KINDS = {
    "source": "Source", "snapshot": "Snapshot", "incremental": "Incremental model", "table": "Table", "view": "View",
    "ephemeral": "Ephemeral model", "seed": "Seed", "exposure": "Exposure", "schedule": "Schedule",
}  # fmt: skip
"""Every kind of page in words, in the order of the index."""


@dataclass(frozen=True)
class Material:
    loaded: LoadedProject
    builds: Sequence[Build]

    @property
    def project(self) -> Resolved:
        return self.loaded.resolved

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.project)

    @cached_property
    def exposures(self) -> Mapping[str, ResolvedExposure]:
        return {f"exposure:{e.spec.name}": e for e in self.project.exposures}

    @cached_property
    def schedules(self) -> Mapping[str, ResolvedSchedule]:
        return {f"schedule:{s.spec.name}": s for s in self.project.schedules}

    @cached_property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """What each node and exposure reads."""
        read = {n.id: n.depends_on for n in self.project.nodes.values()}
        return read | {id_: e.depends_on for id_, e in self.exposures.items()}

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that read a relation, and behind them the exposures."""
        found = {id_: list(ids) for id_, ids in self.lineage.readers.items()}
        for id_, exposure in self.exposures.items():
            for parent in exposure.depends_on:
                found.setdefault(parent, []).append(id_)
        return {id_: tuple(dict.fromkeys(ids)) for id_, ids in found.items()}

    @cached_property
    def ids(self) -> Sequence[str]:
        """Everything in the graph, in dependency order."""
        relations: list[Source | Node] = [*self.project.sources.values(), *self.project.nodes.values()]
        return [*(r.id for r in relations), *self.exposures]

    def after(self, id_: str) -> list[str]:
        """Everything that depends on something, at any distance."""
        found = reach([id_], self.readers, None) - {id_}
        return [i for i in self.ids if i in found]

    def distances(self, id_: str) -> dict[str, int]:
        """Everything that something depends on, with the steps to it: nearest first, sources at the end."""
        found, front, steps = {id_: 0}, [id_], 0
        while front:
            steps += 1
            front = [p for p in dict.fromkeys(p for i in front for p in self.parents.get(i, ())) if p not in found]
            found |= dict.fromkeys(front, steps)
        del found[id_]
        return dict(sorted(found.items(), key=lambda item: (item[0].startswith("source:"), item[1])))

    # --- names and links ---------------------------------------------------------------------------------------------

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for kind, folder in (("source", "sources"), ("ref", "nodes"), ("exposure", "exposures"), ("schedule", "schedules")):
            ids = [i for i in (*self.ids, *self.schedules) if i.partition(":")[0] == kind]
            names = file_names(i.partition(":")[2] for i in ids)
            found |= {i: f"{folder}/{names[i.partition(':')[2]]}.html" for i in ids}
        return found

    def path(self, id_: str) -> str:
        return self._paths[id_]

    def kind(self, id_: str) -> str:
        kind, _, name = id_.partition(":")
        return self.project.nodes[name].kind if kind == "ref" else kind

    def label(self, id_: str) -> str:
        """What it is called on its page: schema.name of what a database holds."""
        kind, _, name = id_.partition(":")
        if kind == "ref":
            node = self.project.nodes[name]
            return f"{node.schema}.{node.identifier}" if node.exists else node.name
        exposure = self.exposures.get(id_)
        return (exposure.spec.label or name) if exposure else name

    def link(self, id_: str, note: str = "") -> Part:
        return Part(self.label(id_), to=self.path(id_), note=note)

    @cached_property
    def _anchors(self) -> dict[str, Mapping[str, str]]:
        return {}

    def anchor(self, id_: str, column: str) -> str:
        """The place of a column in the page of its relation."""
        if id_ not in self._anchors:
            self._anchors[id_] = file_names(c.name for c in self.project.relation(id_).columns)
        return f"column-{self._anchors[id_][column]}"

    def column_link(self, id_: str, column: str, note: str = "") -> Part:
        """A column of another page; or its rows, where none is named."""
        name = id_.partition(":")[2]
        if not column:
            return Part(f"rows of {name}", to=self.path(id_), note=note)
        if column not in {c.name for c in self.project.relation(id_).columns}:
            return Part(f"{name}.{column}", to=self.path(id_), note=note)
        return Part(f"{name}.{column}", to=f"{self.path(id_)}#{self.anchor(id_, column)}", note=note)

    # --- what is written, and what is made of it ----------------------------------------------------------------------

    @cached_property
    def written(self) -> Mapping[str, Located[Any]]:
        """Nodes, exposures and schedules as they are written, by id."""
        specs = self.loaded.specs
        found: dict[str, Located[Any]] = {f"ref:{n.spec.name}": n for n in specs.nodes if n.spec.config.enabled}
        others: Iterable[Located[Exposure] | Located[Schedule]] = (*specs.exposures, *specs.schedules)
        for item in others:
            found[f"{type(item.spec).__name__.lower()}:{item.spec.name}"] = item
        return found

    def settings(self, id_: str) -> Mapping[str, Any]:
        """The `config:` of a node in the words of its file."""
        located = self.written[id_]
        value: Any = located.tree.data if located.tree else {}
        for key in (*located.loc, "config"):
            found = isinstance(value, list) or (isinstance(value, dict) and key in value)
            value = value[key] if found else {}
        return value if isinstance(value, dict) else {}

    @cached_property
    def _about(self) -> Mapping[str, Mapping[str, Sequence[File]]]:
        """{id: {target: its files}}"""
        found: dict[str, dict[str, list[File]]] = {}
        for build in self.builds:
            for file in build.files:
                if file.about:
                    found.setdefault(file.about, {}).setdefault(build.target_name, []).append(file)
        return found

    def generated(self, id_: str) -> tuple[Group, ...]:
        """The files of something, by target."""
        of = self._about.get(id_, {})
        return tuple(Group(target, tuple(Code(f.path, f.text) for f in of[target])) for target in of)

    @cached_property
    def manifests(self) -> Mapping[str, Mapping[str, Any]]:
        """{target: its manifest}"""
        return {b.target_name: json.loads(next(f.text for f in b.files if f.path == "manifest.json")) for b in self.builds}

    @cached_property
    def _in_manifests(self) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
        return {
            target: {entry["id"]: entry for entry in (*content["sources"], *content["nodes"])} for target, content in self.manifests.items()
        }  # fmt: skip

    def addresses(self, id_: str) -> list[tuple[Build, Mapping[str, Any]]]:
        """Each build with what its manifest says of a relation."""
        return [(b, self._in_manifests[b.target_name][id_]) for b in self.builds]

    def program(self, name: str) -> Program | None:
        """Its run; what a program says of itself is the same for every engine."""
        return self.builds[0].bundle.plans[name].program

    def plan(self, node: Node) -> Artefacts:
        """What its strategy makes of it, described whether or not the database keeps the descriptions."""
        if len(node.comments) == 2:
            return self.builds[0].bundle.plans[node.name]
        dialect = dialects.get(str(self.builds[0].target.dialect))
        return strategies.artefacts(replace(node, comments=Node.comments), self.project, dialect.name, dialect.traits)

    def guards(self, name: str) -> list[tuple[str, str]]:
        """Every failure that its run may raise on one of the targets: (code, title)."""
        codes: set[str] = set()
        for build in self.builds:
            if (program := build.bundle.plans[name].program) is not None:
                codes |= program.guards | dialects.get(str(build.target.dialect)).own_codes(program)
        return [(code, GUARDS[code]) for code in sorted(codes)]

    # --- pictures ------------------------------------------------------------------------------------------------------

    def picture(self, ids: Iterable[str], title: str, here: str = "") -> Picture:
        """The graph of some of what is there; `here` stands out."""
        chosen = list(dict.fromkeys(ids))
        boxes = [self._box(i, i == here) for i in chosen]
        drawing = draw(boxes, [(parent, i) for i in chosen for parent in self.parents.get(i, ())])
        kinds = {self.kind(i) for i in chosen}
        return Picture(drawing, title, tuple((k, said) for k, said in KINDS.items() if k in kinds))

    def _box(self, id_: str, here: bool) -> Box:
        kind, label = self.kind(id_), self.label(id_)
        return Box(id_, label, f"{kind} here" if here else kind, self.path(id_), f"{KINDS[kind]} {label}")

    def around(self, id_: str) -> Picture | None:
        """What stands beside something in the graph: what it reads, and what reads it."""
        near = [*self.parents.get(id_, ()), id_, *self.readers.get(id_, ())]
        title = f"What {self.label(id_)} reads, and what reads it"
        return self.picture([i for i in self.ids if i in near], title, here=id_) if len(near) > 1 else None
