"""What everything of a dbt project is called here: one name each, of plain words, whatever packages and versions there are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from c360gen.importers.dbt.artifacts import Manifest, Node, Source

_LONGEST = 50
"""Of the name of a test that becomes a model: names are 63 bytes at most, and something may be put before it."""


def plain(name: str) -> str:
    """Dim.Customers → dim_customers."""
    found = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "node"
    return f"n_{found}" if found[0].isdigit() else found


@dataclass
class Names:
    nodes: dict[str, str] = field(default_factory=dict)
    """By unique id: of models, seeds and snapshots; of tests that become models as they come."""
    sources: dict[str, str] = field(default_factory=dict)
    """By unique id: what the source is called that a table belongs to."""
    taken: set[str] = field(default_factory=set)

    def add(self, id_: str, *wanted: str) -> str:
        """The first of the wanted names that is free, else the last with a number."""
        numbered = (f"{wanted[-1]}_{n}" for n in range(2, 10_000))
        name = next(n for n in (*wanted, *numbered) if n not in self.taken)
        self.taken.add(name)
        self.nodes[id_] = name
        return name

    def of_test(self, test: Node) -> str:
        name = plain(test.name)
        if len(name) > _LONGEST:
            name = f"{name[: _LONGEST - 11].rstrip('_')}_{test.unique_id[-10:]}"
        return self.add(test.unique_id, name, f"test_{name}"[:_LONGEST])


def of(manifest: Manifest) -> Names:
    """The project's own names first: those of packages give way."""
    found = Names()
    main = manifest.metadata.project_name

    def rank(node: Node) -> tuple[bool, str, str]:
        return node.package_name not in ("", main), node.original_file_path, node.unique_id

    for node in sorted((n for n in manifest.nodes.values() if n.resource_type in ("model", "seed", "snapshot")), key=rank):
        name = plain(node.name if node.version is None else f"{node.name}_v{node.version}")
        found.add(node.unique_id, name, f"{plain(node.package_name)}_{name}")
    placed: dict[tuple[str, str, str], str] = {}
    for source in sorted(manifest.sources.values(), key=lambda s: (s.package_name != main, s.original_file_path, s.unique_id)):
        place = (source.source_name, source.database or "", source.schema_)
        if place not in placed:
            others = (
                source.source_name,
                f"{source.source_name}_{source.schema_}",
                f"{source.source_name}_{source.database}_{source.schema_}",
            )
            placed[place] = next(name for name in others if name not in placed.values())
        found.sources[source.unique_id] = placed[place]
    return found


def targets(node: Node, manifest: Manifest) -> Iterator[tuple[str, str, str]]:
    """What a node may ref(): (package, name, id) of everything that it depends on."""
    for id_ in node.depends_on.nodes:
        if there := manifest.nodes.get(id_):
            yield there.package_name, there.name, id_


def referred(node: Node, manifest: Manifest, package: str, name: str, version: str) -> str | None:
    """ref('package', 'name', v=1) of a node → the id; without a version the latest."""
    found = [id_ for p, n, id_ in targets(node, manifest) if n == name and package in ("", p)]
    if version:
        found = [id_ for id_ in found if str(manifest.nodes[id_].version) == version]
    elif len(found) > 1:
        latest = [id_ for id_ in found if manifest.nodes[id_].version == manifest.nodes[id_].latest_version]
        own = [id_ for id_ in latest or found if manifest.nodes[id_].package_name == node.package_name]
        found = own or latest or found
    return found[0] if found else None


def table(manifest: Manifest, source: str, name: str, package: str) -> Source | None:
    """source('source', 'name') as a package means it."""
    found: Mapping[str, Source] = {
        s.package_name: s for s in manifest.sources.values() if (s.source_name, s.name) == (source, name)
    }  # fmt: skip
    return found.get(package) or next(iter(found.values()), None)
