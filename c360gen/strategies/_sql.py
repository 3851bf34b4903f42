"""Small builders that strategies share; every name they print is quoted later by the dialect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import cast

from sqlglot import exp

from c360gen.ops.schema import ROW_ADDRESS, ColumnDef, Traits
from c360gen.project.nodes import Column, Node, Snapshot
from c360gen.terms import symbols, types
from c360gen.terms.symbols import column, variable

ACTION, ROW, PARTITION = "c360_action", ROW_ADDRESS, "c360_partition"


def reading(node: Snapshot, alias: str) -> exp.Table:
    """What a snapshot reads, as a relation: a source, a node, or its own SQL."""
    kind, _, name = str(node.relation).partition(":")
    return symbols.relation(cast(symbols.Kind, kind), name, alias)


def step(name: str, alias: str) -> exp.Table:
    """A step of the statement, WITH name AS (…), as a table."""
    alias_ = exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    return exp.Table(this=exp.to_identifier(name, quoted=True), alias=alias_)


def literal(text: str) -> exp.Literal:
    return exp.Literal.string(text)


def named(value: exp.Expr, name: str) -> exp.Alias:
    """value AS name; unlike sqlglot's alias_, a subquery keeps its own alias apart."""
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def zero() -> exp.Expr:
    return exp.Literal.number(0)


def every(conditions: Iterable[exp.Expr]) -> exp.Expr:
    return exp.and_(*(exp.Paren(this=c) if isinstance(c, exp.Or) else c for c in conditions), wrap=False)


def any_of(conditions: Iterable[exp.Expr]) -> exp.Expr:
    return exp.or_(*conditions, wrap=False)


def is_null(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value, expression=exp.null())


def not_null(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value, expression=exp.Not(this=exp.null()))


