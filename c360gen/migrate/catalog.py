"""The catalog of a database as plain data: from rows that were just read, or from a file that somebody dumped."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from c360gen.dialects.inspector import COLUMNS, Inspector

Place = tuple[str, str]
"""(schema, name), in lower case where the engine folds names to upper case; the name is empty for the schema itself."""


class BadDump(Exception):
    """A dumped catalog that cannot be read; the message says why."""


@dataclass(frozen=True)
class Part:
    """A constraint or an index of a table: what kind, and the text of it as far as the catalog knows one."""

    kind: str
    definition: str


@dataclass(frozen=True)
class Granted:
    """One privilege of one grantee; `implied`: nobody granted it, or it adds nothing, as with the owner's and a superuser's."""

    at: Place
    privilege: str
    grantee: str
    grantable: bool = False
    implied: bool = False


@dataclass
class Catalog:
    """What a database says of itself; `asked` are the kinds of rows that it was asked for."""

    asked: frozenset[str]
    columns: dict[Place, dict[str, Mapping[str, str]]] = field(default_factory=dict)
    constraints: dict[Place, dict[str, Part]] = field(default_factory=dict)
    indexes: dict[Place, dict[str, Part]] = field(default_factory=dict)
    views: dict[Place, str] = field(default_factory=dict)
    routines: dict[Place, list[str]] = field(default_factory=dict)
    grants: list[Granted] = field(default_factory=list)


def of_rows(rows: Iterable[Mapping[str, object]], inspector: Inspector, kinds: Iterable[str]) -> Catalog:
    """Rows of an inspector's query → Catalog. A row without a kind is a column, as all rows once were."""
    found = Catalog(frozenset(kinds))
    for row in rows:
        said = {k.lower(): "" if v is None else str(v) for k, v in row.items() if k is not None}
        kind, part, definition = said.get("kind") or "column", said["column_name"], said.get("definition", "")
        at = (_name(said["table_schema"], inspector), _name(said["table_name"], inspector))
        if kind == "column":
            found.columns.setdefault(at, {})[_name(part, inspector)] = said
        elif kind in ("constraint", "index"):
            parts = found.constraints if kind == "constraint" else found.indexes
            parts.setdefault(at, {})[_name(part, inspector)] = Part(said["data_type"], definition)
        elif kind == "view":
            found.views[at] = definition
        elif kind == "routine":
            found.routines.setdefault(at, []).append(definition)
        elif kind == "grant":
            implied = definition == "implied" or inspector.implied(said["data_type"], part)
            found.grants.append(Granted((at[0], _bare(at[1])), said["data_type"], part, said["is_nullable"].upper() == "YES", implied))
        else:
            raise BadDump(f"it has a row of the kind {kind}, which this c360gen does not know")
    return found


def of_dump(text: str, inspector: Inspector) -> Catalog:
    """A CSV file with the columns of COLUMNS → Catalog. One without `kind` holds columns only. Raise BadDump."""
    reader = csv.DictReader(io.StringIO(text))
    names = {n.lower() for n in reader.fieldnames or ()}
    wanted = COLUMNS[:5] if "kind" not in names else (*COLUMNS[:5], "definition")
    if missing := [n for n in wanted if n not in names]:
        raise BadDump(f"it has no column {', '.join(missing)}; its first line must name {', '.join(COLUMNS)}")
    found = of_rows(reader, inspector, inspector.kinds if "kind" in names else ("column",))
    empty = {k for k, rows in {"view": found.views, "grant": found.grants}.items() if not rows}
    found.asked -= empty  # of a deployed target both have rows: where there is none, nobody asked
    return found


def _name(name: str, inspector: Inspector) -> str:
    """Snowflake's names are in upper case unless they were quoted."""
    return name.lower() if inspector.folds and name.isupper() else name


def _bare(name: str) -> str:
    """RUN_HISTORY(TIMESTAMP_NTZ) → RUN_HISTORY: of a routine, the name."""
    return name.partition("(")[0].strip('"') if name.endswith(")") else name
