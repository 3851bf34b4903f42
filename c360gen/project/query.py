"""One SELECT: parsed, qualified, typed, with the lineage of every column, and every mistake with its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.schema import MappingSchema

from c360gen.diagnostics import Diagnostics, Span, did_you_mean, nearest_or_list
from c360gen.project import exact, instants, portable, subqueries, syntax
from c360gen.project.columns import fold
from c360gen.project.nodes import Column
from c360gen.project.origins import Reading
from c360gen.project.render import RENDERED, SEPARATOR, VARIABLES
from c360gen.terms import symbols, types

WAREHOUSES = frozenset({"snowflake", "bigquery"})
Locate = Callable[[int, int], Span]
"""Offsets in the rendered SQL → a place in the user's file."""


@dataclass(frozen=True)
class Catalog:
    """The columns of every relation that SQL may name, by id (`ref:x`, `source:a.b`)."""

    columns: Mapping[str, Sequence[Column]]

    def schema(self, ids: Collection[str], dialect: str) -> MappingSchema:
        tree: dict[str, Any] = {}
        for id_ in ids:
            kind, _, name = id_.partition(":")
            known = {c.name: c.type or c.time or exp.DataType.build("unknown") for c in self.columns[id_]}
            tree.setdefault(kind, {})[name] = known
        return MappingSchema(tree, dialect=dialect, normalize=False)


@dataclass(frozen=True)
class Analysed:
    """A tree that can be printed for any dialect, and its output columns."""

    tree: exp.Query
    columns: tuple[Column, ...]
    suggestions: Mapping[str, str]
    """A type to declare for each computed column, where inference has one to offer."""


def analyse(
    sql: str, dialect: str, catalog: Catalog, locate: Locate, diagnostics: Diagnostics, *, translate: Collection[str | None],
    functions: Collection[str] = (),
) -> Analysed | None:  # fmt: skip
    """SELECT id, amount * 2 AS twice FROM "/ref"."orders" → qualified, typed tree and its columns; None when it is wrong.

    `translate` names the other dialects in which it must mean the same.
    """
    tree = _parse(sql, dialect, locate, diagnostics)
    if tree is None:
        return None
    tree = cast(exp.Query, tree.transform(_variable, copy=False))
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", fold(identifier.name, bool(identifier.args.get("quoted"))))
    for table in tree.find_all(exp.Table):
        if table.db.startswith(RENDERED):
            table.args["db"].set("this", table.db.removeprefix(RENDERED))
            table.this.set("this", table.name.replace(SEPARATOR, "."))
        elif symbols.symbol(table):
            table.meta["typed"] = True
    for said in tree.find_all(exp.Trim, exp.Cast):
        said.meta["written_in"] = dialect  # what is said in an engine's own words means there what that engine makes of it
    if translate:
        for node, what, help in portable.problems(tree, functions):
            diagnostics.error("C305", f"{what} is not on the list of what is the same on every engine", place(node, locate), help)
    _alias_relations(tree)
    ids = {f"{t.db}:{t.name}" for t in tree.find_all(exp.Table) if symbols.symbol(t)}
    if not _tables_known(tree, catalog, locate, diagnostics) or not _columns_known(tree, catalog, locate, diagnostics):
        return None
    try:
        tree = qualify(
            tree, dialect=_folding(dialect), schema=catalog.schema(ids, dialect), quote_identifiers=False, validate_qualify_columns=False,
            identify=False,
        )  # fmt: skip
        tree = annotate_types(tree, schema=catalog.schema(ids, dialect), dialect=dialect)
    except SqlglotError as error:
        diagnostics.error("C302", _first_line(error), locate(0, 1))
        return None

    def report(node: exp.Expr, what: str, help: str) -> None:
        if translate:
            diagnostics.error("C305", f"{what} is not the same on every engine", place(node, locate), help)

    if WAREHOUSES & {*translate}:
        for node, what, help in subqueries.refused(tree):
            report(node, what, help)
    exact.annotate(tree, report)
    instants.align(tree)
    columns = _outputs(tree, catalog, locate, diagnostics)
    if columns is None or not isinstance(tree, exp.Query):
        return None
    suggested = {s.alias_or_name: types.canonical(s.type) for s in tree.selects}
    return Analysed(tree, columns, {name: types.text(t) for name, t in suggested.items() if t is not None})


