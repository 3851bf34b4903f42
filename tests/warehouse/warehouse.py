"""The front of the interpreter: install a deploy.sql, put rows into sources, CALL, look at tables, break things at any statement."""

from __future__ import annotations

import copy
import datetime as dt
import re
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from tests.warehouse.machine import BigQuery, Failure, Killed, Machine, Snowflake, key_columns, table_of
from tests.warehouse.program import Block, Node, Procedure, Unread

EXACT_QUOTIENT = """
CREATE MACRO main.exact_quotient(n, d) AS (
    CAST(sign(n) * sign(d) * (
        (2 * abs(CAST(CAST(n AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)) * 1000000000
            + abs(CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)))
        // (2 * abs(CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)))
    ) AS DECIMAL(38, 0)) * 0.000000001
)
"""
"""Both warehouses divide NUMERIC exactly; to nine decimals is what generated SQL asks for."""


BIGQUERY_TYPES = """CASE WHEN c.data_type LIKE '%INT%' AND c.data_type <> 'INTERVAL' THEN 'INT64' WHEN c.data_type LIKE 'DECIMAL%' THEN
    replace(c.data_type, 'DECIMAL', 'NUMERIC') WHEN c.data_type = 'DOUBLE' THEN 'FLOAT64' WHEN c.data_type = 'VARCHAR' THEN 'STRING'
    WHEN c.data_type = 'BOOLEAN' THEN 'BOOL' WHEN c.data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP'
    WHEN c.data_type LIKE 'TIMESTAMP%' THEN 'DATETIME' ELSE c.data_type END"""
SNOWFLAKE_TYPES = """CASE WHEN (c.data_type LIKE '%INT%' AND c.data_type <> 'INTERVAL') OR c.data_type LIKE 'DECIMAL%' THEN 'NUMBER'
    WHEN c.data_type = 'DOUBLE' THEN 'FLOAT' WHEN c.data_type = 'VARCHAR' THEN 'TEXT' WHEN c.data_type = 'TIMESTAMP WITH TIME ZONE' THEN
    'TIMESTAMP_TZ' WHEN c.data_type LIKE 'TIMESTAMP%' THEN 'TIMESTAMP_NTZ' ELSE c.data_type END"""


