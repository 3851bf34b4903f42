"""What an engine's catalog says of a target: one SELECT, whose rows are what `drift` compares, at once or as a dumped file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import reduce

import sqlglot
from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names

COLUMNS = (
    "table_schema", "table_name", "column_name", "data_type", "is_nullable",
    "character_maximum_length", "numeric_precision", "numeric_scale", "kind", "definition",
)  # fmt: skip
"""The header of a dump. A row of the kind `column` is as INFORMATION_SCHEMA.COLUMNS has it. Of others, column_name is the constraint, the
index, or who was granted something, data_type what kind of constraint, or the privilege, and definition the text."""
SPECIMEN = "c360_specimen"
TEXT = exp.DataType(this=exp.DType.TEXT)


class Inspector(ABC):
    """`kinds` are the rows that the engine's catalog can give."""

    kinds: tuple[str, ...]
    folds = False
    """Whether plain names are in upper case."""
    tells_lengths = False
    """Whether a text that was given no length has none here, so that those which have one can be compared."""

    def __init__(self, dialect: Dialect):
        self.dialect = dialect

    @abstractmethod
    def rows(self, names: Names) -> Iterable[exp.Select]:
        """The arms of the query."""

    def query(self, names: Names) -> exp.Query:
        return union(self.rows(names))

    def implied(self, privilege: str, grantee: str) -> bool:
        """What nobody granted: it comes with owning the thing, or the project that it is in."""
        return False

    def role(self, name: str) -> str:
        """A role of a target as the catalog calls it: unquoted it is folded."""
        return name

    def open_to_all(self, names: Names) -> set[tuple[str, str]]:
        """(schema, name) of routines that PUBLIC may call, since nothing takes that away."""
        return set()

    def arm(self, kind: str, text: str, place: exp.Expr | None = None, **tables: exp.Table) -> exp.Select:
        """A fixed query over the catalog: `:place` in it is a condition, x and y are tables. What it does not name of COLUMNS is NULL."""
        found = sqlglot.parse_one(text, read=self.dialect.name)
        assert isinstance(found, exp.Select)
        for placeholder in list(found.find_all(exp.Placeholder)):
            placeholder.replace(place.copy() if place is not None else exp.true())
        for table in list(found.find_all(exp.Table)):
            if (made := tables.get(table.name)) is not None:
                table.replace(exp.alias_(made.copy(), table.alias, table=True))
        said: dict[str, exp.Expr] = {e.alias_or_name: e.unalias() for e in found.selects}
        said["kind"] = exp.Literal.string(kind)
        values = {c: _text(said[c]) if c in said else exp.null() for c in COLUMNS}
        found.set("expressions", [exp.alias_(v, c) for c, v in values.items()])
        return found

    def condition(self, text: str) -> exp.Expr:
        return sqlglot.parse_one(text, read=self.dialect.name)

    def among(self, column: str, values: Sequence[str]) -> exp.Expr:
        """column IN ('a', 'b'), or column = 'a'"""
        table, _, name = column.rpartition(".")
        listed = [exp.Literal.string(v) for v in values]
        at = exp.column(name, table=table)
        return exp.In(this=at, expressions=listed) if len(listed) != 1 else exp.EQ(this=at, expression=listed[0])


class Printing(Inspector):
    """Of an engine that prints views and constraints anew: what ours would be, only the engine can tell, of a specimen."""

    def specimen(self, create: exp.Create) -> exp.Create:
        """A table, index or view of ours as a temporary one: for the engine to print, and to be rolled back."""
        made = create.copy()
        there = exp.Table(this=exp.to_identifier(SPECIMEN))
        if isinstance(made.this, exp.Index):
            made.this.set("table", there)
            return made
        made.set("replace", False)
        made.set("exists", False)
        made.set("properties", exp.Properties(expressions=[exp.TemporaryProperty()]))
        (made.this if isinstance(made.this, exp.Table) else made.this.this).replace(there)
        return made

    @abstractmethod
    def specimen_rows(self) -> exp.Query:
        """The same columns of the specimen that was made last."""


def _text(value: exp.Expr) -> exp.Expr:
    return value if isinstance(value, exp.Literal) else exp.cast(value, TEXT.copy())


def union(arms: Iterable[exp.Select]) -> exp.Query:
    """UNION ALL, whose first arm says of every column that it is text."""
    first, *rest = arms
    for value in [e.this for e in first.selects]:
        if isinstance(value, exp.Null):
            value.replace(exp.cast(exp.null(), TEXT.copy()))
    found: exp.Query = first
    return reduce(lambda made, arm: exp.Union(this=made, expression=arm, distinct=False), rest, found)
