"""Where a column comes from and where it goes: edges between columns, read from the queries of nodes, followed only as far as asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from c360gen.diagnostics import nearest_or_list
from c360gen.project.columns import named
from c360gen.project.nodes import Node, Resolved, Source
from c360gen.terms import symbols

Place = tuple[str, str]
"""A column: (relation as in `depends_on`, name); without a name it stands for the rows of the relation."""
How = Literal["as is", "cast", "computed", "filter", "join", "group", "reads"]
VALUES: tuple[How, ...] = ("as is", "cast", "computed")
"""How a value comes from another, the closest first; the others say which rows there are (`reads`: of relations as a whole)."""


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
            reading = _Reading(tree)
            for index, select in enumerate(tree.selects):
                for origin, how in reading.origins(reading.root, index).items():
                    _farther(values, (select.alias_or_name, origin), how)
            rows |= dict.fromkeys(reading.rows())
    if node.kind == "snapshot":
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


def _history(node: Node) -> Iterator[tuple[str, Place, How]]:
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
    times = (node.updated_at, node.deleted_flag, node.deleted_at, node.version_column, node.cursor)
    events = (node.feed.cursor, node.feed.operation, *node.feed.sequence) if node.feed else ()
    window = node.batches.event_time if node.batches else None
    yield from ((name, "filter") for name in (*times, *node.tracked, *events, window) if name)


def _farther(found: dict[tuple[str, Place], How], key: tuple[str, Place], how: How) -> None:
    known = found.get(key, how)
    found[key] = max(known, how, key=VALUES.index)


class _Reading:
    """One qualified tree: every column in it is followed through CTEs and subqueries to relations, each scope once."""

    def __init__(self, tree: exp.Query):
        self.scopes = traverse_scope(tree)
        self.root = self.scopes[-1]
        self.of = {id(s.expression): s for s in self.scopes}
        self.known: dict[tuple[int, int], dict[Place, How]] = {}

    def origins(self, scope: Scope, index: int) -> dict[Place, How]:
        """The relations' columns that an output column is made of."""
        key = id(scope), index
        if key not in self.known:
            self.known[key] = {}
            found: dict[Place, How] = {}
            if scope.set_operation_scopes:
                parts = [self.origins(s, index) for s in scope.set_operation_scopes]
            else:
                selects = scope.expression.selects if isinstance(scope.expression, exp.Query) else []
                parts = [self._value(selects[index])] if index < len(selects) else []
            for part in parts:
                for place, how in part.items():
                    found[place] = max(found.get(place, how), how, key=VALUES.index)
            self.known[key] = found
        return self.known[key]

    def rows(self) -> Iterator[tuple[Place, How]]:
        """The relations' columns that decide which rows there are."""
        for scope in self.scopes:
            tree = scope.expression
            if not isinstance(tree, exp.Select):
                continue
            clauses: list[tuple[How, exp.Expr | None]] = [("join", join) for join in tree.args.get("joins") or ()]
            clauses += [("filter", tree.args.get(name)) for name in ("where", "having", "qualify")]
            clauses += [("group", tree.args.get("group")), ("filter", tree.args.get("order") if tree.args.get("limit") else None)]
            for how, clause in clauses:
                for column in _columns(clause) if clause is not None else ():
                    yield from ((place, how) for place in self._column(column))

    def _value(self, select: exp.Expr) -> dict[Place, How]:
        value = select.unalias()
        how: How = "as is"
        while isinstance(value, exp.Cast | exp.Paren):
            how = "cast" if isinstance(value, exp.Cast) else how
            value = value.this
        how = how if isinstance(value, exp.Column) else "computed"
        found: dict[Place, How] = {}
        for column in value.find_all(exp.Column):
            for place, inner in self._column(column).items():
                whole = max(inner, how, key=VALUES.index)
                found[place] = max(found.get(place, whole), whole, key=VALUES.index)
        return found

    def _column(self, column: exp.Column) -> dict[Place, How]:
        """Through the nearest query around it that has a relation of this name: a correlated column belongs to one farther out."""
        around = column.parent
        while around is not None:
            source = self.of[id(around)].sources.get(column.table) if id(around) in self.of else None
            if isinstance(source, Scope):
                names = source.expression.named_selects if isinstance(source.expression, exp.Query) else []
                return self.origins(source, names.index(column.name)) if column.name in names else {}
            if isinstance(source, exp.Table):
                found = symbols.symbol(source)
                return {(f"{found[0]}:{found[1]}", column.name): "as is"} if found else {}
            around = around.parent
        return {}


def _columns(clause: exp.Expr) -> Iterator[exp.Column]:
    """The columns of a clause; those of a derived table in a join belong to its own scope."""
    if isinstance(clause, exp.Join):
        for part in (clause.args.get("on"), *(clause.args.get("using") or ())):
            if part is not None:
                yield from part.find_all(exp.Column)
    else:
        yield from clause.find_all(exp.Column)
