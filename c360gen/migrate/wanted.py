"""What a deployed target holds, as trees: the other side of a comparison with a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from c360gen import dialects
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit import freshness
from c360gen.emit.bundle import Bundle, jobs
from c360gen.migrate.catalog import Granted, Place
from c360gen.ops.schema import CreateIndex, CreateTable, CreateView


@dataclass(frozen=True)
class Wanted:
    """Tables with their indexes behind them, views, and who may do what; `texts` are those in which the bodies of routines stand."""

    tables: Mapping[Place, Sequence[exp.Create]]
    views: Mapping[Place, exp.Create]
    grants: frozenset[Granted]
    open_to_all: frozenset[Place] = frozenset()
    texts: Sequence[str] = ()


def everything(names: Names, bundle: Bundle) -> Wanted:
    """What deploy.sql makes of an empty database, and so what a migration leaves behind."""
    dialect = dialects.get(str(names.target.dialect))
    tables: dict[Place, list[exp.Create]] = {}
    views: dict[Place, exp.Create] = {}
    for plan in bundle.plans.values():
        for op in (*plan.objects, *plan.helpers, *plan.views):
            if isinstance(op, CreateTable):
                at = names.symbol(op.kind, op.name)
                tables.setdefault((at.schema, at.name), []).insert(0, _create(dialect.create_table(op, names)))
            elif isinstance(op, CreateIndex) and (made := dialect.create_index(op, names)):
                at = names.symbol(op.kind, op.table)
                tables.setdefault((at.schema, at.name), []).append(_create(made))
            elif isinstance(op, CreateView):
                view = _create(dialect.create_view(op, names))
                views[_place(view)] = view
    if (query := freshness.view(names.project)) is not None:
        at = names.own(freshness.VIEW)
        views[(at.schema, at.name)] = exp.Create(this=dialect.table(at), kind="VIEW", expression=dialect.lower(query, names))
    return Wanted(
        tables, views, frozenset(_granted(names, bundle, dialect)), frozenset(dialect.inspector.open_to_all(names)),
        [s.text for s in bundle.sections],
    )  # fmt: skip


def _create(pieces: Sequence[object]) -> exp.Create:
    return next(p for p in pieces if isinstance(p, exp.Create))


def _place(create: exp.Create) -> Place:
    table = create.find(exp.Table)
    assert table is not None
    return table.db, table.name


def _granted(names: Names, bundle: Bundle, dialect: Dialect) -> Iterable[Granted]:
    scripted = dialect.scripted(names)
    rights = dialect.rights(names, {} if scripted else bundle.programs, [] if scripted else jobs(names.project))
    for role, nodes in names.readers.items():
        rights += dialect.reading(role, nodes, names)
    for grant in (g for r in rights for g in r.grants if g.kind != "DATABASE"):
        for at in grant.objects:
            if at.schema in names.schemas:  # of a source it is not ours to say who reads it
                yield Granted((at.schema, at.name), grant.privilege.strip("`"), grant.to)
