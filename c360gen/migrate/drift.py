"""The database against the released state: what somebody changed by hand. A pure function of what the catalog says."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.errors import SqlglotError

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.migrate.state import State, with_retired
from c360gen.ops.change import Stored
from c360gen.ops.schema import ColumnDef

COLUMNS = (
    "table_schema", "table_name", "column_name", "data_type", "is_nullable",
    "character_maximum_length", "numeric_precision", "numeric_scale",
)  # fmt: skip
"""What is asked of INFORMATION_SCHEMA.COLUMNS, and the header of a dumped file."""


@dataclass(frozen=True)
class Catalog:
    """What a database says of its tables; None: nobody asked, as with a dumped file."""

    columns: Mapping[tuple[str, str], Mapping[str, Mapping[str, str]]]
    """(schema, table) → column → data_type and so on; names in lower case on Snowflake."""
    indexes: Collection[str] | None = None
    routines: Mapping[str, Collection[str]] | None = None
    """schema.name → the bodies of all procedures and functions of that name."""


@dataclass(frozen=True, order=True)
class Drift:
    object: str
    what: str


class BadDump(Exception):
    """A dumped catalog that cannot be read; the message says why."""


def of_rows(rows: Iterable[Mapping[str, object]], fold: bool) -> Mapping[tuple[str, str], Mapping[str, Mapping[str, str]]]:
    """Rows of the catalog by table; Snowflake's names are in upper case unless they were quoted."""
    found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    for row in rows:
        said = {k.lower(): "" if v is None else str(v) for k, v in row.items() if k is not None}
        names = [said[n] for n in COLUMNS[:3]]
        schema, table, column = (n.lower() if fold and n.isupper() else n for n in names)
        found.setdefault((schema, table), {})[column] = said
    return found


def of_dump(text: str, fold: bool) -> Catalog:
    """A CSV file with the columns of COLUMNS → Catalog. Raise BadDump."""
    reader = csv.DictReader(io.StringIO(text))
    names = {n.lower() for n in reader.fieldnames or ()}
    if missing := [n for n in COLUMNS[:5] if n not in names]:
        raise BadDump(f"it has no column {', '.join(missing)}; its first line must name {', '.join(COLUMNS)}")
    return Catalog(of_rows(reader, fold))


def query(dialect: Dialect, names: Names) -> str:
    """The SELECT whose rows are a dump."""
    wanted = ", ".join(f"c.{n}" for n in COLUMNS if dialect.name != "bigquery" or n in COLUMNS[:5])
    if dialect.name == "bigquery":
        project = dialect.environment_name(str(names.database)).sql("bigquery")
        arms = [f"SELECT {wanted} FROM {project}.{dialect.quote(s)}.INFORMATION_SCHEMA.COLUMNS AS c" for s in names.schemas]
        return "\nUNION ALL ".join(arms)
    listed = ", ".join(dialect.string_escape(s.upper() if dialect.name == "snowflake" else s) for s in names.schemas)
    place = f"{dialect.environment_name(names.database).sql(dialect.name)}.information_schema" if names.database else "information_schema"
    return f"SELECT {wanted} FROM {place}.columns AS c WHERE c.table_schema IN ({listed})"


def compare(state: State, catalog: Catalog, names: Names, dialect: Dialect, texts: Collection[str]) -> list[Drift]:
    """Everything that is not as released; `texts` are the generated files, in which the bodies of routines stand."""
    found: list[Drift] = []
    for node in state.nodes.values():
        for table in node.tables:
            found += _table(with_retired(state, table), catalog, names, dialect)
            if catalog.indexes is not None:
                for name, _ in table.indexes:
                    if name not in catalog.indexes:
                        found.append(Drift(f"{table.schema}.{table.name}", f"index {name} is missing"))
    for kept in state.retired_tables:
        if (names.schema(kept.schema), kept.name) not in catalog.columns:
            found.append(Drift(kept.path, "the retired table is missing"))
    if catalog.routines is not None:
        for routine in state.routines:
            plain = routine.path.replace('"', "")
            bodies = catalog.routines.get(plain)
            if not bodies:
                found.append(Drift(plain, f"{routine.kind.lower()} is missing"))
            elif not all(any(b.strip() in t for t in texts) for b in bodies):
                found.append(Drift(plain, f"{routine.kind.lower()} has another text than the generated one"))
    return sorted(set(found))


def _table(table: Stored, catalog: Catalog, names: Names, dialect: Dialect) -> Iterable[Drift]:
    label = f"{table.schema}.{table.name}"
    there = catalog.columns.get((names.schema(table.schema), table.name))
    if there is None:
        yield Drift(label, "table is missing")
        return
    for column in table.columns:
        said = there.get(column.name)
        if said is None:
            yield Drift(f"{label}.{column.name}", "column is missing")
            continue
        wanted, is_ = _canonical(dialect.type(column.type), dialect), _canonical(_typed(said), dialect)
        if wanted != is_:
            yield Drift(f"{label}.{column.name}", f"type is {is_}, not {wanted}")
        if dialect.name != "bigquery" and _null(said) is column.not_null and not _implied(table, column):
            yield Drift(f"{label}.{column.name}", "may be NULL" if column.not_null else "may not be NULL")
    for name in there:
        if not table.has(name):
            yield Drift(f"{label}.{name}", "column is not ours")


def _null(said: Mapping[str, str]) -> bool:
    return said["is_nullable"].upper() in ("YES", "TRUE")


def _implied(table: Stored, column: ColumnDef) -> bool:
    """A column of a primary key may not be NULL, whether that is said or not."""
    return not column.not_null and column.name in table.primary_key


def _typed(said: Mapping[str, str]) -> str:
    """data_type with its length or precision, which some catalogs keep beside it."""
    kind = said["data_type"]
    if "(" in kind:
        return kind
    if kind.lower() in ("character varying", "varchar") and said.get("character_maximum_length"):
        return f"{kind}({said['character_maximum_length']})"
    if kind.lower() in ("numeric", "number", "decimal") and said.get("numeric_precision"):
        return f"{kind}({said['numeric_precision']}, {said.get('numeric_scale') or 0})"
    return kind


def _canonical(kind: str, dialect: Dialect) -> str:
    """Both spellings of one type as one text."""
    try:
        made = exp.DataType.build(kind, dialect=dialect.name)
    except (SqlglotError, ValueError):
        return kind.upper()
    if made.this not in (exp.DType.DECIMAL, exp.DType.BIGDECIMAL, exp.DType.VARCHAR):
        made = exp.DataType(this=made.this)
    if made.this is exp.DType.VARCHAR and (dialect.name != "postgres" or not made.expressions):
        made = exp.DataType(this=exp.DType.TEXT)
    return made.sql("postgres")