def differs(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.NullSafeNEQ(this=left, expression=right)


def equal(left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return exp.EQ(this=left, expression=right)


def joined(names: Sequence[str], left: str, right: str) -> exp.Expr:
    """(a, b), "t", "s" → t.a = s.a AND t.b = s.b."""
    return every(equal(column(n, left), column(n, right)) for n in names)


_STAND_INS = {
    types.T.TEXT: "", types.T.VARCHAR: "", types.T.BOOLEAN: False, types.T.DATE: "1970-01-01", types.T.TIMESTAMP: "1970-01-01 00:00:00",
}  # fmt: skip


def same_key(node: Node, left: str, right: str) -> exp.Expr:
    """t.a = s.a; of a nullable column COALESCE(t.a, '') = COALESCE(s.a, '') AND (t.a IS NULL) = (s.a IS NULL).

    IS NOT DISTINCT FROM would read better, but a FULL JOIN refuses it, and where it is taken it is a nested loop.
    """
    return every(same_part(node, name, column(name, left), column(name, right)) for name in node.key)


def same_part(node: Node, name: str, ours: exp.Column, theirs: exp.Column) -> exp.Expr:
    """Whether two columns have the same value of one column of the node's key."""
    if name not in node.nullable_key:
        return equal(ours, theirs)
    both_null = equal(exp.Paren(this=is_null(ours.copy())), exp.Paren(this=is_null(theirs.copy())))
    return every([equal(stand_in(node, name, ours), stand_in(node, name, theirs)), both_null])


def stand_in(node: Node, name: str, at: exp.Column) -> exp.Expr:
    """COALESCE(key, a value of its type): equal for all NULLs; whether it was NULL is asked beside it."""
    kind = known(node.column(name).type)
    value = _STAND_INS.get(kind.this, 0)
    other: exp.Expr
    if kind.this is types.T.TIMESTAMPTZ:
        other = instant(dt.datetime(1970, 1, 1))
    elif kind.this in (types.T.DATE, types.T.TIMESTAMP):
        other = exp.cast(literal(str(value)), kind.copy())
    else:
        other = exp.convert(value)
    return exp.func("COALESCE", at, other)


def clock() -> exp.Expr:
    """The time by the clock of the engine."""
    found = exp.CurrentTimestamp()
    found.meta["clock"] = True
    return found


def address(traits: Traits, table: str) -> exp.Column:
    """The physical place of a row of a table."""
    return exp.Column(this=exp.to_identifier(str(traits.row_address)), table=exp.to_identifier(table, quoted=True))


def instant(utc: dt.datetime) -> exp.Expr:
    """A time in UTC → a timestamptz constant; the dialect writes its offset."""
    text = literal(f"{utc.replace(tzinfo=None).isoformat(sep=' ')}+00")
    text.meta["instant"] = True
    return exp.cast(text, types.TIMESTAMPTZ.copy())


def case(*arms: tuple[exp.Expr, exp.Expr], otherwise: exp.Expr | None = None) -> exp.Case:
    return exp.Case(ifs=[exp.If(this=when, true=then) for when, then in arms], default=otherwise)


def action_is(*names: str, table: str | None = None) -> exp.Expr:
    at = column(ACTION, table)
    if len(names) == 1:
        return equal(at, literal(names[0]))
    return exp.In(this=at, expressions=[literal(n) for n in names])


def count_where(condition: exp.Expr, alias: str) -> exp.Alias:
    """COUNT(CASE WHEN … THEN 1 END): never NULL over no rows, unlike a sum or COUNT_IF somewhere."""
    counted = exp.Count(this=case((condition, exp.Literal.number(1))))
    return named(counted, alias)


def order(*values: exp.Expr, desc: bool = False) -> exp.Order:
    """ORDER BY values that are never NULL."""
    found = []
    for value in values:
        ordered = exp.Ordered(this=value, desc=desc or None)
        ordered.meta["never_null"] = True
        found.append(ordered)
    return exp.Order(expressions=found)


def window(function: exp.Expr, by: Iterable[exp.Expr], ordered: exp.Order | None = None, *, up_to_here: bool = False) -> exp.Window:
    """function OVER (PARTITION BY … ORDER BY …); `up_to_here`: over the rows before this one, and itself."""
    frame = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW") if up_to_here else None
    return exp.Window(this=function, partition_by=list(by), order=ordered, spec=frame)


def groupable(column_: Column, value: exp.Expr) -> exp.Expr:
    """The value of a column in PARTITION BY, marked where it is a float: BigQuery takes none there."""
    value = value.unalias().copy()
    if known(column_.type).this is types.T.DOUBLE:
        value.meta["grouped"] = True
    return value


def beyond_watermark(cursor: Column, table: str, traits: Traits) -> exp.Expr:
    """start < cursor <= as_of; all up to as_of where there is no watermark yet; and NULLs, for the guard.

    The watermark was stored: a finer cursor would lie beyond it for ever."""
    at, type_ = stored(cursor, table, traits), known(cursor.type)
    start: exp.Expr = variable("window_start")
    if type_ != types.TIMESTAMPTZ:
        start = exp.cast(start, type_.copy())
    after = any_of([is_null(variable("window_start")), exp.GT(this=at, expression=start)])
    until = exp.LTE(this=as_time(at.copy(), type_), expression=variable("as_of"))
    return any_of([exp.Paren(this=every([after, until])), is_null(at.copy())])


def star_count(alias: str) -> exp.Alias:
    return named(exp.Count(this=exp.Star()), alias)


def several() -> exp.Expr:
    """COUNT(*) > 1."""
    return exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1))


def greater_than_zero(*names: str) -> exp.Expr:
    return exp.GT(this=plus(*names), expression=zero())


def for_real(counted: str) -> exp.Expr:
    """Whether there is something to do, and it is no dry run."""
    return every([greater_than_zero(counted), exp.Not(this=variable("dry_run"))])


def plus(*names: str) -> exp.Expr:
    total: exp.Expr = variable(names[0])
    for name in names[1:]:
        total = exp.Add(this=total, expression=variable(name))
    return total


def as_time(value: exp.Expr, type_: exp.DataType | None) -> exp.Expr:
    """A date or wall-clock column as an instant: both are UTC by declaration."""
    if type_ == types.TIMESTAMPTZ:
        return value
    value.type = type_.copy() if type_ is not None else None  # so that a dialect can say UTC where its cast would ask the session
    return exp.cast(value, types.TIMESTAMPTZ.copy())


