"""Tables of a database as `sources:`, as its own catalog tells them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from c360gen.importers import yaml as written
from c360gen.importers.types import data_type
from c360gen.project.adoption import SQLMESH
from c360gen.project.columns import fold
from c360gen.spec.schema import FILE as SCHEMA_FILE

_CATALOG = ("table_schema", "table_name", "column_name", "data_type", "character_maximum_length", "numeric_precision", "numeric_scale")


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    """(name, type as the engine says it)."""


def query(schema: str, table: str | None = None) -> exp.Select:
    """What asks DuckDB or Postgres for the columns of a schema's tables and views, or of one of them."""
    columns = exp.table_("columns", db="information_schema", alias="c")
    found = exp.select(*(exp.column(n, "c") for n in _CATALOG)).from_(columns)
    found = found.where(exp.column("table_schema", "c").eq(exp.Literal.string(schema)))
    if table is not None:
        found = found.where(exp.column("table_name", "c").eq(exp.Literal.string(table)))
    return found.order_by(exp.column("table_name", "c"), exp.column("ordinal_position", "c"))


def names() -> exp.Select:
    """What asks for the schema and the name of everything with columns that is not the engine's own."""
    found = exp.select("c.table_schema", "c.table_name").distinct().from_(exp.table_("columns", db="information_schema", alias="c"))
    return found.where(exp.not_(exp.column("table_schema", "c").isin("information_schema", "pg_catalog")))


def tables(rows: Iterable[Sequence[Any]]) -> list[Table]:
    """Its answer."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, *word in rows:
        found.setdefault((str(schema), str(table)), []).append((str(column), _word(*map(str, word))))
    return [Table(schema, name, tuple(columns)) for (schema, name), columns in found.items()]


def sources(found: Iterable[Table], dialect: str) -> str:
    """A file of specs; of what is not carried it says so."""
    by_schema: dict[str, list[Table]] = {}
    for table in found:
        by_schema.setdefault(table.schema, []).append(table)
    section = [_source(schema, tables, schema, dialect) for schema, tables in by_schema.items()]
    return written.text({"sources": section}, SCHEMA_FILE) + _not_carried((t for ts in by_schema.values() for t in ts), dialect)


def adopted(table: Table, dialect: str) -> str:
    """A table of dbt or SQLMesh as a source, and the block with which a snapshot goes on with it."""
    names = [name for name, _ in table.columns]
    made_by = "dbt" if "dbt_valid_from" in names or not set(SQLMESH.values()) <= set(names) else "sqlmesh"
    text = written.text({"sources": [_source(made_by, [table], table.schema, dialect)]}, SCHEMA_FILE) + _not_carried([table], dialect)
    lines = ["", "# of the snapshot that goes on with it:", "#   adopt:", f"#     relation: source('{made_by}', '{table.name}')"]
    lines += ["#     made_by: sqlmesh"] if made_by == "sqlmesh" else []
    if missing := [n for n in ("dbt_valid_from", "dbt_valid_to") if made_by == "dbt" and n not in names]:
        lines.append(f"#     snapshot_meta_column_names: {{{', '.join(f'{n}: …' for n in missing)}}}")
    return text + "\n".join(lines) + "\n"


def _source(name: str, found: Iterable[Table], schema: str, dialect: str) -> dict[str, Any]:
    listed = []
    for table in found:
        columns = []
        for column, word in table.columns:
            if type_ := data_type(word, dialect):
                quoted = {} if fold(column, False) == column else {"quote": True}
                columns.append(written.inline({"name": column, "data_type": type_, **quoted}))
        listed.append({"name": table.name, "columns": columns})
    return {"name": name, "schema": schema, "tables": listed}


def _not_carried(found: Iterable[Table], dialect: str) -> str:
    lost = [
        f"#   {_on_a_line(f'{t.name}.{name} is {word}')}\n" for t in found for name, word in t.columns if data_type(word, dialect) is None
    ]
    return "".join(["\n# left out, since their types are not carried; CAST them in a view where they are needed:\n", *lost]) if lost else ""


def _on_a_line(text: str) -> str:
    """Nothing leaves a comment, whatever a column is called."""
    return text if text.isprintable() else json.dumps(text)


def _word(word: str, length: str, precision: str, scale: str) -> str:
    """numeric, 12, 2 → numeric(12,2); DuckDB says it so already."""
    if word == "numeric" and precision != "None":
        return f"numeric({precision},{scale})"
    return f"varchar({length})" if word == "character varying" and length != "None" else word
