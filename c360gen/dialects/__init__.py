"""How each engine says it: one folder per dialect, found by its name."""

from __future__ import annotations

import importlib
from functools import cache

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.project.resolved import Resolved
from c360gen.spec.models import Target


@cache
def get(name: str) -> Dialect:
    """postgres → its Dialect; imported only when it is asked for."""
    module = importlib.import_module(f"{__name__}.{name}")
    dialect: Dialect = module.DIALECT
    return dialect


def names(project: Resolved, target_name: str, target: Target, environment: tuple[str, ...] = ()) -> Names:
    """Where the objects of a project are in a target, as far as its engine tells databases apart."""
    dialect = get(str(target.dialect))
    database = target.database if dialect.sees_databases else None
    return Names(project, target_name, target, database, dialect.reads_databases, environment)
