"""Shells → text: strict jinja2, comments that nothing leaves, and an indentation that never touches the inside of a string."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from jinja2.ext import Extension
from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.emit.files import one_line
from c360gen.emit.sql import print_sql
from c360gen.ops.shell import Piece, Shell
from c360gen.terms.quotes import parts

_PACKAGE = Path(__file__).resolve().parent.parent


def text_of(piece: Piece, dialect: Dialect) -> str:
    """A statement with its semicolon, or a rendered shell; no newline at the end."""
    if isinstance(piece, Shell):
        return _render(piece, dialect)
    return print_sql(piece, dialect) + ";"


def joined(pieces: Iterable[Piece], dialect: Dialect) -> str:
    """Their texts, an empty line between them."""
    return "\n\n".join(text_of(p, dialect) for p in pieces)


def _render(shell: Shell, dialect: Dialect) -> str:
    values = {name: _value(value, dialect) for name, value in shell.values.items()}
    return _environment(dialect.backslashes).get_template(shell.template).render(values).strip("\n")


def _value(value: Any, dialect: Dialect) -> Any:
    if isinstance(value, exp.Expr):
        return print_sql(value, dialect)
    if isinstance(value, Shell):
        return _render(value, dialect)
    if isinstance(value, list | tuple):
        return type(value)(_value(v, dialect) for v in value)
    return value


class Comments(Extension):
    """What a shell writes behind `--` stays on that line: rules and summaries hold names and values of the specs."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"--.*", lambda found: re.sub(r"\{\{(.+?)\}\}", r"{{ (\1) | one_line }}", found[0]), source)


@cache
def _environment(backslashes: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PACKAGE), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False, auto_reload=False, keep_trailing_newline=True,
        extensions=[Comments],
    )  # fmt: skip
    environment.filters |= {
        "indent": partial(indent, backslashes=backslashes), "flat": lambda t: getattr(t, "flat", t), "comment": comment, "dollar": dollar,
        "concat": lambda a, b: [*a, *b], "in_string": in_string, "wrap": wrap, "one_line": one_line,
    }  # fmt: skip
    return environment


def comment(text: str, width: int = 112) -> str:
    """Prose → `-- ` lines."""
    return "\n".join(f"-- {line}" for line in textwrap.wrap(one_line(text), width))


def wrap(text: str, hanging: int, width: int = 110) -> str:
    """A long list of words over several lines, the later ones indented."""
    return ("\n" + " " * hanging).join(textwrap.wrap(text, width))


def dollar(body: str | Iterable[str]) -> str:
    """A dollar quote that the body does not contain: `$$`, else `$c360$`, `$c360_1$`, …"""
    text = body if isinstance(body, str) else "\n".join(body)
    return next(tag for tag in _tags() if tag not in text)


def _tags() -> Iterator[str]:
    yield from ("$$", "$c360$")
    n = 0
    while True:
        n += 1
        yield f"$c360_{n}$"


def in_string(text: str) -> str:
    """SQL as the inside of a single-quoted string."""
    return text.replace("'", "''")


def indent(text: str, width: int = 4, first: bool = False, *, backslashes: bool = False) -> str:
    """Indent every line, the first one only when asked, except lines that begin inside a quoted string or name: they are data."""
    lines = text.split("\n")
    kept = _inside(text, backslashes) | (set() if first else {0})
    return "\n".join(line if number in kept or not line else " " * width + line for number, line in enumerate(lines))


def _inside(text: str, backslashes: bool) -> set[int]:
    """The lines that begin inside a quoted string or name."""
    found: set[int] = set()
    line = 0
    for kind, part in parts(text, backslashes):
        after = line + part.count("\n")
        if kind == "quoted":
            found.update(range(line + 1, after + 1))
        line = after
    return found
