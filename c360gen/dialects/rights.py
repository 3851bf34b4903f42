"""Who may do what, as data: the shell grants.sql.j2 prints it, and drift compares a database with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from c360gen.dialects.names import Address

Kind = Literal["DATABASE", "SCHEMA", "TABLE", "VIEW", "FUNCTION", "PROCEDURE"]


@dataclass(frozen=True)
class Grant:
    """One GRANT: a privilege on objects of one kind, to a role as the target calls it. A schema is an address without a name."""

    privilege: str
    kind: Kind
    objects: tuple[Address, ...]
    to: str
    arguments: str = ""
    """Types of a routine's arguments."""


@dataclass(frozen=True)
class Rights:
    """What a role gets, and why, as a comment says it."""

    said: str
    grants: tuple[Grant, ...]
