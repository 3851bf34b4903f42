"""What would break if a column were removed or retyped, or a relation removed: columns, rows, settings, tests, exposures, schedules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from c360gen.project.lineage import Lineage
from c360gen.project.nodes import Node, Snapshot, Source
from c360gen.project.origins import How, Place
from c360gen.project.resolved import Resolved


@dataclass(frozen=True)
class Column:
    """A column that is made of the one in question, and the farthest step on the closest way to it."""

    node: str
    column: str
    how: How

    @property
    def retyped(self) -> str:
        """What another type would do here: `type` is passed on as it is, but where one is declared; behind a cast or a computation only
        values may change."""
        return "type" if self.how == "as is" else "values"


@dataclass(frozen=True)
class Rows:
    """A node whose rows are chosen, joined or grouped by an affected column, or that reads such a node (`below`); of a whole relation, a
    node that `reads` it."""

    node: str
    how: str
    column: str


@dataclass(frozen=True)
class Setting:
    node: str
    setting: str
    column: str


@dataclass(frozen=True)
class Test:
    relation: str
    test: str
    column: str


@dataclass(frozen=True)
class Reader:
    """An exposure or a schedule, with the affected nodes that it reads or runs."""

    name: str
    nodes: tuple[str, ...]
    owner: str = ""


@dataclass(frozen=True)
class Impact:
    place: Place
    columns: tuple[Column, ...]
    rows: tuple[Rows, ...]
    settings: tuple[Setting, ...]
    tests: tuple[Test, ...]
    exposures: tuple[Reader, ...]
    schedules: tuple[Reader, ...]


def impact(lineage: Lineage, place: Place) -> Impact:
    """Everything that a change of one column reaches, or the removal of a relation, which is a place without a column."""
    project = lineage.project
    places = (place,) if place[1] else tuple((place[0], c.name) for c in project.relation(place[0]).columns)
    columns: dict[Place, How] = {}
    ways: tuple[tuple[How, ...], ...] = (("as is",), ("as is", "cast"), ("as is", "cast", "computed"))
    for values in ways:  # the closest way first: what it reaches is not told again of a farther one
        for edge in lineage.down(places, values):
            if edge.how in values and edge.to[1]:
                columns.setdefault(edge.to, values[-1])
    touched = {*places, *columns}
    if place[1]:
        direct = dict.fromkeys((e.to[0], e.how, e.origin[1]) for p in (place, *columns) for e in lineage.out_of(p) if not e.to[1])
        told = {id_ for id_, _ in columns}
    else:  # who reads it is told once, whatever it reads of it, and be it no column at all
        direct = dict.fromkeys((id_, "reads", "") for id_ in lineage.readers.get(place[0], ()))
        told = set()
    below = _below(lineage, [id_ for id_, _, _ in direct], told)
    affected = {place[0], *(id_ for id_, _ in columns), *(id_ for id_, _, _ in direct), *below}
    settings = (*_fresh(project, touched), *(s for n in project.nodes.values() for s in _settings(n, touched)))
    tests = (*_tests(project, touched), *_scenarios(project, touched))
    if not place[1]:  # its own settings and tests go with it; a scenario that has it stays, and fails
        settings = tuple(s for s in settings if s.node != _name(place[0]))
        tests = tuple(t for t in tests if t.relation != _name(place[0]) or t.test.startswith("scenario "))
        tests = tuple(dict.fromkeys(Test(t.relation, t.test, "") if t.relation == _name(place[0]) else t for t in tests))
    return Impact(
        place, tuple(Column(_name(id_), name, how) for (id_, name), how in columns.items()),
        (*(Rows(_name(id_), how, column) for id_, how, column in direct), *(Rows(_name(id_), "below", "") for id_ in below)),
        settings, tests,
        tuple(
            Reader(e.spec.name, tuple(_name(i) for i in e.depends_on if i in affected), e.spec.owner.name or e.spec.owner.email or "")
            for e in project.exposures if affected & set(e.depends_on)
        ),
        tuple(
            Reader(s.spec.name, tuple(n for n in s.nodes if f"ref:{n}" in affected))
            for s in project.schedules if affected & {f"ref:{n}" for n in s.nodes}
        ),
    )  # fmt: skip


def _name(id_: str) -> str:
    return id_.partition(":")[2]


def _below(lineage: Lineage, start: list[str], known: set[str]) -> list[str]:
    """What reads nodes with other rows, at any distance, and is not told of as itself already."""
    front = list(dict.fromkeys(start))
    begun = frozenset(front)
    seen = set(front)
    for id_ in front:  # grows while it is read
        fresh = [r for r in lineage.readers.get(id_, ()) if r not in seen]
        seen.update(fresh)
        front += fresh
    return [id_ for id_ in front if id_ not in known and id_ not in begun]


def _fresh(project: Resolved, touched: set[Place]) -> Iterator[Setting]:
    """Sources whose freshness is told by an affected column."""
    for source in project.sources.values():
        columns = source.freshness.query.find_all(exp.Column) if source.freshness else ()
        yield from (Setting(source.name, "freshness", c) for c in dict.fromkeys(c.name for c in columns) if (source.id, c) in touched)


def _scenarios(project: Resolved, touched: set[Place]) -> Iterator[Test]:
    """Scenarios that give or expect an affected column."""
    for scenario in project.scenarios:
        tables = [t for step in scenario.steps for t in (*step.given, *step.expect)]
        for id_, name in dict.fromkeys((t.id, c.name) for t in tables for c in t.columns):
            if (id_, name) in touched:
                yield Test(_name(id_), f"scenario {scenario.name}", name)


def _settings(node: Node, touched: set[Place]) -> Iterator[Setting]:
    """The settings of a node that name an affected column."""
    batches = node.batches
    named: list[tuple[str, str | None]] = [("unique_key", k) for k in node.key]
    named += [("cursor", node.cursor), ("version_column", node.version_column), ("partition_by", node.partition_by)]
    named += [("cluster_by", c) for c in node.cluster_by] + [("indexes", c) for columns, _ in node.indexes for c in columns]
    named += [("event_time", batches.event_time if batches else None)]
    if isinstance(node, Snapshot):
        feed = node.feed
        named += [("updated_at", node.updated_at), ("deleted_flag", node.deleted_flag), ("deleted_at", node.deleted_at)]
        named += [("cursor", feed.cursor), ("operation", feed.operation), *(("sequence_by", c) for c in feed.sequence)] if feed else []
    named += [("erasure", c) for c in (node.erasure.by, *node.erasure.redact)] if node.erasure else []
    for setting, column in dict.fromkeys(named):
        if column and (node.id, column) in touched:
            yield Setting(node.name, setting, column)
    if isinstance(node, Snapshot) and node.adopts is not None:
        yield from (Setting(node.name, "adopt", c) for c in node.adopts.reads if (f"source:{node.adopts.source}", c) in touched)
    for each in node.point_in_time:
        theirs = {*(key for _, key in each.on), *(column for column, _ in each.columns)}
        for column in sorted(c for c in theirs if (f"ref:{each.snapshot}", c) in touched):
            yield Setting(node.name, "point_in_time", column)
        for column in sorted(c for c in {each.at, *(own for own, _ in each.on)} if (node.id, c) in touched):
            yield Setting(node.name, "point_in_time", column)


def _tests(project: Resolved, touched: set[Place]) -> Iterator[Test]:
    """The data tests of affected columns, and those of other relations that look values up in one."""
    relations: list[Source | Node] = [*project.sources.values(), *project.nodes.values()]
    for relation in relations:
        for test in relation.tests:
            looked_up = (test.to, test.to_column) if test.to and test.to_column else None
            if looked_up in touched or any((relation.id, column) in touched for column in test.mentions):
                yield Test(relation.name, test.kind, ", ".join(test.mentions))
