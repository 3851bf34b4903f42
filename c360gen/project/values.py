"""A text as people write a value → the one spelling that every engine reads as that value of a type. Nothing is rounded, cut or guessed."""

from __future__ import annotations

import datetime as dt
import re

from sqlglot import exp

from c360gen.terms import types
from c360gen.terms.types import T

_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?")
_DOUBLE = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?(Z|[+-]\d\d(?::?\d\d)?)?")
_BITS = {T.SMALLINT: 16, T.INT: 32, T.BIGINT: 64}


class NotAValue(Exception):
    """The text is not a value of the type; the message says of what it is none, and how one is written."""


def canonical(text: str, type_: exp.DataType) -> str:
    """'+007', integer → '7'; '2026-01-01T02:00+02:00', timestamptz → '2026-01-01 00:00:00'. Raise NotAValue."""
    kind = type_.this
    if kind in (T.TEXT, T.VARCHAR):
        return _text(text, type_)
    if kind in _BITS:
        return _integer(text, type_)
    if kind is T.DECIMAL:
        return _decimal(text, type_)
    if kind is T.DOUBLE:
        if not _DOUBLE.fullmatch(text):
            raise NotAValue("is not a number such as 0.25 or 1e-3")
        if abs(float(text)) == float("inf"):
            raise NotAValue("is out of the range of double")
        return repr(float(text))
    if kind is T.BOOLEAN:
        if text.lower() not in ("true", "false"):
            raise NotAValue("is neither true nor false")
        return text.lower()
    return _date(text) if kind is T.DATE else _time(text, zoned=kind is T.TIMESTAMPTZ)


def _text(text: str, type_: exp.DataType) -> str:
    if "\0" in text:
        raise NotAValue("holds a NUL character, which Postgres cannot store")
    (longest,) = types.sizes(type_) or (len(text),)
    if len(text) > longest:
        raise NotAValue(f"is {len(text)} characters long; {types.text(type_)} holds {longest}")
    return text


def _integer(text: str, type_: exp.DataType) -> str:
    if not _INTEGER.fullmatch(text):
        raise NotAValue("is not a whole number")
    if not -(2 ** (_BITS[type_.this] - 1)) <= int(text) < 2 ** (_BITS[type_.this] - 1):
        raise NotAValue(f"is out of the range of {types.text(type_)}")
    return str(int(text))


def _decimal(text: str, type_: exp.DataType) -> str:
    if not _DECIMAL.fullmatch(text):
        raise NotAValue("is not a number such as 12.50")
    precision, scale = types.sizes(type_)
    whole, _, decimals = text.lstrip("+-").partition(".")
    whole, decimals = whole.lstrip("0"), decimals.rstrip("0")
    if len(decimals) > scale or len(whole) > precision - scale:
        raise NotAValue(f"does not fit into {types.text(type_)}")
    sign = "-" if text.startswith("-") and (whole or decimals) else ""
    return f"{sign}{whole or '0'}" + (f".{decimals}" if decimals else "")


def _date(text: str) -> str:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise NotAValue("is not a date such as 2026-01-31") from None


def _time(text: str, *, zoned: bool) -> str:
    found = _TIME.fullmatch(text)
    example = "2026-01-31 02:00:00+00:00" if zoned else "2026-01-31 02:00:00"
    try:
        if found is None:
            raise ValueError
        at = dt.datetime.fromisoformat(text)
    except ValueError:
        raise NotAValue(f"is not a time such as {example}") from None
    if at.tzinfo is not None and not zoned:
        raise NotAValue("has an offset, which a timestamp without zone would lose")
    if at.tzinfo is not None:
        try:
            at = at.astimezone(dt.UTC).replace(tzinfo=None)
        except OverflowError:
            raise NotAValue("is out of the range of times") from None
    return at.isoformat(sep=" ")
