"""What a stored procedure says, as plain data: two readers produce it, one machine runs it."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import inspect
import os
import pickle
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
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


FOLDER: Path | None = None
"""Where readings are kept for other processes and later sessions; none where texts with seeded defects are read."""
DAYS = 14
"""For so long."""


def kept(library: str) -> Callable[[Callable[[str], Procedure]], Callable[[str], Procedure]]:
    """A reader whose readings are kept: a parser takes seconds for a long procedure, and two processes meet the same ones.

    What it says of a text follows from the text, from the reader and from the parser's version: by these a reading is found again.
    """

    def decorate(read: Callable[[str], Procedure]) -> Callable[[str], Procedure]:
        reader = "".join(inspect.getsource(sys.modules[module]) for module in (read.__module__, __name__))
        version = importlib.metadata.version(library)

        @functools.lru_cache(maxsize=1000)
        def found(text: str) -> Procedure:
            if FOLDER is None:
                return read(text)
            file = FOLDER / hashlib.sha256("\0".join((reader, version, text)).encode()).hexdigest()
            with contextlib.suppress(FileNotFoundError):
                known: Procedure = pickle.loads(file.read_bytes())
                os.utime(file)
                return known
            made = read(text)
            part = file.with_suffix(f".{os.getpid()}")
            part.write_bytes(pickle.dumps(made))
            part.replace(file)  # whole or not at all, whoever else reads the same text
            return made

        return found

    return decorate


def forget_old(folder: Path) -> None:
    """Readings of texts that nobody generates any more."""
    for file in folder.iterdir():
        if file.stat().st_mtime < time.time() - DAYS * 86_400:
            file.unlink(missing_ok=True)


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
