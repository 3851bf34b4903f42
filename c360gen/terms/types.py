"""Canonical column types: one short list that means the same on every engine.

Timestamps are UTC with microseconds. `timestamptz` is an instant; `timestamp` is a wall clock without zone.
"""

from __future__ import annotations

import re
from functools import cache

from sqlglot import exp

T = exp.DataType.Type

_WORDS: dict[str, exp.DType] = {
    "text": T.TEXT, "string": T.TEXT, "varchar": T.TEXT, "character varying": T.TEXT,
    "smallint": T.SMALLINT, "int2": T.SMALLINT,
    "integer": T.INT, "int": T.INT, "int4": T.INT,
    "bigint": T.BIGINT, "int8": T.BIGINT, "int64": T.BIGINT,
    "numeric": T.DECIMAL, "decimal": T.DECIMAL, "number": T.DECIMAL, "bignumeric": T.DECIMAL,
    "double precision": T.DOUBLE, "double": T.DOUBLE, "float8": T.DOUBLE, "float64": T.DOUBLE, "float": T.DOUBLE,
    "boolean": T.BOOLEAN, "bool": T.BOOLEAN,
    "date": T.DATE,
    "timestamp": T.TIMESTAMP, "timestamp without time zone": T.TIMESTAMP, "timestamp_ntz": T.TIMESTAMP, "datetime": T.TIMESTAMP,
    "timestamptz": T.TIMESTAMPTZ, "timestamp with time zone": T.TIMESTAMPTZ,
}  # fmt: skip
KNOWN = ("bigint", "boolean", "date", "double", "integer", "numeric(p,s)", "smallint", "text", "timestamp", "timestamptz",
         "varchar(n)")  # fmt: skip
DEFAULT_NUMERIC = (38, 9)
INTEGERS = frozenset({T.SMALLINT, T.INT, T.BIGINT})
NUMBERS = INTEGERS | {T.DECIMAL, T.DOUBLE}
_CLOCK = (T.DATE, T.TIMESTAMP, T.TIMESTAMPTZ)
"""Each holds every value of the one before it."""
TIMES = frozenset(_CLOCK)
_SHAPE = re.compile(r"([a-z_][a-z0-9_ ]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?(?:\(\s*(\d)\s*\))?")


@cache
def parse(text: str) -> exp.DataType | None:
    """A `data_type` as people write it → its canonical type, or None when the word is not carried.

    `numeric` alone is numeric(38,9); `varchar` alone is text; a precision of 6 on timestamps says what is so anyway.
    """
    found = _SHAPE.fullmatch(" ".join(text.lower().split()))
    if not found or found[1] not in _WORDS:
        return None
    kind = _WORDS[found[1]]
    numbers = [int(n) for n in found.groups()[1:3] if n is not None]
    if kind is T.DECIMAL:
        precision, scale = (*numbers, 0)[:2] if numbers else DEFAULT_NUMERIC
        return numeric(precision, scale) if 1 <= precision <= 38 and scale <= precision else None
    if kind is T.TEXT and numbers:
        return _sized(T.VARCHAR, *numbers[:1]) if len(numbers) == 1 and 1 <= numbers[0] <= 65535 else None
    if numbers and not (kind in (T.TIMESTAMP, T.TIMESTAMPTZ) and numbers == [6]):
        return None
    return exp.DataType(this=kind)


def numeric(precision: int, scale: int) -> exp.DataType:
    return _sized(T.DECIMAL, precision, scale)


def _sized(kind: exp.DType, *sizes: int) -> exp.DataType:
    return exp.DataType(this=kind, expressions=[exp.DataTypeParam(this=exp.Literal.number(n)) for n in sizes])


def sizes(type_: exp.DataType) -> tuple[int, ...]:
    """numeric(12,2) → (12, 2)."""
    return tuple(int(p.this.name) for p in type_.expressions)


def text(type_: exp.DataType) -> str:
    """The canonical spelling: `numeric(12,2)`, `timestamptz`, `text`."""
    words = {T.DECIMAL: "numeric", T.INT: "integer"}
    word = words.get(type_.this, type_.this.value.lower())
    return f"{word}({','.join(map(str, sizes(type_)))})" if type_.expressions else word


def canonical(type_: exp.DataType | None) -> exp.DataType | None:
    """A type that sqlglot annotated → its canonical form, or None when it says nothing that we trust."""
    return parse(type_.sql("postgres")) if type_ is not None and type_.this is not T.UNKNOWN else None


def family(type_: exp.DataType) -> str:
    """What a column must at least be to be read as this type: integer, number, text, boolean, date, timestamp, timestamptz."""
    if type_.this in INTEGERS:
        return "integer"
    if type_.this in NUMBERS:
        return "number"
    return {T.TEXT: "text", T.VARCHAR: "text"}.get(type_.this, text(type_))


def kind(value: exp.Expr) -> exp.DType | None:
    """The kind of an expression's type, where it has one."""
    return value.type.this if value.type is not None else None


_RANKS = {T.SMALLINT: 5, T.INT: 10, T.BIGINT: 19}
"""Decimal digits of integers."""


def beyond(type_: exp.DataType) -> str | None:
    """The least positive number that is too large for it; None where a double says so itself."""
    if type_.this is T.DECIMAL:
        precision, scale = sizes(type_)
        return f"1e{precision - scale}"
    return {T.SMALLINT: str(2**15), T.INT: str(2**31), T.BIGINT: str(2**63)}.get(type_.this)


def widens(old: exp.DataType, new: exp.DataType) -> bool:
    """Whether every value of one type is a value of the other, and comes back unchanged: integer → bigint, varchar(9) → text."""
    a, b = old.this, new.this
    if a in INTEGERS and b in INTEGERS:
        return _RANKS[a] <= _RANKS[b]
    if a in INTEGERS and b is T.DECIMAL:
        return sizes(new)[0] - sizes(new)[1] >= _RANKS[a]
    if a in (T.SMALLINT, T.INT) and b is T.DOUBLE:
        return True
    if a is T.DECIMAL and b is T.DECIMAL:
        (p, s), (q, t) = sizes(old), sizes(new)
        return t >= s and q - t >= p - s
    if a is T.VARCHAR and b is T.VARCHAR:
        return sizes(old)[0] <= sizes(new)[0]
    if a is T.VARCHAR and b is T.TEXT:
        return True
    return a in _CLOCK and b in _CLOCK and _CLOCK.index(a) <= _CLOCK.index(b)


def castable(old: exp.DataType, new: exp.DataType) -> bool:
    """Whether a CAST from one type to the other means something on every engine."""
    texts = (T.TEXT, T.VARCHAR)
    if old.this in texts or new.this in texts:
        return True
    return (old.this in NUMBERS and new.this in NUMBERS) or (old.this in _CLOCK and new.this in _CLOCK)


def never(old: exp.DataType, new: exp.DataType) -> bool:
    """Whether one is a number or a truth value and the other a date or a time: no engine makes one of the other."""
    values = (*NUMBERS, T.BOOLEAN)
    return (old.this in values and new.this in _CLOCK) or (old.this in _CLOCK and new.this in values)


BIGINT, TEXT, BOOLEAN, DATE = (exp.DataType(this=t) for t in (T.BIGINT, T.TEXT, T.BOOLEAN, T.DATE))
TIMESTAMP, TIMESTAMPTZ = exp.DataType(this=T.TIMESTAMP), exp.DataType(this=T.TIMESTAMPTZ)
RUN_ID = exp.DataType(this=T.UUID)
"""The id of a run: bigint where a sequence gives it, 36 characters elsewhere. No user column has this type."""
