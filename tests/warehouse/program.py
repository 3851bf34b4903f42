"""What a stored procedure says, as plain data: two readers produce it, one machine runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Node:
    line: int


@dataclass(frozen=True)
class Declare(Node):
    names: tuple[str, ...]
    type: str | None
    default: str | None


@dataclass(frozen=True)
class DeclareError(Node):  # Snowflake: name EXCEPTION (-20001, 'message')
    name: str
    message: str


@dataclass(frozen=True)
class Assign(Node):
    names: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Sql(Node):
    text: str
    into: tuple[str, ...] = ()


@dataclass(frozen=True)
class If(Node):
    arms: tuple[tuple[str | None, tuple[Node, ...]], ...]  # ELSE has condition None


@dataclass(frozen=True)
class Loop(Node):
    condition: str | None
    body: tuple[Node, ...]


@dataclass(frozen=True)
class Jump(Node):
    where: str  # break | continue


@dataclass(frozen=True)
class Return(Node):
    value: str | None


@dataclass(frozen=True)
class Raise(Node):
    error: str | None = None  # a declared error
    message: str | None = None  # an expression


@dataclass(frozen=True)
class Call(Node):
    name: str
    arguments: tuple[str, ...]
    into: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transaction(Node):
    verb: str  # begin | commit | rollback


@dataclass(frozen=True)
class Block(Node):
    body: tuple[Node, ...]
    handlers: tuple[tuple[frozenset[str], tuple[Node, ...]], ...] = ()


@dataclass(frozen=True)
class Immediate(Node):
    variable: str  # whose value is a block


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    mode: str = "in"
    default: str | None = None


@dataclass(frozen=True)
class Procedure:
    name: str
    parameters: tuple[Parameter, ...]
    body: Block


@dataclass(frozen=True)
class Unread:
    """A procedure of which the name is known: like a warehouse, the machine reads its body when it is called."""

    name: str
    read: Callable[[], Procedure]


def shifted(program: Any, by: int) -> Any:
    """The same program some lines further down a file."""
    if isinstance(program, tuple):
        return tuple(shifted(p, by) for p in program)
    if isinstance(program, Procedure):
        return replace(program, body=shifted(program.body, by))
    if isinstance(program, Node):
        values = {f.name: shifted(getattr(program, f.name), by) for f in fields(program)}
        return replace(program, **{**values, "line": program.line + by})
    return program


class Unsupported(Exception):
    """The text uses something that this reader or machine does not know: never guess, never skip."""