_VIEW = "make a view of it in the database, and declare that as a source"
_FLAT: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Values: ("VALUES", "write SELECT … UNION ALL SELECT …, or let a seed hold the rows"),
    exp.Unnest: ("UNNEST", _VIEW), exp.Lateral: ("LATERAL", f"write it as a join or with a window function, or {_VIEW}"),
    exp.Pivot: ("PIVOT", "write a CASE WHEN for each column"),
}  # fmt: skip
"""What may stand in FROM and has no columns that could be followed: (word, what to do instead)."""


def _folding(dialect: str) -> str:
    """Unquoted names are lower case in specs, whatever an engine makes of them."""
    return f"{dialect}, normalization_strategy=lowercase" if dialect == "snowflake" else dialect


def _parse(sql: str, dialect: str, locate: Locate, diagnostics: Diagnostics) -> exp.Query | None:
    try:
        trees = [t for t in sqlglot.parse(sql, read=dialect) if t is not None and not isinstance(t, exp.Semicolon)]
    except ParseError as error:
        at = _error_span(sql, error, locate)
        what, help = syntax.told(error, sql, dialect)
        diagnostics.error("C301", f"this is not SQL of {dialect}: {what}", at, help)
        return None
    except TokenError:
        start = syntax.unclosed(sql)
        diagnostics.error("C301", "a quote or a comment is never closed", locate(start, start + 1))
        return None
    except SqlglotError as error:
        diagnostics.error("C301", f"this is not SQL of {dialect}: {_first_line(error)}", locate(0, 1))
        return None
    except RecursionError:
        diagnostics.error("C301", "this SQL is nested too deeply", locate(0, 1))
        return None
    if len(trees) != 1 or not isinstance(trees[0], exp.Select | exp.SetOperation):
        what = "nothing" if not trees else f"{len(trees)} statements" if len(trees) > 1 else trees[0].key.upper()
        diagnostics.error("C307", f"a model is one SELECT, this is {what}", locate(0, 1))
        return None
    tree = trees[0]
    if into := next((s for s in tree.find_all(exp.Into, exp.Lock)), None):
        diagnostics.error("C307", f"a model only reads: no {into.key.upper()}", locate(0, 1))
        return None
    if flat := next((part for part in tree.find_all(*_FLAT) if not isinstance(part.parent, exp.In)), None):
        what, help = _FLAT[type(flat)]
        diagnostics.error("C307", f"{what} gives rows of which nothing is declared", place(flat, locate), help)
        return None
    return tree


def _error_span(sql: str, error: ParseError, locate: Locate) -> Span:
    found = error.errors[0]
    lines = sql.split("\n")
    word = found.get("highlight") or ""
    line, column = (found.get("line") or 1), (found.get("col") or 1)
    end = sum(len(text) + 1 for text in lines[: line - 1]) + column
    return locate(max(0, end - max(1, len(word))), end)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].split(" Line:")[0].rstrip(".")


def _variable(node: exp.Expr) -> exp.Expr:
    """c360_as_of() → CAST(:as_of AS TIMESTAMPTZ)."""
    if isinstance(node, exp.Anonymous) and (name := VARIABLES.get(node.name.lower())):
        return exp.cast(symbols.variable(name), types.TIMESTAMPTZ.copy())
    return node


def _alias_relations(tree: exp.Expr) -> None:
    """FROM "source"."raw.orders" → … AS orders, so that its columns can be named by the table's own name."""
    for table in tree.find_all(exp.Table):
        if symbols.symbol(table) and not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name.rpartition(".")[2])))


def place(node: exp.Expr, locate: Locate) -> Span:
    """The first token below a node that kept its place; a node without any is near its neighbours."""
    around: exp.Expr | None = node
    for _ in range(3):
        for child in around.walk() if around is not None else ():
            if "start" in child.meta:
                return locate(child.meta["start"], child.meta["end"] + 1)
        around = around.parent if around is not None else None
    return locate(0, 1)


