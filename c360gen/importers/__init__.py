"""Projects of other tools, and databases, as specs: what is carried over, and a note of everything that is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from c360gen.diagnostics import Diagnostic

Verdict = Literal["decide", "differs", "left out", "compiled", "said otherwise"]
"""Somebody has to look before the first build; it means something else here; it is not there any more; its SQL is what dbt made of macros;
it is there in other words."""


@dataclass(frozen=True, order=True)
class Note:
    """What became of one thing that is not carried over as it was."""

    verdict: Verdict
    where: str
    """File of the other project, and the line where it is known."""
    what: str
    why: str


@dataclass(frozen=True)
class Imported:
    """Files of specs by their path below the folder of the project, the notes, and what is wrong with the specs as they are."""

    files: Mapping[str, bytes]
    notes: tuple[Note, ...]
    problems: tuple[Diagnostic, ...] = ()
