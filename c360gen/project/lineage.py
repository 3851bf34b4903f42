"""Where a column comes from and where it goes: edges between columns, read from the queries of nodes, followed only as far as asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from c360gen.diagnostics import nearest_or_list
from c360gen.project.columns import named
from c360gen.project.nodes import Node, Snapshot, Source
from c360gen.project.origins import VALUES, How, Place, Reading
from c360gen.project.resolved import Resolved


@dataclass(frozen=True)
class Edge:
    """`to` comes from `origin`."""

    origin: Place
    to: Place
    how: How


class Unknown(Exception):
    """A text names no relation or column; `help` has the nearest name."""

    def __init__(self, message: str, help: str | None):
        super().__init__(message)
        self.help = help


def place(project: Resolved, text: str) -> Place:
    """`stg_orders.status` → ("ref:stg_orders", "status"); `raw_data.orders` → ("source:raw_data.orders", ""). Raise Unknown."""
    relations: dict[str, Source | Node] = {**project.sources, **project.nodes}
    if text in relations:
        return relations[text].id, ""
    cuts = [i for i, sign in enumerate(text) if sign == "."]
    for at in reversed(cuts):
        if relation := relations.get(text[:at]):
            names = [c.name for c in relation.columns]
            wanted = named(text[at + 1 :], names)
            if wanted not in names:
                raise Unknown(f"{relation.name} has no column {text[at + 1 :]}", nearest_or_list(wanted, names, "columns"))
            return relation.id, wanted
    raise Unknown(f"'{text}' is neither a node or source nor a column of one", nearest_or_list(text.partition(".")[0], relations, "names"))


@dataclass(frozen=True)
class Lineage:
    """The edges of a project. Each node's queries are read once, and only when an answer needs them."""

    project: Resolved

    @cached_property
    def _known(self) -> dict[str, tuple[Edge, ...]]:
        return {}

    @cached_property
    def readers(self) -> Mapping[str, tuple[str, ...]]:
        """The nodes that read a relation, by id, in dependency order."""
        found: dict[str, list[str]] = {}
        for node in self.project.nodes.values():
            for parent in node.depends_on:
                found.setdefault(parent, []).append(node.id)
        return {id_: tuple(ids) for id_, ids in found.items()}

    def into(self, id_: str) -> tuple[Edge, ...]:
        """The edges that end in a relation; a source has none."""
        if id_.startswith("source:"):
            return ()
        if id_ not in self._known:
            self._known[id_] = tuple(_edges(self.project.nodes[id_.removeprefix("ref:")]))
        return self._known[id_]

    @cached_property
    def _by_end(self) -> dict[str, dict[str, list[Edge]]]:
        return {}

    @cached_property
    def _by_origin(self) -> dict[str, dict[str, list[Edge]]]:
        return {}

    def to(self, place: Place) -> list[Edge]:
        """The edges that end in a column, and those that decide the rows it is in."""
        id_, name = place
        if id_ not in self._by_end:
            self._by_end[id_] = _grouped(self.into(id_), lambda e: e.to[1])
        of = self._by_end[id_]
        return [*of.get(name, ()), *(of.get("", ()) if name else ())]

    def out_of(self, place: Place) -> list[Edge]:
        """The edges that begin in a column."""
        id_, name = place
        if id_ not in self._by_origin:
            reading = (e for reader in self.readers.get(id_, ()) for e in self._from(reader).get(id_, ()))
            self._by_origin[id_] = _grouped(reading, lambda e: e.origin[1])
        return self._by_origin[id_].get(name, [])

    @cached_property
    def _by_relation(self) -> dict[str, dict[str, list[Edge]]]:
        return {}

    def _from(self, id_: str) -> dict[str, list[Edge]]:
        """The edges that end in a relation, by the relation that they begin in."""
        if id_ not in self._by_relation:
            self._by_relation[id_] = _grouped(self.into(id_), lambda e: e.origin[0])
        return self._by_relation[id_]

    def up(self, start: Iterable[Place]) -> list[Edge]:
        """Every edge that leads to `start`, nearest first: its values, and what decides its rows."""
        return _follow(start, self.to, lambda e: e.origin)

    def down(self, start: Iterable[Place], values: Collection[How] = VALUES) -> list[Edge]:
        """Every edge that leads away from `start`, nearest first; followed only along `values`."""
        return _follow(start, self.out_of, lambda e: e.to, values)