def _tables_known(tree: exp.Expr, catalog: Catalog, locate: Locate, diagnostics: Diagnostics) -> bool:
    known = True
    common = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        symbol = None if table.meta.get("typed") else symbols.symbol(table)
        if symbol and symbol[0] == "ref" and not catalog.columns.get(f"ref:{symbol[1]}", (True,)):
            help = "declare those that it reads, with their data_type, or read it between {% if is_incremental() %} and {% endif %}"
            diagnostics.error("C302", "the columns of {{ this }} are not known before those of this SELECT are", place(table, locate), help)
            known = False
        if symbol or (not table.db and table.name in common):
            continue
        if not isinstance(table.this, exp.Identifier):
            what = f"a table function ({table.this.sql()})"
        else:
            what = f"table {'.'.join(p.name for p in table.parts)}"
        near = did_you_mean(table.name, common) if not table.db else None
        help = near or _as_reference(table, catalog) or "name tables with {{ source('…', '…') }} or {{ ref('…') }}"
        diagnostics.error("C302", f"{what} is not known here", place(table, locate), help)
        known = False
    return known


def _as_reference(table: exp.Table, catalog: Catalog) -> str | None:
    """FROM raw.customers → write {{ source('raw', 'customers') }}, where there is such a one."""
    for id_ in catalog.columns:
        kind, _, name = id_.partition(":")
        source, _, bare = name.partition(".")
        if kind == "ref" and table.name == name:
            return f"write {{{{ ref('{name}') }}}}"
        if kind == "source" and table.name == bare and table.db in ("", source):
            return f"write {{{{ source('{source}', '{bare}') }}}}"
    return None


def _columns_known(tree: exp.Expr, catalog: Catalog, locate: Locate, diagnostics: Diagnostics) -> bool:
    """Check every column of an unqualified tree against what its scope offers, so that all mistakes are found at once."""
    known = True
    for scope in traverse_scope(tree):
        offered = {name: _offers(source, catalog) for name, (_, source) in scope.selected_sources.items()}
        aliases = {s.alias for s in scope.expression.selects if s.alias} if isinstance(scope.expression, exp.Select) else set()
        for column in scope.columns:
            if isinstance(column.this, exp.Star) or column.find_ancestor(exp.Select, exp.SetOperation) is not scope.expression:
                continue  # a bare name in a subquery is sqlglot's guess at a correlated one: the scope of the subquery knows better
            if _found(column, scope, offered, aliases, catalog):
                if owners := _ambiguous(column, scope, offered):
                    ways = " or ".join(f"{owner}.{column.name}" for owner in owners)
                    diagnostics.error("C302", f"{column.name} is in {' and in '.join(owners)}", place(column, locate), f"write {ways}")
                    known = False
                continue
            names = offered.get(column.table) if column.table else set().union(*offered.values()) if offered else set()
            if names is None:
                message, help = f"nothing here is called {column.table}", nearest_or_list(column.table, offered, "relations")
            else:
                where = f"{column.table} has" if column.table else "there is"
                message, help = f"{where} no column {column.name}", nearest_or_list(column.name, names, "columns")
                if offered and not names:
                    help = "it declares no columns: list them with their data_type where the source is"
                elif not offered and not scope.is_subquery:
                    help = "there is no FROM"
                elif column.this.args.get("quoted") and not column.table and not did_you_mean(column.name, names):
                    help = f"double quotes are for names; text stands in single quotes: '{column.name}'"
            diagnostics.error("C302", message, place(column, locate), help)
            known = False
    return known


def _found(column: exp.Column, scope: Scope, offered: dict[str, set[str]], aliases: set[str], catalog: Catalog) -> bool:
    """In a relation of the scope, as an alias of its own output, or, correlated, in a scope around it."""
    if column.table:
        if column.table in offered:
            return column.name in offered[column.table]
    elif any(column.name in names for names in offered.values()) or column.name in aliases:
        return True
    around = scope.parent if scope.is_subquery else None
    while around is not None:
        outer = {name: _offers(source, catalog) for name, (_, source) in around.selected_sources.items()}
        if any(column.name in names and column.table in ("", name) for name, names in outer.items()):
            return True
        around = around.parent if around.is_subquery else None
    return False


