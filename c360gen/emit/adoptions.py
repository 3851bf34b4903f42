"""What a person reads before an adoption: a query that lists the damage of the other tool's table."""

from __future__ import annotations

from c360gen.diagnostics import Diagnostics
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.emit.files import File, sql_file
from c360gen.emit.sql import print_sql
from c360gen.strategies import _sql
from c360gen.strategies._history import adoption


def files(names: Names, dialect: Dialect, diagnostics: Diagnostics) -> list[File]:
    """One file per snapshot that adopts; a table that stands where the history has to stand is a mistake."""
    found = []
    for node in names.project.snapshots:
        if node.adopts is None:
            continue
        there, here = names.symbol("source", node.adopts.source), names.node(node.name)
        if (there.schema.lower(), there.name.lower()) == (here.schema.lower(), here.name.lower()):
            message = f"{node.name} would adopt itself: {dialect.path(here)} is the table of {node.adopts.source} as well"
            help = f"rename that table first, to {here.name}_dbt for example, and declare the source with that identifier"
            diagnostics.error("C207", message, node.span, help)
        query = print_sql(dialect.lower(adoption.damage(node, _sql.clock()), names), dialect)
        title = f"damage of {node.adopts.source}, which {node.name} adopts: no row when there is none"
        path, origin = f"adoptions/{node.name}.sql", node.span.origin
        found.append(sql_file(path, f"{query};", dialect=dialect.name, title=title, origin=origin, about=node.id))
    return found
