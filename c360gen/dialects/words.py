"""The words of an engine: names, types, and trees said as it says them. What it does with tables and runs is in base.py."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import sqlglot
from sqlglot import exp

from c360gen.dialects.inline import inline
from c360gen.dialects.names import Address, Names
from c360gen.dialects.reserved import RESERVED
from c360gen.terms import symbols, types
from c360gen.terms.types import T

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


Forbidden = tuple[type[exp.Expr], str]


class Unsupported(Exception):
    """This engine cannot say that; the message tells the user what."""


class Words(ABC):
    """How an engine names, types, quotes and computes."""

    name: str
    types: Mapping[exp.DType, str]
    forbids: Sequence[Forbidden] = ((exp.Command, "text that sqlglot does not understand"), (exp.Star, "SELECT *"))
    """Nodes that sqlglot would print and the engine would refuse or misread."""
    most_columns: int | None = None
    """What a table, a view or a function may have; None: more than anybody needs."""
    families: Mapping[str, str] = {}
    """Families of types (terms.types.family) that the engine does not tell apart, and what it calls both."""
    sees_databases = False
    """Whether a connection sees several databases, so that names have theirs in front."""
    reads_databases = True
    """Whether a query can read another database than the one that it is connected to."""
    string_escape: Callable[[str], str] = staticmethod(lambda text: "'" + text.replace("'", "''") + "'")

    @property
    def backslashes(self) -> bool:
        r"""Whether a backslash in a string escapes what follows it; sqlglot prints 'it\'s' then."""
        return "\\" in sqlglot.Dialect.get_or_raise(self.name).tokenizer_class.STRING_ESCAPES

    # --- names ---------------------------------------------------------------------------------------------------------

    def identifier(self, name: str) -> exp.Identifier:
        """Quoted only where it must be: reserved words and anything but a plain lower-case word."""
        return exp.Identifier(this=name, quoted=not _PLAIN.fullmatch(name) or name.upper() in RESERVED)

    def quote(self, name: str) -> str:
        return self.identifier(name).sql(self.name)

    def table(self, address: Address, alias: str | None = None) -> exp.Table:
        made = exp.Table(
            this=self.identifier(address.name), db=self.identifier(address.schema),
            catalog=self.environment_name(address.database) if address.database else None,
        )  # fmt: skip
        if alias:
            made.set("alias", exp.TableAlias(this=self.identifier(alias)))
        return made

    def environment_name(self, name: str) -> exp.Identifier:
        """A database, role or warehouse: it exists already, under the spelling that the target gives."""
        made = exp.Identifier(this=name, quoted=not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name))
        made.meta["ours"] = True  # a tree with it may be lowered once more, which would quote it as a name of the specs
        return made

    def path(self, address: Address) -> str:
        return self.table(address).sql(self.name)

    # --- types ---------------------------------------------------------------------------------------------------------

    def type(self, type_: exp.DataType) -> str:
        """The type of a column: numeric(12,2) → NUMERIC(12, 2)."""
        word = self.types[type_.this]
        sizes = types.sizes(type_)
        return f"{word}({', '.join(map(str, sizes))})" if sizes else word

    def variable_type(self, name: str) -> str:
        """The type of a program's variable; counts have a type of their own on some engines."""
        return self.type(types.parse(symbols.VARIABLES[name]) or types.RUN_ID)

    def data_type(self, text: str) -> exp.DataType:
        """A type's text as a tree that prints as that text."""
        return exp.DataType.build(text, dialect=self.name, udt=True)

    def cast_type(self, type_: exp.DataType) -> str:
        """The type in a CAST, where an engine wants it otherwise."""
        return self.type(type_)

    # --- trees ---------------------------------------------------------------------------------------------------------

    def lower(self, tree: exp.Expr, names: Names, variables: bool = True) -> exp.Expr:
        """A neutral tree in this engine's words: addresses, quoting, types, variables, and the few constructs that differ."""
        root = exp.Paren(this=tree.copy())  # so that the top node, too, can be replaced
        inline(root, names.project.nodes, self.name)
        for node in reversed(list(root.walk(bfs=False))):  # children first
            if isinstance(node, exp.Placeholder):
                cast = node.parent
                whole = cast if isinstance(cast, exp.Cast) and cast.to.this is T.TIMESTAMPTZ else node  # a variable is typed already
                whole.replace(self._typed_variable(node.name))
            elif isinstance(node, exp.Literal) and node.meta.get("family"):
                node.replace(exp.Literal.string(self.families.get(node.name, node.name)))
            elif isinstance(node, exp.Literal) and node.meta.get("cataloged"):
                node.replace(self.cataloged(node.name))
            elif isinstance(node, exp.Literal) and node.meta.get("instant"):
                node.replace(exp.Literal.string(self.instant(node.name)))
            elif isinstance(node, exp.Ordered) and node.meta.get("never_null"):
                node.set("nulls_first", self._nulls_come_first(bool(node.args.get("desc"))))
            elif node is not root and node.parent is not None and (said := self.expression(node)) is not node:
                node.replace(said)
        for table in list(root.find_all(exp.Table)):
            symbol = symbols.symbol(table)
            if symbol and symbol[0] == "columns":
                table.replace(self.catalog(names.symbol("source", symbol[1])).subquery(table.alias))
            elif symbol and symbol[0] == "views":
                views = [names.node(view) for view in table.meta["views"]]
                table.replace(self.swapped(names.symbol("source", symbol[1]), views).subquery(table.alias))
            elif symbol:
                self._place(table, symbol[0], names.symbol(*symbol))
        for node in list(root.find_all(exp.DataType, exp.Identifier)):
            if isinstance(node, exp.Identifier):
                if not node.meta.get("ours"):
                    node.replace(self.identifier(node.name))
            elif isinstance(node, exp.DataType) and isinstance(node.parent, exp.Cast) and node.this in self.types:
                node.replace(self.data_type(self.cast_type(node)))
        lowered: exp.Expr = root.this
        lowered.pop()
        return lowered

    def swapped(self, source: Address, views: Sequence[Address]) -> exp.Select:
        """Views over another table than the one that has the name of a source now, as c360_name: none, where views find tables by names."""
        return exp.select(exp.alias_(exp.null(), "c360_name")).where(exp.false())

    def cataloged(self, name: str) -> exp.Expr:
        """A column's name as `catalog` gives it: in lower case, which is the engine's, not Python's, where it is more than ASCII."""
        found = exp.Literal.string(name)
        return exp.Literal.string(name.lower()) if name.isascii() else exp.Lower(this=found)

    def _nulls_come_first(self, descending: bool) -> bool:
        """Where this engine puts NULLs when nothing is said: what never is NULL needs no words about it."""
        ordering = sqlglot.Dialect.get_or_raise(self.name).NULL_ORDERING
        return ordering == ("nulls_are_large" if descending else "nulls_are_small")

    def _place(self, node: exp.Table, kind: str, address: Address) -> None:
        made = self.stage_table_name(address) if kind == "stage" else self.table(address)
        for part in ("this", "db", "catalog"):
            if (given := made.args.get(part)) is not None:
                given.meta["ours"] = True
            node.set(part, given)

    def stage_table_name(self, address: Address) -> exp.Table:
        return self.table(address)

    def stored(self, address: Address) -> Address:
        """An address as the engine's catalog spells it."""
        return replace(address, schema=self.stored_name(address.schema), name=self.stored_name(address.name))

    def stored_name(self, name: str) -> str:
        """A name of ours as the engine's catalog spells it."""
        return name

    @abstractmethod
    def catalog(self, address: Address) -> exp.Select:
        """SELECT c360_name, c360_family: the columns of a table as the engine's catalog knows them, names in lower case."""

    def stored_family(self, type_: exp.DataType) -> str:
        """What `catalog` says of a column that has this type; a run's id is a number where a sequence gives it."""
        if type_.this is T.UUID or (type_.this is T.DECIMAL and types.sizes(type_)[1:] == (0,)):
            return "integer"
        return self.families.get(types.family(type_), types.family(type_))

    def catalog_query(self, text: str, address: Address, place: exp.Table | None = None, **others: str) -> exp.Select:
        """A fixed query over a catalog, parsed; the literals '$schema', '$table' are the address, `place` the catalog's own.

        A literal '$word' is what `others` says of the word.
        """
        said = {"schema": address.schema, "table": address.name, "database": address.database, **others}
        query = sqlglot.parse_one(text, read=self.name)
        assert isinstance(query, exp.Select)
        for node in list(query.find_all(exp.Literal)):
            if node.name.startswith("$") and node.name[1:] in said:
                node.replace(exp.Literal.string(said[node.name[1:]]))
        if place is not None:
            first = query.find(exp.Table)
            assert first is not None, "a query over a catalog reads one"
            first.replace(place)
        for name in query.find_all(exp.Identifier):
            name.meta["ours"] = True  # the catalog's own spelling
        return query

    def variable(self, name: str) -> exp.Expr:
        """A variable of a running procedure, typed, so that it is printed rightly beside other values."""
        made = exp.column(f"v_{name}" if name in symbols.VARIABLES else f"p_{name}")
        made.this.meta["ours"] = True
        return made

    def _typed_variable(self, name: str) -> exp.Expr:
        made = self.variable(name)
        made.type = types.parse(symbols.VARIABLES.get(name, "timestamptz")) or types.RUN_ID
        return made

    def expression(self, node: exp.Expr) -> exp.Expr:
        """One node of a user's or our own tree as this engine says it; children are done already."""
        return node

    def exact(self, node: exp.Expr) -> exp.Expr | None:
        """AVG and `/` of exact numbers, also as a window function; None for anything else."""
        if isinstance(node, exp.Window) and isinstance(node.this, exp.Avg) and node.this.meta.get("exact"):
            return self.average(node.this.this, lambda function: _over(node, function))
        if isinstance(node, exp.Avg) and node.meta.get("exact") and not isinstance(node.parent, exp.Window):
            return self.average(node.this, lambda function: function)
        if isinstance(node, exp.Div) and node.meta.get("exact"):
            return self.quotient(node.this, node.expression)
        return None

    def instant(self, text: str) -> str:
        """A constant such as 9999-12-31 00:00:00+00, as a timestamptz is written here."""
        return text

    def average(self, value: exp.Expr, over: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
        """The average of exact numbers with nine decimals; `over` makes a window function of an aggregate where it is one."""
        counted = exp.func("NULLIF", over(exp.Count(this=value.copy())), exp.Literal.number(0))
        return self.quotient(over(exp.Sum(this=value.copy())), counted)

    @abstractmethod
    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """An exact division with nine decimals, rounded half away from zero."""


def _over(window: exp.Window, function: exp.Expr) -> exp.Window:
    made = window.copy()
    made.set("this", function)
    return made


def nine(value: exp.Expr) -> exp.Expr:
    """ROUND(value, 9); not sqlglot's Round, which it decorates with casts."""
    return exp.Anonymous(this="ROUND", expressions=[value, exp.Literal.number(9)])


def operand(value: exp.Expr) -> exp.Expr:
    """A copy that can stand beside `/`."""
    return exp.Paren(this=value.copy()) if isinstance(value, exp.Binary) else value.copy()