def _ambiguous(column: exp.Column, scope: Scope, offered: dict[str, set[str]]) -> list[str]:
    """The relations that a bare name could be of, where it could be of several."""
    owners = [name for name, names in offered.items() if column.name in names] if not column.table else []
    if len(owners) < 2:
        return []
    joins = scope.expression.args.get("joins") or ()
    shared = any(j.args.get("method") or any(u.name == column.name for u in j.args.get("using") or ()) for j in joins)
    selected = isinstance(scope.expression, exp.Select) and column.name in scope.expression.named_selects
    return [] if shared or (selected and column.find_ancestor(exp.Order)) else owners


def _offers(source: exp.Expr | Scope, catalog: Catalog) -> set[str]:
    """The names of a relation's columns; a star stands for all of the relations below it."""
    if isinstance(source, exp.Table):
        found = symbols.symbol(source)
        return {c.name for c in catalog.columns[f"{found[0]}:{found[1]}"]} if found else set()
    if not isinstance(source, Scope):
        return set()
    if source.set_operation_scopes:
        return _offers(source.set_operation_scopes[0], catalog)
    names: set[str] = set()
    for select in _query(source).selects:
        if select.is_star:
            inner = {name: below for name, (_, below) in source.selected_sources.items()}
            table = select.table if isinstance(select, exp.Column) else None
            names = names.union(*(_offers(below, catalog) for name, below in inner.items() if table in (None, name)))
        else:
            names.add(select.alias_or_name)
    return names


def _query(scope: Scope) -> exp.Query:
    assert isinstance(scope.expression, exp.Query), "only queries have output columns here"
    return scope.expression


def _outputs(tree: exp.Expr, catalog: Catalog, locate: Locate, diagnostics: Diagnostics) -> tuple[Column, ...] | None:
    """The output columns; a type only where it is a plain column's or a CAST's."""
    assert isinstance(tree, exp.Query)
    reading, kinds, times = Reading(tree), _Types(catalog), _Types(catalog, times=True)
    columns = []
    seen: set[str] = set()
    for index, select in enumerate(tree.selects):
        name = select.alias_or_name
        if not name or isinstance(select, exp.Star) or name in seen or name.startswith("_col_"):
            what = f"column {name} twice" if name in seen else f"no name for column {index + 1}"
            diagnostics.error("C306", f"the output has {what}", place(select, locate), "give every column its own name with AS")
            return None
        seen.add(name)
        kind, origins = kinds.of(reading.root, index), tuple(sorted(reading.origins(reading.root, index)))
        columns.append(Column(name, kind, "", origins, None if kind else times.of(reading.root, index)))
    return tuple(columns)


class _Types:
    """Follows an output column through scopes to a type that can be trusted, each scope once; `times`: or to a computed time."""

    def __init__(self, catalog: Catalog, *, times: bool = False):
        self.catalog, self.times = catalog, times
        self.known: dict[tuple[int, int], exp.DataType | None] = {}

    def of(self, scope: Scope, index: int) -> exp.DataType | None:
        """`a` → a's type, CAST(… AS bigint) → bigint; whatever is computed → None."""
        key = id(scope), index
        if key not in self.known:
            self.known[key] = self._found(scope, index)
        return self.known[key]

    def _found(self, scope: Scope, index: int) -> exp.DataType | None:
        if scope.set_operation_scopes:
            kinds = [self.of(s, index) for s in scope.set_operation_scopes]
            return kinds[0] if all(k == kinds[0] for k in kinds) else None
        if index >= len(_query(scope).selects):
            return None
        value = _query(scope).selects[index].unalias()
        if isinstance(value, exp.Cast):
            return types.canonical(value.to)
        if not isinstance(value, exp.Column):
            return instants.known_everywhere(value) if self.times else None
        source = scope.sources.get(value.table)
        if isinstance(source, Scope):
            names = _query(source).named_selects
            return self.of(source, names.index(value.name)) if value.name in names else None
        if isinstance(source, exp.Table) and (symbol := symbols.symbol(source)):
            known = self.catalog.columns[f"{symbol[0]}:{symbol[1]}"]
            return next((c.type or (c.time if self.times else None) for c in known if c.name == value.name), None)
        return None