def _grouped(edges: Iterable[Edge], key: Callable[[Edge], str]) -> dict[str, list[Edge]]:
    found: dict[str, list[Edge]] = {}
    for edge in edges:
        found.setdefault(key(edge), []).append(edge)
    return found


def _follow(
    start: Iterable[Place], edges: Callable[[Place], Iterable[Edge]], end: Callable[[Edge], Place], values: Collection[How] = VALUES
) -> list[Edge]:
    """Breadth first, without recursion; rows are an end: what is below a filter has other rows, which is no lineage of columns."""
    front = list(dict.fromkeys(start))
    seen = set(front)
    found: dict[Edge, None] = {}
    for place in front:  # grows while it is read
        for edge in edges(place):
            found[edge] = None
            if (to := end(edge)) not in seen and edge.how in values and to[1]:
                seen.add(to)
                front.append(to)
    return list(found)


def _edges(node: Node) -> Iterator[Edge]:
    """The edges of all texts of a node, each once; of two ways to one value the farther one is told."""
    values: dict[tuple[str, Place], How] = {}
    rows: dict[tuple[Place, How], None] = {}
    for query in node.queries.values():
        for tree in (query.first, query.incremental):
            if tree is None:
                continue
            reading = Reading(tree)
            for index, select in enumerate(tree.selects):
                for origin, how in reading.origins(reading.root, index).items():
                    _farther(values, (select.alias_or_name, origin), how)
            rows |= dict.fromkeys(reading.rows())
    if isinstance(node, Snapshot):
        for name, origin, how in _history(node):
            _farther(values, (name, origin), how)
    if node.kind in ("snapshot", "incremental"):
        of = {c.name: c.origins for c in node.columns}
        rows |= {(origin, how): None for name, how in _decides(node) for origin in of.get(name, ())}
    for (name, origin), how in values.items():
        if origin[0] != node.id:
            yield Edge(origin, (node.id, name), how)
    for origin, how in rows:
        if origin[0] != node.id:
            yield Edge(origin, (node.id, ""), how)


def _history(node: Snapshot) -> Iterator[tuple[str, Place, How]]:
    """What a snapshot takes over, and the times that its runs make of the source's."""
    of = {c.name: c.origins for c in node.columns}
    if not node.queries:
        yield from ((name, origin, "as is") for name, origins in of.items() for origin in origins)
    made = {
        node.valid_from: (node.updated_at,), node.valid_to: (node.updated_at, node.deleted_at),
        node.row_time: (node.updated_at,), node.row_id: (*node.key, node.updated_at),
    }  # fmt: skip
    for name, inputs in made.items():
        if name:
            yield from ((name, origin, "computed") for i in inputs if i for origin in of.get(i, ()))


def _decides(node: Node) -> Iterator[tuple[str, How]]:
    """The columns that the strategy of a node looks at, by what it does with them."""
    yield from ((name, "join") for name in node.key)
    looked_at = [node.version_column, node.cursor, node.batches.event_time if node.batches else None]
    if isinstance(node, Snapshot):
        looked_at += [node.updated_at, node.deleted_flag, node.deleted_at, *node.tracked]
        looked_at += [node.feed.cursor, node.feed.operation, *node.feed.sequence] if node.feed else []
    yield from ((name, "filter") for name in looked_at if name)


def _farther(found: dict[tuple[str, Place], How], key: tuple[str, Place], how: How) -> None:
    known = found.get(key, how)
    found[key] = max(known, how, key=VALUES.index)
