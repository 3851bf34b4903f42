"""What exposures say in `formats:`, told to their BI tools: files beside the SQL, never part of deploy.sql."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from sqlglot import exp

from c360gen import exposures
from c360gen.diagnostics import Diagnostics
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.emit.files import File, sql_file
from c360gen.emit.shell import text_of
from c360gen.emit.sql import print_sql
from c360gen.exposures import CannotSay, Field, Join, Reading, Relation, Shown
from c360gen.ops.schema import ColumnDef, CreateTable, CreateTableFunction, CreateView
from c360gen.project.nodes import Column, Node, Snapshot, Source, Test
from c360gen.project.resolved import ResolvedExposure
from c360gen.strategies import Artefacts
from c360gen.strategies._sql import clock
from c360gen.terms.symbols import column


def files(names: Names, dialect: Dialect, plans: Mapping[str, Artefacts], diagnostics: Diagnostics) -> Iterator[File]:
    """The files of every format that reads this engine. What a format cannot say becomes a diagnostic at the exposure."""
    for word, form in exposures.formats().items():
        asked = [e for e in names.project.exposures if word in e.spec.formats]
        if not asked or dialect.name not in form.DIALECTS:
            continue
        shown = tuple(_Reader(names, dialect, plans).shown(e) for e in asked)
        reading = Reading(
            names.project.project.name, names.target_name, names.target, names.database, shown, clock(),
            partial(_say, names=names, dialect=dialect),
        )  # fmt: skip
        if clash := next(reading.clashes(), None):
            message = f"{clash} would be the name of two relations that exposures read"
            diagnostics.error("C207", message, asked[0].span, "rename the node, or read the source through a view")
            continue
        try:
            made = form.plan(reading)
        except CannotSay as error:
            diagnostics.error("C402", f"{word}: {error}", asked[0].span, error.help)
            continue
        for file in made:
            body = file.body if isinstance(file.body, str) else text_of(file.body, dialect)
            marker, closing = file.comment
            yield sql_file(
                file.path, body, dialect=dialect.name, title=file.title, origin=file.origin, marker=marker, closing=closing,
                before=file.before,
            )  # fmt: skip


def _say(tree: exp.Expr, names: Names, dialect: Dialect) -> str:
    return print_sql(dialect.lower(tree, names), dialect)


class _Reader:
    """Nodes and sources → what a BI tool may read of them."""

    def __init__(self, names: Names, dialect: Dialect, plans: Mapping[str, Artefacts]):
        self.names, self.dialect, self.plans = names, dialect, plans
        self.project = names.project

    def shown(self, exposure: ResolvedExposure) -> Shown:
        read = {id_: self.relations(id_) for id_ in exposure.depends_on}
        joins = [j for id_, relations in read.items() for r in relations for j in self._joins(id_, r, read)]
        return Shown(exposure.spec, exposure.span.origin, tuple(r for rs in read.values() for r in rs), tuple(joins))

    def relations(self, id_: str) -> list[Relation]:
        """Of a source its table; of a node its table or view, and the views and the function of time that readers have beside it."""
        kind, _, name = id_.partition(":")
        if kind == "source":
            source = self.project.sources[name]
            at = self.names.symbol("source", name)
            return [self._relation(_plain(name), at, source.columns, source, _unique(source.tests), source.description)]
        node, plan = self.project.nodes[name], self.plans[name]
        found = []
        for op in (*plan.objects, *plan.helpers, *plan.views):
            if isinstance(op, CreateTable) and op.kind == "ref":
                ours = {c.name for c in node.columns}
                columns = [c for c in op.columns if c.name in ours]  # not what runs note in their own columns
                key = (*node.key, node.valid_from) if isinstance(node, Snapshot) else node.key
                found.append(self._relation(node.name, self.names.node(name), columns, node, key, node.description))
            elif isinstance(op, CreateView) and op.name != f"{node.identifier}_health":
                beside = op.name.removeprefix(node.identifier)
                found.append(
                    self._relation(f"{node.name}{beside}", self.names.node(name, op.name), op.columns, node, node.key, op.description)
                )
            elif isinstance(op, CreateTableFunction) and len(op.parameters) == 1:
                at = self.names.node(name, op.name)
                rows = exp.select(*(column(c.name, "h") for c in op.columns))
                rows = rows.from_(exp.alias_(self.dialect.rows_of(at, [exp.Placeholder(this="at")]), "h", table=True))
                beside = op.name.removeprefix(node.identifier)
                found.append(self._relation(f"{node.name}{beside}", at, op.columns, node, node.key, op.description, rows))
        return found

    def _relation(
        self, name: str, at: Address, columns: Sequence[Column | ColumnDef], of: Node | Source, key: tuple[str, ...], description: str,
        rows: exp.Query | None = None,
    ) -> Relation:  # fmt: skip
        there = {c.name for c in columns}
        key = key if there.issuperset(key) else ()
        points = {*key} | {t.columns[0] for t in of.tests if t.kind == "relationships"} | {c for f in _foreign(of) for c in f[0]}
        never_null = {c.name for c in columns if isinstance(c, ColumnDef) and c.not_null}
        never_null |= {t.columns[0] for t in of.tests if t.kind == "not_null" and _holds(t)}
        own = {c.name: c for c in of.columns}
        fields = tuple(
            Field(
                c.name, self.dialect.stored_name(c.name), own.get(c.name, c).type, c.description or own.get(c.name, c).description,
                c.name in never_null, c.name in points,
            )
            for c in columns
        )  # fmt: skip
        schema, stored = self.dialect.stored_name(at.schema), self.dialect.stored_name(at.name)
        return Relation(name, self.dialect.path(at), schema, stored, fields, key, description, of.span.origin, rows)

    def _joins(self, id_: str, relation: Relation, read: Mapping[str, Sequence[Relation]]) -> Iterator[Join]:
        """Where a test or a foreign key says that rows point to rows of something else that the exposure reads."""
        of = self._of(id_)
        pointing = [(t.columns[0], t.to, t.to_column) for t in of.tests if t.kind == "relationships"]
        pointing += [(columns[0], to, to_columns[0]) for columns, to, to_columns in _foreign(of) if len(columns) == 1]
        there = {f.name for f in relation.fields}
        for name, to, to_name in dict.fromkeys(pointing):
            if to is None or to not in read or to_name is None or name not in there:
                continue
            other = self._of(to)
            wanted = f"{other.name}_current" if isinstance(other, Snapshot) else None  # of a history what holds now
            found = next(r for r in read[to] if wanted in (None, r.name))
            yield Join(relation.name, name, found.name, to_name, found.key == (to_name,) or (to_name,) in _uniques(other.tests))

    def _of(self, id_: str) -> Node | Source:
        kind, _, name = id_.partition(":")
        return self.project.sources[name] if kind == "source" else self.project.nodes[name]


def _plain(name: str) -> str:
    """raw-data.Order Lines → raw_data_order_lines: what a source is called may be more than a word."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return word if word[:1].isalpha() else f"source_{word}"


def _holds(test: Test) -> bool:
    """Whether a test that fails stops anybody."""
    return test.severity == "error" and test.where is None


def _uniques(tests: Sequence[Test]) -> list[tuple[str, ...]]:
    kinds = ("unique", "unique_combination_of_columns")
    return [t.columns for t in tests if t.kind in kinds and _holds(t)]


def _unique(tests: Sequence[Test]) -> tuple[str, ...]:
    return next(iter(_uniques(tests)), ())


def _foreign(of: Node | Source) -> list[tuple[tuple[str, ...], str | None, tuple[str, ...]]]:
    return [(c.columns, c.to, c.to_columns) for c in of.constraints if c.kind == "foreign_key"] if isinstance(of, Node) else []
