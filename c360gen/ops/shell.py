"""What only carries statements: a jinja2 template of the package, and what goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp


@dataclass(frozen=True)
class Shell:
    """A template, by its path in the package, and its values: text, trees, other shells, lists of them."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


Piece = exp.Expr | Shell
