"""INFORMATION_SCHEMA of Snowflake: views as they were written, constraints without their columns, rights where the role may see them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from c360gen.dialects.inspector import Inspector
from c360gen.dialects.names import Names

COLUMN = """
SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.is_nullable, c.character_maximum_length, c.numeric_precision,
       c.numeric_scale
FROM x AS c
WHERE :place
"""
CONSTRAINT = """
SELECT c.table_schema, c.table_name, c.constraint_name AS column_name, c.constraint_type AS data_type
FROM x AS c
WHERE :place
"""
VIEW = "SELECT c.table_schema, c.table_name, c.view_definition AS definition FROM x AS c WHERE :place"
ON_SCHEMA = """
SELECT c.object_name AS table_schema, '' AS table_name, c.grantee AS column_name, c.privilege_type AS data_type,
       c.is_grantable AS is_nullable
FROM x AS c
WHERE :place AND c.object_type = 'SCHEMA'
"""
ON_OBJECT = """
SELECT c.object_schema AS table_schema, c.object_name AS table_name, c.grantee AS column_name, c.privilege_type AS data_type,
       c.is_grantable AS is_nullable
FROM x AS c
WHERE :place AND c.object_type IN ('TABLE', 'VIEW', 'PROCEDURE', 'FUNCTION')
"""


class SnowflakeInspector(Inspector):
    kinds = ("column", "constraint", "view", "grant")
    folds = True

    def rows(self, names: Names) -> Iterable[exp.Select]:
        schemas = [s if s != s.lower() else s.upper() for s in names.schemas]
        place = self.among("c.table_schema", schemas)
        for kind, text, table in (("column", COLUMN, "columns"), ("constraint", CONSTRAINT, "table_constraints"), ("view", VIEW, "views")):
            yield self.arm(kind, text, place, x=self._table(table, names))
        rights = self._table("object_privileges", names)
        yield self.arm("grant", ON_SCHEMA, self.among("c.object_name", schemas), x=rights)
        yield self.arm("grant", ON_OBJECT, self.among("c.object_schema", schemas), x=rights)

    def implied(self, privilege: str, grantee: str) -> bool:
        return privilege == "OWNERSHIP"

    def role(self, name: str) -> str:
        return name if self.dialect.environment_name(name).quoted else name.upper()

    def _table(self, name: str, names: Names) -> exp.Table:
        database = self.dialect.environment_name(names.database) if names.database else None
        return exp.Table(this=exp.to_identifier(name), db=exp.to_identifier("information_schema"), catalog=database)
