"""The first guard of every run: the sources still have the columns that are declared, of a type that can be read as declared."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from c360gen.ops.program import Count, Guard, Step
from c360gen.ops.schema import Traits
from c360gen.project.nodes import Node, Source
from c360gen.project.resolved import Resolved
from c360gen.strategies import _sql
from c360gen.strategies._sql import any_of, case, equal, every, is_null, literal, named, zero
from c360gen.terms import types
from c360gen.terms.symbols import column, relation, symbol, variable

NAME, FAMILY = "c360_name", "c360_family"


def checks(node: Node, project: Resolved, traits: Traits) -> tuple[Step, ...]:
    """Count and guard for every source that the node reads, itself or through views."""
    found: list[Step] = []
    for source in _sources(node, project):
        found += as_declared(source)
        if traits.views_keep_tables and (views := _views_over(source, node, project)):
            found += _as_deployed(source, views)
    return tuple(found)


def as_declared(source: Source) -> tuple[Step, ...]:
    """Count and guards for one source."""
    return (
        Count(f"The columns of {source.name} must be there, of the kind that is declared.",
              ("missing_tables", "drifted_columns", "drifted_names"), _drifted(source)),
        Guard("ZC011", "No column at all: who reads the catalog sees nothing of a table that is not there.",
              _sql.greater_than_zero("missing_tables"), (f"{source.name} is not there, or none of its columns is",), None,
              "Nothing was written. Load the table, or create it: sources belong to others, and are only read."),
        Guard("ZC011", "What is missing or retyped would be lost or bent in silence.", _sql.greater_than_zero("drifted_columns"),
              (variable("drifted_columns"), f" columns of {source.name} are missing or of another kind than declared: ",
               variable("drifted_names")), None,
              "Nothing was written. Declare the columns as they are; what that changes in tables is a migration."),
    )  # fmt: skip


def _as_deployed(source: Source, views: tuple[str, ...]) -> tuple[Step, ...]:
    """Count and guard for the views between the node and a source: a loader may have renamed the table and put another in its place."""
    swapped = relation("views", source.name, "v")
    swapped.meta["views"] = views
    listed = _sql.listed(column(NAME, "v"), column(NAME, "v"))
    query = exp.select(_sql.star_count("swapped_views"), named(listed, "swapped_names")).from_(swapped)
    return (
        Count(f"Views must read what is called {source.name} now.", ("swapped_views", "swapped_names"), query),
        Guard("ZC011", "A view keeps the table that it was made over: what was loaded since would never be seen.",
              _sql.greater_than_zero("swapped_views"),
              (variable("swapped_views"), f" views read a table that is not called {source.name} any more: ", variable("swapped_names")),
              None, "Nothing was written. Run deploy.sql, which makes the views anew."),
    )  # fmt: skip


def _views_over(source: Source, node: Node, project: Resolved) -> tuple[str, ...]:
    """The views through which a node reads a source: the last ones before it."""
    read = project.upstream(node, lambda found: found.kind in ("view", "ephemeral"))
    return tuple(v.name for v in read if isinstance(v, Node) and v.kind == "view" and source.id in _texts_read(v, project))


def _texts_read(node: Node, project: Resolved) -> Iterator[str]:
    """What the SQL itself of a view reads, ephemeral models being a part of it; nothing is said of one that has a text for each engine.

    `depends_on` knows more: what a comment names, or the text of another engine.
    """
    if len(node.queries) > 1:
        return
    for query in node.queries.values():
        for kind, name in filter(None, map(symbol, query.first.find_all(exp.Table))):
            if kind == "ref" and not project.nodes[name].exists:
                yield from _texts_read(project.nodes[name], project)
            else:
                yield f"{kind}:{name}"


def _sources(node: Node, project: Resolved) -> list[Source]:
    """Sources that are read directly or through views, by name."""
    read = project.upstream(node, lambda found: found.kind in ("view", "ephemeral"))
    return sorted((found for found in read if isinstance(found, Source) and found.columns), key=lambda found: found.name)


def _drifted(source: Source) -> exp.Select:
    """Whether the catalog knows none of the declared columns; how many it does not know, or knows as something else, and their names.

    An integer may be read as any number; a number with decimals that is read as an integer would be rounded in silence.
    """
    rows = []
    for column_ in source.columns:
        assert column_.type is not None, "a source's column has a declared type"
        family = literal(types.family(column_.type))
        family.meta["family"] = True
        name = literal(column_.name)
        name.meta["cataloged"] = True
        rows.append(exp.Tuple(expressions=[name, family]))
    names = [exp.to_identifier(n, quoted=True) for n in (NAME, FAMILY)]
    wanted = exp.Values(expressions=rows, alias=exp.TableAlias(this=exp.to_identifier("w", quoted=True), columns=names))
    listed = _sql.listed(column(NAME, "w"), column(NAME, "w"))
    all_ = exp.EQ(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(len(source.columns)))
    none = exp.EQ(this=exp.Count(this=column(NAME, "a")), expression=zero())
    missing = case((every([all_, none]), exp.Literal.number(1)), otherwise=zero())
    query = exp.select(named(missing, "missing_tables"), _sql.star_count("drifted_columns"), named(listed, "drifted_names")).from_(wanted)
    query = query.join(relation("columns", source.name, "a"), on=equal(column(NAME, "a"), column(NAME, "w")), join_type="left")
    other = exp.NEQ(this=column(FAMILY, "a"), expression=column(FAMILY, "w"))
    whole = every([equal(column(FAMILY, "a"), literal("integer")), equal(column(FAMILY, "w"), literal("number"))])
    return query.where(any_of([is_null(column(FAMILY, "a")), every([other, exp.Not(this=exp.Paren(this=whole))])]))
