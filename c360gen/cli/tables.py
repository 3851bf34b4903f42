"""Tables of a database, for commands that describe what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from c360gen.cli import console
from c360gen.diagnostics import nearest_or_list

if TYPE_CHECKING:
    from c360gen.engines import Session
    from c360gen.importers.database import Table


def read(session: Session, dialect: str, place: str) -> list[Table]:
    """Those of SCHEMA, or SCHEMA.TABLE; a place that is not there is C809, and exit code 1."""
    from c360gen.importers import database

    schema, dot, table = place.partition(".")
    _, rows = session.query(database.query(schema, table if dot else None).sql(dialect))
    if rows:
        return database.tables(rows)
    _, names = session.query(database.names().sql(dialect))
    there = {f"{s}.{t}" for s, t in names if s == schema} if dot else set()
    known = {s for s, _ in names} if not dot else there or {f"{s}.{t}" for s, t in names}
    nearest = nearest_or_list(place, known, "tables" if dot else "schemas with tables")
    what = f"there is no table {place}" if dot else f"there is no table in a schema '{place}'"
    console.fail("C809", what, nearest or "the database has no table that this user may see")
