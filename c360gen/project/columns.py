"""Declared columns and their tests: names folded, types canonical."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from c360gen.diagnostics import Diagnostics, Span, did_you_mean, nearest_or_list
from c360gen.project.nodes import Column
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import symbols, types

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fold(name: str, quote: bool) -> str:
    """Customer_ID → customer_id, as every engine compares unquoted names; anything unusual, or quoted, stays."""
    return name.lower() if _PLAIN.fullmatch(name) and not quote else name


def named(name: str, columns: Collection[str]) -> str:
    """The column that a setting means: as it is spelled where there is such a one, else folded."""
    return name if name in columns else fold(name, False)


def find(name: str, columns: Collection[str], said: str, at: Span, diagnostics: Diagnostics) -> str:
    """The column that a setting means; one that is not there is reported, `said` being of whom and by which setting."""
    found = named(name, columns)
    if found not in columns:
        diagnostics.error("C205", f"{said} has no column {name}", at, nearest_or_list(found, columns, "columns"))
    return found


def declared_columns(
    located: Located[Any], columns: Iterable[spec.Column], loc: tuple[str | int, ...], diagnostics: Diagnostics, *, need_types: bool
) -> tuple[Column, ...]:
    """The columns of a `columns:` block; types may be missing where somebody else provides them."""
    out: dict[str, Column] = {}
    for index, column in enumerate(columns):
        at = (*loc, index)
        name = fold(column.name, column.quote)
        if not name.strip() or not name.isprintable():
            diagnostics.error("C204", "a column name must have visible characters only", located.span(*at, "name"))
        elif len(name.encode()) > symbols.LONGEST:
            message = f"column '{name[:37]}…' is {len(name.encode())} bytes long; {symbols.LONGEST} is the most"
            diagnostics.error("C204", message, located.span(*at, "name"), "Postgres would cut the name")
        if symbols.reserved(name):
            help = f"generated procedures use it themselves, as they do all names that begin with {symbols.OWN_PREFIX}"
            diagnostics.error("C204", f"column {name} has a reserved name", located.span(*at, "name"), help)
        if name.lower() in {n.lower() for n in out}:
            diagnostics.error("C108", f"column {name} is declared twice", located.span(*at, "name"))
        type_ = types.parse(column.data_type) if column.data_type is not None else None
        if column.data_type is not None and type_ is None:
            message = f"data_type {column.data_type} of column {name} is not carried"
            help = did_you_mean(column.data_type.lower(), types.KNOWN) or f"known types: {', '.join(types.KNOWN)}"
            diagnostics.error("C104", message, located.span(*at, "data_type"), help)
        elif type_ is None and need_types:
            help = "add data_type: what is stored is never guessed"
            diagnostics.error("C105", f"column {name} has no data_type", located.span(*at, "name"), help)
        told = type_ is None and (need_types or column.data_type is not None)
        out[name] = Column(name, type_, column.description.strip(), told=told)
    return tuple(out.values())
