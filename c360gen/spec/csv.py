"""A CSV file → rows of fields with their places. RFC 4180 and nothing beyond it.

Not Python's csv: it does not tell an empty field, which is NULL here, from an empty text in quotes, nor where a field stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from c360gen.diagnostics import Diagnostics, Span
from c360gen.spec.yaml import SqlText


@dataclass(frozen=True)
class Field:
    """A value as written; None where nothing is, not even quotes."""

    text: str | None
    span: Span


def parse(text: SqlText, delimiter: str, diagnostics: Diagnostics, *, padded: bool = False) -> list[tuple[Field, ...]] | None:
    """'id,name\n1,""\n2,\n' → (id, name), (1, ''), (2, None); empty lines are left out. None, and a diagnostic, where it is not CSV.

    `padded`: blanks around fields only make columns stand below each other.
    """
    written, place = text.text, text.span
    blanks = " *" if padded else ""
    plain, quoted = rf'[^"{re.escape(delimiter)}\n]*', r'"[^"]*(?:""[^"]*)*"'
    one = re.compile(rf"{blanks}({quoted}|{plain}){blanks}({re.escape(delimiter)}|\n|\Z)")
    rows: list[tuple[Field, ...]] = []
    row: list[Field] = []
    at = 0
    while at < len(written) or row:
        found = one.match(written, at)
        if found is None:
            at += len(written[at:]) - len(written[at:].lstrip(" ")) if padded else 0
            message, wrong, help = _why(written, at, re.compile(quoted), re.compile(plain))
            diagnostics.error("C101", message, place(wrong, wrong + 1), help)
            return None
        raw, at = found[1].rstrip(" ") if padded else found[1], found.end()
        value = raw[1:-1].replace('""', '"') if raw.startswith('"') else raw or None
        row.append(Field(value, place(found.start(1), found.start(1) + len(raw))))
        if found[2] != delimiter:
            if len(row) > 1 or raw:
                rows.append(tuple(row))
            row = []
    return rows


def _why(text: str, at: int, quoted: re.Pattern[str], plain: re.Pattern[str]) -> tuple[str, int, str]:
    """What is wrong with the field that begins at `at`, where, and what to do."""
    double = 'quote the whole field, and double the quotes in it: "6"" pipe"'
    if text[at] != '"':
        return "a quote stands in the middle of a field", plain.match(text, at).end(), double  # type: ignore[union-attr]
    if closed := quoted.match(text, at):
        return "something stands behind the closing quote", closed.end(), double
    return "this quote is not closed", at, "close it, or double it where it is a part of the text"
