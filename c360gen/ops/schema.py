"""Operations on lasting objects: tables, indexes, views, table functions."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from c360gen.spec.models import Size
from c360gen.terms.symbols import Kind


@dataclass(frozen=True)
class ColumnDef:
    name: str
    type: exp.DataType
    not_null: bool = False
    description: str = ""


@dataclass(frozen=True)
class TableConstraint:
    """A constraint of a table besides its primary key and NOT NULL: declared where the engine knows the kind."""

    kind: str
    name: str
    columns: tuple[str, ...]
    condition: exp.Expr | None = None
    to: str | None = None
    to_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class CreateTable:
    """A table that is created once and never replaced."""

    kind: Kind
    name: str
    columns: tuple[ColumnDef, ...]
    description: str = ""
    primary_key: tuple[str, ...] = ()
    ordered: tuple[tuple[str, str], ...] = ()
    """(a, b): a < b in every row; enforced where the engine enforces."""
    partition_by: str | None = None
    partition_size: Size = "month"
    cluster_by: tuple[str, ...] = ()
    constraints: tuple[TableConstraint, ...] = ()


@dataclass(frozen=True)
class CreateIndex:
    """An index, where the engine has them; `where` makes it partial."""

    table: str
    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: exp.Expr | None = None
    because: str = ""
    keys: tuple[exp.Expr, ...] = ()
    """What is indexed, where it is more than the plain columns."""
    kind: Kind = "ref"
    """Which of the node's tables."""


@dataclass(frozen=True)
class CreateView:
    """A view in the schema of a node, which it is itself or helps to read; replaced whenever its text changes."""

    name: str
    of: str
    query: exp.Query
    columns: tuple[ColumnDef, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class CreateTableFunction:
    """A function of instants that returns rows; what it is called with stands in the query as placeholders."""

    name: str
    of: str
    query: exp.Query
    columns: tuple[ColumnDef, ...]
    description: str = ""
    parameters: tuple[str, ...] = ("at",)


ROW_ADDRESS = "c360_row"
"""The column of a stage with the physical address of a target row."""


@dataclass(frozen=True)
class StageTable:
    """The scratch table of one run of one node: made by the run that fills it, read by nobody else."""

    node: str
    columns: tuple[ColumnDef, ...]
    row_address: bool = False
    """Whether it carries the physical address of a target row, where the engine has one."""


@dataclass(frozen=True)
class LoadSeed:
    """Rows that deploy brings: replaced as a whole, in one transaction, when their digest is not the one that was loaded last."""

    node: str
    digest: str
    empty: exp.Delete
    inserts: tuple[exp.Insert, ...]


SchemaOp = CreateTable | CreateIndex | CreateView | CreateTableFunction | LoadSeed


@dataclass(frozen=True)
class Traits:
    """What an engine can do that changes the best way to ask for the same thing."""

    row_address: str | None = None
    """Pseudo column with the physical place of a row, stable within a transaction that holds the node's lock."""
    indexed_lookups: bool = False
    """A correlated subquery finds single rows by index: better than aggregating a whole table."""
    cheap_groups: bool = False
    """Reading a source twice costs less than a window over all of it."""
    ordered_insert: bool = False
    """Rows that arrive in key order make the index cheaper to fill."""
    infinite_times: bool = False
    """Timestamps may be infinite."""
    partial_indexes: bool = False
    enforces: frozenset[str] = frozenset({"not_null"})
    """Kinds of constraints that the engine enforces itself when they are declared."""
    cuts_blanks: bool = False
    """A varchar(n) takes a longer text where only blanks are too many, and cuts them."""
    views_keep_tables: bool = False
    """A view goes on with the table that it was made over, whatever that is called since."""
    finer_times: bool = False
    """Source timestamps may be finer than the microseconds that are stored."""