def partition(node: Node, table: str) -> exp.Expr:
    """COALESCE(DATE_TRUNC('MONTH', day), a time at which no partition begins): the partition of a row, that of NULL included."""
    at = column(str(node.partition_by), table)
    kind = known(node.column(str(node.partition_by)).type)
    at.type = kind.copy()
    wall = partition_type(node)
    begin = exp.TimestampTrunc(this=at if kind == wall else exp.cast(at, wall.copy()), unit=exp.Var(this=node.partition_size.upper()))
    nowhere = dt.datetime(1970, 1, 1, 0, 0, 1)
    return exp.func("COALESCE", begin, instant(nowhere) if wall == types.TIMESTAMPTZ else exp.cast(literal(str(nowhere)), wall.copy()))


def partition_type(node: Node) -> exp.DataType:
    """An instant's partition begins at an instant, that of a date or a wall clock at a wall clock."""
    return types.TIMESTAMPTZ if node.column(str(node.partition_by)).type == types.TIMESTAMPTZ else types.TIMESTAMP


def stored(column_: Column, table: str, traits: Traits) -> exp.Expr:
    """The value of a source's column as it will be stored: compared otherwise, a finer one would differ from its own copy on every run."""
    at = column(column_.name, table)
    kind = known(column_.type)
    if kind.this in (types.T.DECIMAL, types.T.DOUBLE) or (traits.finer_times and kind.this in (types.T.TIMESTAMP, types.T.TIMESTAMPTZ)):
        return exp.cast(at, kind.copy())
    if traits.cuts_blanks and kind.this is types.T.VARCHAR and (sizes := types.sizes(kind)):
        length, most = exp.Length(this=at), exp.Literal.number(sizes[0])
        fits = exp.LTE(this=exp.Length(this=exp.Trim(this=at.copy(), position="TRAILING")), expression=most)
        blanks = every([exp.GT(this=length, expression=most.copy()), fits])
        return case((blanks, exp.Left(this=at.copy(), expression=most.copy())), otherwise=at.copy())
    return at


def as_stored(column_: Column, table: str, traits: Traits) -> exp.Expr:
    """That value under the name of the column."""
    value = stored(column_, table, traits)
    return value if isinstance(value, exp.Column) else named(value, column_.name)


def insert(into: exp.Table, names: Sequence[str], query: exp.Query) -> exp.Insert:
    target = exp.Schema(this=into, expressions=[exp.to_identifier(n, quoted=True) for n in names])
    return exp.Insert(this=target, expression=query)


def key_sample(node: Node, where: exp.Expr) -> exp.Query:
    """Up to five keys of the staged rows that meet a condition, as one text: `17; 18; 23`."""
    return sample(exp.select(named(key_text(node, "s"), "c360_key")).from_(symbols.relation("stage", node.name, "s")).where(where))


def key_text(node: Node, table: str) -> exp.Expr:
    """The key of a row as people read it: `17` or `17, NULL`."""
    texts = (exp.func("COALESCE", exp.cast(column(k, table), types.TEXT.copy()), literal("NULL")) for k in node.key)
    return concat(*texts, separator=", ")


def concat(*parts: exp.Expr, separator: str = "") -> exp.Expr:
    """a || b, or a || ', ' || b."""
    woven = [piece for part in parts for piece in (literal(separator), part)][1:] if separator else parts
    return reduce(lambda left, right: exp.DPipe(this=left, expression=right, safe=True), woven)


def listed(value: exp.Expr, by: exp.Expr, separator: str = "; ") -> exp.Expr:
    """The texts of all rows as one, in an order."""
    order = exp.Order(this=value, expressions=[exp.Ordered(this=by, nulls_first=False)])
    return exp.GroupConcat(this=order, separator=literal(separator))


def sample(found: exp.Select) -> exp.Query:
    """Up to five texts of a query's only column c360_key, as one."""
    found = found.distinct().order_by(exp.Ordered(this=column("c360_key"), nulls_first=False)).limit(5)
    keys = listed(column("c360_key", "k"), column("c360_key", "k"))
    return exp.select(named(keys, "c360_sample")).from_(found.subquery("k"))


def stage_columns(node: Node) -> tuple[ColumnDef, ...]:
    return tuple(ColumnDef(c.name, known(c.type)) for c in node.columns)


def known(type_: exp.DataType | None) -> exp.DataType:
    assert type_ is not None, "resolve lets no persisted column through without a type"
    return type_


def definitions(node: Node, not_null: Iterable[str] = ()) -> tuple[ColumnDef, ...]:
    must = set(not_null)
    return tuple(ColumnDef(c.name, known(c.type), c.name in must, c.description) for c in node.columns)
