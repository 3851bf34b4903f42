"""CREATE TABLE, INDEX and VIEW as trees: the parts that engines have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.ops.schema import ColumnDef, CreateTable, CreateView, StageTable, TableConstraint
from c360gen.ops.shell import Piece
from c360gen.terms import symbols


def column_definition(dialect: Dialect, column: ColumnDef, extra: Sequence[exp.Expr] = ()) -> exp.ColumnDef:
    constraints = [exp.ColumnConstraint(kind=exp.NotNullColumnConstraint())] if column.not_null else []
    constraints += [exp.ColumnConstraint(kind=e) for e in extra]
    kind = dialect.data_type(dialect.type(column.type))
    return exp.ColumnDef(this=dialect.identifier(column.name), kind=kind, constraints=constraints)


def create_table(
    dialect: Dialect, op: CreateTable, address: Address, *, enforced: bool, checks: bool = True, named_key: bool = True,
    column_extra: Callable[[ColumnDef], Sequence[exp.Expr]] = lambda c: (), properties: Sequence[exp.Expr] = (),
    declares: Sequence[str] = (), names: Names | None = None,
) -> exp.Create:  # fmt: skip
    """CREATE TABLE IF NOT EXISTS: a table that holds data is never replaced."""
    parts: list[exp.Expr] = [column_definition(dialect, c, column_extra(c)) for c in op.columns]
    if op.primary_key:
        options = [] if enforced else ["NOT ENFORCED"]
        key = exp.PrimaryKey(expressions=[dialect.identifier(k) for k in op.primary_key], options=options)
        parts.append(exp.Constraint(this=dialect.identifier(_name(address, "pk")), expressions=[key]) if named_key else key)
    if enforced and checks:
        for left, right in op.ordered:
            condition = exp.LT(this=exp.Column(this=dialect.identifier(left)), expression=exp.Column(this=dialect.identifier(right)))
            check = exp.CheckColumnConstraint(this=condition)
            parts.append(exp.Constraint(this=dialect.identifier(_name(address, "interval_ck")), expressions=[check]))
    parts += [_constraint(dialect, c, enforced, names) for c in op.constraints if c.kind in declares and names is not None]
    return exp.Create(
        this=exp.Schema(this=dialect.table(address), expressions=parts), kind="TABLE", exists=True,
        properties=exp.Properties(expressions=list(properties)) if properties else None,
    )  # fmt: skip


def create_stage(dialect: Dialect, op: StageTable, names: Names) -> exp.Create:
    """CREATE OR REPLACE TEMPORARY TABLE."""
    columns: list[exp.Expr] = [column_definition(dialect, c) for c in op.columns]
    return exp.Create(
        this=exp.Schema(this=dialect.stage_table_name(names.own(f"stage_{op.node}")), expressions=columns), kind="TABLE", replace=True,
        properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
    )  # fmt: skip


def _constraint(dialect: Dialect, one: TableConstraint, enforced: bool, names: Names) -> exp.Constraint:
    """CONSTRAINT name UNIQUE (a, b), CHECK (a >= 0), FOREIGN KEY (a) REFERENCES other (b)."""
    options = [] if enforced else ["NOT ENFORCED"]
    columns = [dialect.identifier(c) for c in one.columns]
    kind: exp.Expr
    if one.kind == "check":
        assert one.condition is not None
        kind = exp.CheckColumnConstraint(this=dialect.lower(one.condition, names))
        for column in kind.find_all(exp.Column):
            column.set("table", None)
    elif one.kind == "unique":
        if dialect.defers_unique:  # no foreign key of ours refers to it: where they would be enforced, runs look at them
            options = ["DEFERRABLE"]  # looked at when a statement ends: two rows may swap their values
        kind = exp.UniqueColumnConstraint(this=exp.Schema(expressions=columns), options=options)
    else:
        of, _, name = str(one.to).partition(":")
        there = exp.Schema(
            this=dialect.table(names.symbol("source" if of == "source" else "ref", name)),
            expressions=[dialect.identifier(c) for c in one.to_columns],
        )  # fmt: skip
        kind = exp.ForeignKey(expressions=columns, reference=exp.Reference(this=there, options=options))
    return exp.Constraint(this=dialect.identifier(symbols.cut(one.name)), expressions=[kind])


def _name(address: Address, suffix: str) -> str:
    return symbols.cut(f"{address.name}_{suffix}")


def create_view(dialect: Dialect, op: CreateView, names: Names, *, properties: Sequence[exp.Expr] = ()) -> exp.Create:
    """CREATE OR REPLACE VIEW."""
    return exp.Create(
        this=dialect.table(names.node(op.of, op.name)), kind="VIEW", replace=True, expression=dialect.lower(op.query, names),
        properties=exp.Properties(expressions=list(properties)) if properties else None,
    )  # fmt: skip


def commented_view(dialect: Dialect, op: CreateView, names: Names) -> list[Piece]:
    """A view, and its comments as statements of their own."""
    return [create_view(dialect, op, names), *comments(dialect, "VIEW", names.node(op.of, op.name), op.description, op.columns)]


def comments(dialect: Dialect, kind: str, address: Address, description: str, columns: Sequence[ColumnDef]) -> list[exp.Expr]:
    """COMMENT ON for a table or view and its columns, where they are statements of their own."""
    found: list[exp.Expr] = []
    if description:
        found.append(exp.Comment(this=dialect.table(address), kind=kind, expression=exp.Literal.string(description)))
    for column in columns:
        if column.description:
            at = exp.Column(
                this=dialect.identifier(column.name), table=dialect.identifier(address.name), db=dialect.identifier(address.schema)
            )
            found.append(exp.Comment(this=at, kind="COLUMN", expression=exp.Literal.string(column.description)))
    return found
