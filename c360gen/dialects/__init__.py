"""How each engine says it: one folder per dialect, found by its name."""

from __future__ import annotations

import importlib
from functools import cache

from c360gen.dialects.base import Dialect


@cache
def get(name: str) -> Dialect:
    """postgres → its Dialect; imported only when it is asked for."""
    module = importlib.import_module(f"{__name__}.{name}")
    dialect: Dialect = module.DIALECT
    return dialect
