"""What a stored procedure says, as plain data: two readers produce it, one machine runs it."""

from __future__ import annotations

from dataclasses import dataclass


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


class Unsupported(Exception):
    """The text uses something that this reader or machine does not know: never guess, never skip."""
