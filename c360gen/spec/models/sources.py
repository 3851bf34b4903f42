"""`sources:`: tables of others, which are read and never created."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from c360gen.spec.models.columns import Column
from c360gen.spec.models.words import Names, Spec


class SourceTable(Spec):
    name: str
    identifier: str | None = None
    description: str = ""
    columns: tuple[Column, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}


class Source(Spec):
    name: str
    description: str = ""
    database: str | None = None
    schema_: str | None = Field(None, alias="schema")
    tables: tuple[SourceTable, ...] = ()
    tags: Names = ()
    meta: dict[str, Any] = {}
