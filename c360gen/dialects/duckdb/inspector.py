"""The catalog of DuckDB: it prints views and constraints anew, gives constraints names of its own, and knows no rights."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from c360gen.dialects.inspector import Printing, union
from c360gen.dialects.names import Names

COLUMN = """
SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.is_nullable, c.character_maximum_length, c.numeric_precision,
       c.numeric_scale
FROM information_schema.columns AS c
WHERE c.table_catalog = current_database() AND :place
"""
CONSTRAINT = """
SELECT c.schema_name AS table_schema, c.table_name, c.constraint_text AS column_name, c.constraint_type AS data_type,
       c.constraint_text AS definition
FROM duckdb_constraints() AS c
WHERE :place AND c.constraint_type <> 'NOT NULL'
"""
INDEX = """
SELECT c.schema_name AS table_schema, c.table_name, c.index_name AS column_name,
       CASE WHEN c.is_unique THEN 'UNIQUE INDEX' ELSE 'INDEX' END AS data_type, c.expressions AS definition
FROM duckdb_indexes() AS c
WHERE :place
"""
VIEW = """
SELECT c.schema_name AS table_schema, c.view_name AS table_name, SUBSTRING(c.sql, POSITION(' AS ' IN c.sql) + 4) AS definition
FROM duckdb_views() AS c
WHERE :place AND NOT c.internal
"""
MACRO = """
SELECT c.schema_name AS table_schema, c.function_name AS table_name, '' AS definition
FROM duckdb_functions() AS c
WHERE :place AND c.function_type = 'table_macro'
"""
"""Whether it is there: DuckDB keeps a macro as a tree."""


class DuckDBInspector(Printing):
    kinds = ("column", "constraint", "index", "view", "routine")

    def rows(self, names: Names) -> Iterable[exp.Select]:
        yield self.arm("column", COLUMN, self.among("c.table_schema", names.schemas))
        here = self.condition("c.database_name = current_database()")
        place = exp.and_(here, self.among("c.schema_name", names.schemas))
        yield from self._printed(place)
        yield self.arm("routine", MACRO, place)

    def specimen_rows(self) -> exp.Query:
        return union(self._printed(self.condition("c.database_name = 'temp'")))

    def _printed(self, place: exp.Expr) -> Iterable[exp.Select]:
        return (self.arm(kind, text, place) for kind, text in {"constraint": CONSTRAINT, "index": INDEX, "view": VIEW}.items())
