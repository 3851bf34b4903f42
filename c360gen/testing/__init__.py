"""Executed tests of a project: data tests in a database, scenarios in an empty one of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from c360gen.diagnostics import Span

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Result:
    """How one test ended; `detail` are the rows that tell why, as a table."""

    name: str
    status: Status
    span: Span
    seconds: float = 0.0
    message: str = ""
    detail: str = ""
