"""The catalog of Postgres: pg_get_constraintdef and its kin print what is there, and print a specimen in the same way."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from c360gen.dialects.inspector import Printing, union
from c360gen.dialects.names import Names

COLUMN = """
SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.is_nullable, c.character_maximum_length, c.numeric_precision,
       c.numeric_scale
FROM information_schema.columns AS c
WHERE :place
"""
CONSTRAINT = """
SELECT n.nspname AS table_schema, c.relname AS table_name, k.conname AS column_name,
       CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'x' THEN 'EXCLUDE'
            ELSE 'CHECK' END AS data_type,
       pg_get_constraintdef(k.oid) AS definition
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE :place AND k.contype IN ('p', 'u', 'f', 'x', 'c')
"""
INDEX = """
SELECT n.nspname AS table_schema, c.relname AS table_name, i.relname AS column_name,
       CASE WHEN x.indisunique THEN 'UNIQUE INDEX' ELSE 'INDEX' END AS data_type,
       SUBSTRING(pg_get_indexdef(i.oid) FROM POSITION(' USING ' IN pg_get_indexdef(i.oid)) + 1)
       || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END AS definition
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE :place AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
"""
VIEW = """
SELECT n.nspname AS table_schema, c.relname AS table_name, pg_get_viewdef(c.oid) AS definition
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE :place AND c.relkind = 'v'
"""
ROUTINE = """
SELECT n.nspname AS table_schema, p.proname AS table_name, p.prosrc AS definition
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE :place
"""
GRANTEE = """
COALESCE((SELECT r.rolname FROM pg_catalog.pg_roles AS r WHERE r.oid = a.grantee), 'PUBLIC') AS column_name,
CASE WHEN a.is_grantable THEN 'YES' ELSE 'NO' END AS is_nullable,
CASE WHEN a.grantee = {owner} OR EXISTS (SELECT 1 FROM pg_catalog.pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper)
     THEN 'implied' END AS definition
"""
ON_SCHEMA = f"""
SELECT n.nspname AS table_schema, '' AS table_name, a.privilege_type AS data_type, {GRANTEE.format(owner="n.nspowner")}
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS a
WHERE :place AND NOT EXISTS (
      SELECT 1 FROM pg_catalog.pg_init_privs AS p CROSS JOIN LATERAL pg_catalog.aclexplode(p.initprivs) AS b
      WHERE p.objoid = n.oid AND p.classoid = CAST('pg_catalog.pg_namespace' AS REGCLASS) AND b.grantee = a.grantee
        AND b.privilege_type = a.privilege_type)
"""
ON_RELATION = f"""
SELECT n.nspname AS table_schema, c.relname AS table_name, a.privilege_type AS data_type, {GRANTEE.format(owner="c.relowner")}
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
WHERE :place AND c.relkind IN ('r', 'p', 'v')
"""
ON_COLUMN = f"""
SELECT n.nspname AS table_schema, c.relname AS table_name, a.privilege_type || ' (' || t.attname || ')' AS data_type,
       {GRANTEE.format(owner="c.relowner")}
FROM pg_catalog.pg_attribute AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) AS a
WHERE :place AND c.relkind IN ('r', 'p', 'v') AND NOT t.attisdropped
"""
ON_ROUTINE = f"""
SELECT n.nspname AS table_schema, p.proname AS table_name, a.privilege_type AS data_type, {GRANTEE.format(owner="p.proowner")}
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) AS a
WHERE :place
"""


class PostgresInspector(Printing):
    kinds = ("column", "constraint", "index", "view", "routine", "grant")
    tells_lengths = True

    def rows(self, names: Names) -> Iterable[exp.Select]:
        yield self.arm("column", COLUMN, self.among("c.table_schema", names.schemas))
        place = self.among("n.nspname", names.schemas)
        for kind, text in {"constraint": CONSTRAINT, "index": INDEX, "view": VIEW, "routine": ROUTINE}.items():
            yield self.arm(kind, text, place)
        for text in (ON_SCHEMA, ON_RELATION, ON_COLUMN, ON_ROUTINE):
            yield self.arm("grant", text, place)

    def specimen_rows(self) -> exp.Query:
        place = self.condition("n.oid = pg_catalog.pg_my_temp_schema()")
        return union(self.arm(kind, text, place) for kind, text in {"constraint": CONSTRAINT, "index": INDEX, "view": VIEW}.items())

    def role(self, name: str) -> str:
        plain = name if self.dialect.environment_name(name).quoted else name.lower()
        return "PUBLIC" if plain == "public" else plain

    def open_to_all(self, names: Names) -> set[tuple[str, str]]:
        """Table functions, which read with their caller's rights, and what tells whether a run lives."""
        functions = self.dialect.functions(names, names.project.nodes.values())
        return {(a.schema, a.name) for a, _ in functions} | {(names.control, "run_is_alive")}