class Transaction:
    """What is open at the top of a session. With AUTOCOMMIT off every change opens it; DDL and COMMIT end it, and so does the session."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, autocommit: bool):
        self.connection, self.autocommit, self.open = connection, autocommit, False

    def takes(self, node: Node | None, statement: str, word: str) -> bool:
        """Whether this statement is about the transaction alone; for another one, open or end it. Raise Failure."""
        if word == "ALTER SESSION SET AUTOCOMMIT =":
            self.autocommit = statement.upper().rstrip(";").endswith("TRUE")
            return True
        if isinstance(node, Block):
            if self.open and re.search(r"^ +(BEGIN TRANSACTION|COMMIT|ALTER|CREATE|DROP)\b", statement, re.MULTILINE):
                raise Failure("90232: Modifying a transaction that has started at a different scope is not allowed")
        elif word == "COMMIT" or word.startswith(("CREATE", "ALTER", "DROP", "GRANT")):
            self._end("COMMIT")
        elif not self.open and (word == "BEGIN TRANSACTION" or not self.autocommit):
            self.connection.execute("BEGIN TRANSACTION")
            self.open = True
        return word in ("BEGIN TRANSACTION", "COMMIT")

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, *raised: object) -> None:
        self._end("ROLLBACK")

    def _end(self, how: str) -> None:
        if self.open:
            self.connection.execute(how)
            self.open = False


class Warehouse:
    """A database of one dialect in memory. Times of its clock are UTC; every statement moves it by a second."""

    def __init__(self, dialect: str, database: str, session_time_zone: str = "UTC"):
        self.dialect, self.database = dialect, database.lower()
        self.connection = duckdb.connect(config={"threads": 1})  # tables of ten rows: threads would only wait for each other
        self.connection.execute(f"""ATTACH ':memory:' AS "{self.database}"; USE "{self.database}"; SET TimeZone = '{session_time_zone}'""")
        self.connection.execute(EXACT_QUOTIENT)
        self.connection.execute("CREATE SCHEMA catalog_")
        self.connection.execute("CREATE TABLE catalog_.options (table_name TEXT, option_name TEXT)")
        self.connection.execute("CREATE TABLE catalog_.keys (table_schema TEXT, table_name TEXT, constraint_type TEXT, columns TEXT[])")
        upper = "UPPER(table_schema) AS table_schema, UPPER(table_name) AS table_name"  # as Snowflake spells what nobody quotes
        self.connection.execute(f"CREATE VIEW catalog_.declared AS SELECT {upper}, constraint_type FROM catalog_.keys")
        kind = BigQuery if dialect == "bigquery" else Snowflake
        self.machine: Machine = kind(self.connection, [], self.database, steps=10**9)
        self.procedures: list[Unread] = []
        self.read: dict[str, list[tuple[Node | None, str]]] = {}

    # --- the world around it ---------------------------------------------------------------------------------------------

    def execute(self, sql: str) -> None:
        """SQL of DuckDB, for test data."""
        self.connection.execute(sql)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    @property
    def clock(self) -> dt.datetime:
        return self.machine.clock

    @clock.setter
    def clock(self, value: dt.datetime) -> None:
        self.machine.clock = value

    def session(self) -> Warehouse:
        """Another session in the same database, with the same procedures and a clock of its own."""
        other = copy.copy(self)
        other.connection = self.connection.cursor()
        other.connection.execute(f"""USE "{self.database}"; SET TimeZone = 'UTC'""")
        other.machine = type(self.machine)(other.connection, self.procedures, self.database, steps=10**9)
        other.clock = self.clock
        return other

    # --- deploy.sql ------------------------------------------------------------------------------------------------------

    def install(self, text: str, autocommit: bool = True) -> None:
        """Execute a deploy.sql; its procedures can be called afterwards. Raise Failure where its guard refuses."""
        with Transaction(self.connection, autocommit) as transaction:
            for node, statement in self._statements(text):
                word = " ".join(statement.upper().split()[:5])
                if transaction.takes(node, statement, word):
                    continue
                if word.startswith(("CREATE OR REPLACE PROCEDURE",)):
                    continue
                if isinstance(node, Block):
                    self._anonymous(node)
                elif word.startswith("CREATE SCHEMA"):
                    self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {statement.rstrip(';').split('.')[-1].split()[-1].strip('`')}")
                elif word.startswith(("CREATE TABLE", "CREATE OR REPLACE VIEW")):
                    self._create(statement)
                elif word.startswith(("INSERT INTO", "ALTER TABLE")):
                    tree = self.machine.bind(self.machine.parse(statement), script=False)
                    self._known()
                    self.machine.execute(self.connection, tree)
                elif word.startswith(("CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE TABLE FUNCTION")):
                    self._function(statement)
                elif not word.startswith("GRANT"):
                    raise AssertionError(f"deploy.sql holds a statement that is not known here: {statement[:80]}")
        self._catalog_views()
        self.procedures = self._read(text)
        self.machine.procedures = {self.machine.path(p.name): p for p in self.procedures}

    # --- migrations --------------------------------------------------------------------------------------------------------

    def migrate(self, text: str, kill_at: int | None = None, autocommit: bool = True) -> int:
        """Execute a migration statement by statement; before the n-th the session may die. Returns how many there were."""
        self.machine.count, self.machine.failures = 0, {} if kill_at is None else {kill_at: Killed()}
        self.machine.steps = 1_000_000
        if text not in self.read:
            self.read[text] = self._statements(text)
        with Transaction(self.connection, autocommit) as transaction:
            for node, statement in self.read[text]:
                word = " ".join(statement.upper().split()[:5])
                if not isinstance(node, Block):
                    self.machine.count += 1
                    self.machine.clock += dt.timedelta(seconds=1)
                    if injected := self.machine.failures.get(self.machine.count):
                        raise injected
                    if pause := self.machine.pauses.get(self.machine.count):
                        pause()
                if transaction.takes(node, statement, word):
                    continue
                if isinstance(node, Block):
                    self._known()
                    self._anonymous(node)
                elif word.startswith(("CREATE SCHEMA",)):
                    self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {statement.rstrip(';').split('.')[-1].split()[-1].strip('`')}")
                elif word.startswith(("CREATE TABLE", "CREATE OR REPLACE VIEW")):
                    self._create(statement)
                elif word.startswith(("CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE TABLE FUNCTION")):
                    self._function(statement)
                elif word.startswith(("DROP TABLE IF EXISTS", "DROP VIEW IF EXISTS")):
                    self.connection.execute(sqlglot.parse_one(statement, read=self.dialect).sql("duckdb"))
                elif word.startswith(("INSERT", "UPDATE", "DELETE", "ALTER TABLE", "SELECT")):
                    self._known()
                    self.machine.execute(self.connection, self.machine.bind(self.machine.parse(statement), script=False))
                elif word.startswith(("DROP PROCEDURE", "DROP FUNCTION", "DROP TABLE FUNCTION")):
                    self._dropped(statement)
                elif not word.startswith(("CREATE OR REPLACE PROCEDURE", "GRANT", "ALTER TASK")):
                    raise AssertionError(f"a migration holds a statement that is not known here: {statement[:80]}")
        self._catalog_views()
        found = {p.name: p for p in self._read(text)}
        self.procedures = [*(p for p in self.procedures if p.name not in found), *found.values()]
        self.machine.procedures = {self.machine.path(p.name): p for p in self.procedures}
        return self.machine.count

    def _dropped(self, statement: str) -> None:
        name = self.machine.path(re.findall(r"EXISTS ([^(;\s]+)", statement)[0])
        self.procedures = [p for p in self.procedures if self.machine.path(p.name) != name]
        if "FUNCTION" in statement.upper():
            self.connection.execute(f"DROP MACRO TABLE IF EXISTS {name}")

    def _statements(self, text: str) -> list[tuple[Node | None, str]]:
        if self.dialect == "bigquery":
            from tests.warehouse.read_bigquery import others

            reader = others(text)
            found: list[tuple[Node | None, str]] = []
            for node in reader.script.statement_list_node.statement_list:
                is_block = type(node).__name__ in ("ASTIfStatement", "ASTBeginEndBlock")
                found.append((Block(1, (reader.statement(node),)) if is_block else None, reader.text(node)))
            return found
        from tests.warehouse import read_snowflake

        procedure = "CREATE OR REPLACE PROCEDURE"
        return [(None, p) if p.startswith(procedure) else read_snowflake.statement(p) for p, _ in read_snowflake.pieces(text)]

    def _read(self, text: str) -> list[Unread]:
        if self.dialect == "bigquery":
            from tests.warehouse import read_bigquery

            return read_bigquery.read(text)
        from tests.warehouse import read_snowflake

        return read_snowflake.read(text)

    def _create(self, statement: str) -> None:
        """CREATE TABLE or VIEW without what DuckDB does not have: options, comments, partitions, keys that are not enforced."""
        tree = sqlglot.parse_one(statement, read=self.dialect)
        tree.set("properties", None)
        primary_key = tree.find(exp.PrimaryKey)
        if isinstance(tree.this, exp.Schema):
            kept = [c for c in tree.this.expressions if isinstance(c, exp.ColumnDef)]
            for column in kept:
                not_null = [c for c in column.args.get("constraints") or [] if isinstance(c.kind, exp.NotNullColumnConstraint)]
                column.set("constraints", not_null)
                column.set(
                    "kind", exp.DataType.build(self.machine.type(str(column.kind and column.kind.sql(self.dialect))), dialect="duckdb")
                )
            tree.this.set("expressions", kept)
        sql = tree.sql("duckdb")
        self.connection.execute(sql)
        if primary_key is not None:
            place = [p.name.lower() for p in table_of(tree).parts[-2:]]
            known = "SELECT 1 FROM catalog_.keys WHERE table_schema = $1 AND table_name = $2"
            declared = f"INSERT INTO catalog_.keys SELECT $1, $2, 'PRIMARY KEY', $3 WHERE NOT EXISTS ({known})"
            self.connection.execute(declared, [*place, key_columns(primary_key)])

    def _function(self, statement: str) -> None:
        """CREATE … FUNCTION of one query → a macro; arguments are typed by whoever calls it."""
        head, body = statement.split("$$")[:2] if "$$" in statement else statement.split("\nAS (\n")
        opening = head.splitlines()[0]
        name = re.findall(r"FUNCTION (\S+?)\(", opening)[0]
        self._known()
        text = body.strip() if "$$" in statement else body.rpartition(")")[0]
        query = self.machine.place(self.machine.parse(text)).sql("duckdb")
        parameters = ", ".join(re.findall(r"\bp_\w+", opening))
        self.connection.execute(f"CREATE OR REPLACE MACRO {self.machine.path(name)}({parameters}) AS TABLE {query}")

    def _catalog_views(self) -> None:
        """INFORMATION_SCHEMA.COLUMNS as the warehouse would show it."""
        words = BIGQUERY_TYPES if self.dialect == "bigquery" else SNOWFLAKE_TYPES
        schema, table = (self._stored(f"c.{name}") for name in ("schema_name", "table_name"))
        self.connection.execute("CREATE SCHEMA IF NOT EXISTS catalog_")
        schemas = [s for (s,) in self.connection.execute("SELECT DISTINCT schema_name FROM duckdb_columns() WHERE NOT internal").fetchall()]
        for name, where in [("all", "TRUE"), *((s, f"c.schema_name = '{s}'") for s in schemas)]:
            self.connection.execute(
                f'CREATE OR REPLACE VIEW catalog_."columns_{name}" AS '
                f"SELECT {schema} AS table_schema, {table} AS table_name, c.column_name, "
                f"{words} AS data_type, c.numeric_scale, CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable "
                f"FROM duckdb_columns() AS c WHERE c.database_name = '{self.database}' AND {where}"
            )

    def lag(self) -> None:
        """From now on INFORMATION_SCHEMA.COLUMNS shows what it shows now, until `catch_up`: BigQuery does not promise more."""
        views = self.connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE schema_name = 'catalog_' AND view_name LIKE 'columns_%'"
        ).fetchall()
        for (name,) in views:
            self.connection.execute(f'CREATE OR REPLACE TABLE catalog_."old_{name}" AS FROM catalog_."{name}"')
            self.connection.execute(f'CREATE OR REPLACE VIEW catalog_."{name}" AS FROM catalog_."old_{name}"')

    def catch_up(self) -> None:
        self._catalog_views()

    def _stored(self, name: str) -> str:
        """Snowflake keeps what is not quoted in upper case."""
        plain = f"regexp_full_match({name}, '[a-z_][a-z0-9_]*')"
        return name if self.dialect == "bigquery" else f"CASE WHEN {plain} THEN UPPER({name}) ELSE {name} END"

    def _known(self) -> None:
        found = self.connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = $1 "
            "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = $1", [self.database]
        )  # fmt: skip
        self.machine.tables = frozenset(found.fetchall())

    def script(self, text: str) -> None:
        """Execute a file that is one block. Raise Failure."""
        ((node, raw),) = self._statements(text)
        if node is None:
            from tests.warehouse.read_bigquery import Reader

            reader = Reader(raw)
            node = reader.statement(reader.script.statement_list_node.statement_list[0])
        self._known()
        self.machine.steps = 100_000
        self._anonymous(node)

    def _anonymous(self, block: Node) -> None:
        assert isinstance(block, Block)
        self.machine.procedures = {"deploy.guard": Procedure("deploy.guard", (), block)}
        self.machine.call("deploy.guard")

    # --- calls -----------------------------------------------------------------------------------------------------------

    def call(self, name: str, *arguments: object, fail_at: int | None = None, kill_at: int | None = None) -> str | None:
        """CALL schema.name; at the n-th SQL statement the engine may fail, or the session may die. Raise Failure or Killed."""
        self.machine.count, self.machine.failures, self.machine.written = 0, {}, {}
        self.machine.steps = 100_000
        if fail_at is not None:
            self.machine.failures[fail_at] = Failure("injected")
        if kill_at is not None:
            self.machine.failures[kill_at] = Killed()
        return self.machine.call(name, *arguments)

    @property
    def statements(self) -> int:
        """How many SQL statements the last call ran."""
        return self.machine.count
