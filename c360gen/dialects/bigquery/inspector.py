"""INFORMATION_SCHEMA of BigQuery: each data set has its own, and who may do what is asked thing by thing, in the region of the target."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from c360gen.dialects.inspector import Inspector
from c360gen.dialects.names import Names

COLUMN = "SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.is_nullable FROM x AS c"
CONSTRAINT = """
SELECT c.table_schema, c.table_name, c.constraint_name AS column_name, c.constraint_type AS data_type, k.columns AS definition
FROM x AS c
LEFT JOIN (
      SELECT u.table_name, u.constraint_name, STRING_AGG(u.column_name, ', ' ORDER BY u.ordinal_position) AS columns
      FROM y AS u
      GROUP BY u.table_name, u.constraint_name) AS k
  ON k.table_name = c.table_name AND k.constraint_name = c.constraint_name
"""
VIEW = "SELECT c.table_schema, c.table_name, c.view_definition AS definition FROM x AS c"
ON_SCHEMA = """
SELECT c.object_name AS table_schema, '' AS table_name, c.grantee AS column_name, c.privilege_type AS data_type
FROM x AS c
WHERE :place
"""
ON_OBJECT = """
SELECT c.object_schema AS table_schema, c.object_name AS table_name, c.grantee AS column_name, c.privilege_type AS data_type
FROM x AS c
WHERE :place
"""


class BigQueryInspector(Inspector):
    kinds = ("column", "constraint", "view", "grant")

    def rows(self, names: Names) -> Iterable[exp.Select]:
        for schema in names.schemas:
            yield self.arm("column", COLUMN, x=self._of(schema, "COLUMNS", names))
            keyed = {"x": self._of(schema, "TABLE_CONSTRAINTS", names), "y": self._of(schema, "KEY_COLUMN_USAGE", names)}
            yield self.arm("constraint", CONSTRAINT, **keyed)
            yield self.arm("view", VIEW, x=self._of(schema, "VIEWS", names))
        rights = self._rights(names)
        for schema in names.schemas:
            yield self.arm("grant", ON_SCHEMA, self.among("c.object_name", [schema]), x=rights)
        for _, address in self.dialect.relations(names, names.project.nodes.values()):
            one = exp.and_(self.among("c.object_schema", [address.schema]), self.among("c.object_name", [address.name]))
            yield self.arm("grant", ON_OBJECT, one, x=rights)

    def implied(self, privilege: str, grantee: str) -> bool:
        """Whoever made it owns it, and every data set knows the project's owners, editors and viewers."""
        return privilege == "roles/bigquery.dataOwner" or grantee.startswith(("projectOwner:", "projectEditor:", "projectViewer:"))

    def _of(self, schema: str, view: str, names: Names) -> exp.Table:
        """project.dataset.INFORMATION_SCHEMA.view"""
        return self._view(self.dialect.identifier(schema), view, names)

    def _rights(self, names: Names) -> exp.Table:
        """project.`region-us`.INFORMATION_SCHEMA.OBJECT_PRIVILEGES"""
        region = f"region-{(names.target.location or 'US').lower()}"
        return self._view(exp.to_identifier(region, quoted=True), "OBJECT_PRIVILEGES", names)

    def _view(self, within: exp.Identifier, view: str, names: Names) -> exp.Table:
        made = exp.Dot(this=exp.to_identifier("INFORMATION_SCHEMA"), expression=exp.to_identifier(view))
        project = self.dialect.environment_name(names.database) if names.database else None
        return exp.Table(this=made, db=within, catalog=project)
