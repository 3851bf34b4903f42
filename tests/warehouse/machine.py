"""Runs procedures (program.py) on DuckDB: control flow here, each statement transpiled alone, nothing guessed.

Three kinds of trouble, never mixed:
  Failure      what a warehouse would raise too (a guard, a duplicate in MERGE, a cast); handlers may catch it
  Broken       the text is wrong (unknown column, unbound variable, DDL in a transaction); no handler sees it
  Unsupported  this machine cannot say what the warehouse would do; no handler sees it
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import sqlglot
from sqlglot import ErrorLevel, exp

from tests.warehouse.program import (
    Assign,
    Block,
    Call,
    Declare,
    DeclareError,
    If,
    Immediate,
    Jump,
    Loop,
    Node,
    Procedure,
    Raise,
    Return,
    Sql,
    Transaction,
    Unread,
    Unsupported,
)

# How Snowflake is asked to write and read dates and instants, and how DuckDB is.
SPELLED = {"YYYY-MM-DD": "%Y-%m-%d", "%Y-%m-%d": "%Y-%m-%d", "YYYY-MM-DD HH24:MI:SS.FF6": "%Y-%m-%d %H:%M:%S.%f"}
OURS = ("exact_quotient", "strftime", "strptime")
# Functions whose answer was compared with the warehouse's documentation; every other one is refused.
PROVEN = (
    exp.And,
    exp.Or,
    exp.Case,
    exp.If,
    exp.Coalesce,
    exp.Abs,
    exp.Cast,
    exp.Count,
    exp.CountIf,
    exp.Max,
    exp.Min,
    exp.Sum,
    exp.Exists,
    exp.RowNumber,
    exp.Concat,
    exp.CurrentTimestamp,
    exp.Avg,
    exp.Round,
    exp.Rank,
    exp.DenseRank,
    exp.Lag,
    exp.Lead,
    exp.Abs,
    exp.Ceil,
    exp.Floor,
    exp.Nullif,
    exp.GroupConcat,
    exp.Uuid,
    exp.CurrentUser,
    exp.SessionUser,
    exp.Translate,
    exp.DateDiff,
    exp.DateSub,
    exp.TsOrDsAdd,
    exp.Extract,
    exp.FirstValue,
    exp.LastValue,
    exp.Length,
    exp.Replace,
    exp.Substring,
    exp.Greatest,
    exp.Least,
    exp.ToChar,
    exp.Mod,
    exp.IntDiv,
    exp.TimestampSub,
    exp.TimestampAdd,
    exp.TimestampTrunc,
    exp.DateAdd,
    exp.DatetimeAdd,
    exp.DatetimeDiff,
    exp.GenerateSeries,
    exp.Timestamp,
    exp.TsOrDsToDatetime,
    exp.MD5,
    exp.Date,
    exp.Datetime,
    exp.Timestamp,
    exp.Lower,
    exp.Upper,
    exp.Trim,
    exp.Xor,
)
LOSSY = (exp.JSONExtract, exp.Bracket, exp.Command, exp.IgnoreNulls)
WRONG_TEXT = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.NotImplementedException)


LITERAL = re.compile(r"NULL|TRUE|FALSE|\d+|'[^'\\]*'")
LITERALS: dict[tuple[str, str, str], str | None] = {}
"""What they are worth, by dialect, text and type: half of what a procedure evaluates are the defaults of its variables."""
MARK = re.compile("'⟦(.*?)⟧'")
"""Where the value of a variable comes in a statement that is ready for DuckDB: as a literal, so that the text is what it always was."""


class Failure(Exception):
    def __init__(self, *said: object, error: str | None = None):
        super().__init__(*said)
        self.error = error


class Broken(Exception):
    pass


class Killed(Exception):
    """The session died here: nothing more runs, the open transaction is lost."""


class Waits(Exception):
    """Another session holds what this statement wants: here the engine would stand still."""


class Left(Exception):
    pass


@dataclass(frozen=True)
class Value:
    type: str
    text: str | None

    def sql(self) -> exp.Expr:
        inner = exp.null() if self.text is None else exp.Literal.string(self.text)
        return exp.cast(inner, exp.DataType.build(self.type, dialect="duckdb"))


@dataclass
class Frame:
    procedure: Procedure
    scopes: list[dict[str, Value]] = field(default_factory=lambda: [{}])
    errors: dict[str, str] = field(default_factory=dict)
    handling: list[Failure] = field(default_factory=list)

    def find(self, name: str) -> dict[str, Value]:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope
        raise Broken(f"undeclared variable {name}")

    def knows(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def declared(self) -> tuple[tuple[str, str], ...]:
        """The variables and their types, which decide what a name in a statement means."""
        return tuple((name, value.type) for scope in self.scopes for name, value in scope.items())


@dataclass(frozen=True)
class Ready:
    """A statement for DuckDB with marks where values come in: what procedures say again and again is made once per process."""

    tree: exp.Expr
    sql: str
    temporary: dict[str, str]
    """The temporary tables that are known after it."""
    reads: bool = True
    """Some table."""
    fixed: bool = False
    """Reads none, and asks for nothing that is new each time: it is worth the same for the same values."""
    clash: str | None = None
    """Of an UPDATE … FROM: a query that finds a row which two rows would change."""


class Kept(dict[Any, Any]):
    """What is made once; seeded defects make no end of texts, so that it begins anew when there is too much."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= 20_000:
            self.clear()
        super().__setitem__(key, value)


PARSED: dict[tuple[str, str], exp.Expr] = Kept()
READY: dict[tuple[object, ...], Ready] = Kept()
WORTH: dict[tuple[str, str], tuple[str | None, ...]] = Kept()
"""What fixed queries are worth, by time zone and text."""
Connection = duckdb.DuckDBPyConnection
Say = Callable[[str, "Value"], exp.Expr]
"""How a value stands in a statement."""


def marked(name: str, value: Value) -> exp.Expr:
    return exp.cast(exp.Literal.string(f"⟦{name}⟧"), exp.DataType.build(value.type, dialect="duckdb"))


def literally(_: str, value: Value) -> exp.Expr:
    return value.sql()


def literal(text: str | None) -> str:
    return "NULL" if text is None else f"""'{text.replace("'", "''")}'"""


def outer(query: exp.Expr, types: tuple[str, ...]) -> exp.Select:
    """A query whose values are of these types, and come as text."""
    columns = [f"c{i}" for i in range(len(types))]
    found = exp.select(*(f"CAST(CAST({c} AS {t}) AS VARCHAR)" for c, t in zip(columns, types)), dialect="duckdb")
    alias = exp.TableAlias(this=exp.to_identifier("q"), columns=list(map(exp.to_identifier, columns)))
    return found.from_(exp.Subquery(this=query, alias=alias))


def two_for_one(tree: exp.Update) -> exp.Select:
    """DuckDB takes any of several source rows in silence; BigQuery fails, Snowflake takes any: never right."""
    name = tree.this.alias_or_name
    joined = exp.select(f"{name}.rowid").from_(tree.this.copy()).join(tree.args["from_"].this.copy(), join_type="cross")
    return joined.where(tree.args["where"].this.copy()).group_by(f"{name}.rowid").having("COUNT(*) > 1").limit(1)


class Machine:
    dialect: str
    catch_all: str
    decimal: str

    def __init__(self, connection: duckdb.DuckDBPyConnection, procedures: Sequence[Procedure | Unread], database: str, steps: int = 1_000):
        self.connection, self.scratch = connection, duckdb.connect(config={"threads": 1})
        [(self.zone,)] = connection.execute("SELECT current_setting('TimeZone')").fetchall()
        self.scratch.execute(f"SET TimeZone = '{self.zone}'")
        self.procedures = {self.path(p.name): p for p in procedures}
        self.database, self.steps = database, steps
        self.clock = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        self.open: Frame | None = None  # who began the open transaction
        self.opened_at = self.clock
        self.temporary: dict[str, str] = {}
        self.rows: Value = Value("BIGINT", None)
        self.frames: list[Frame] = []
        self.failures: dict[int, Exception] = {}  # inject: n-th SQL statement → Failure(…) or Killed()
        self.pauses: dict[int, Callable[[], None]] = {}  # before the n-th SQL statement: what another session does then
        self.miscounts: set[int] = set()  # the n-th SQL statement says that it changed one row more than it did
        self.written: dict[int, str] = {}  # the n-th SQL statement changed this table
        self.behind: dict[str, str] = {}  # schema.table → what this session still reads in its place; a write finds the table itself
        self.lag = 0  # seconds of waiting until it sees what the others have committed
        self.count = 0
        self.reached: set[tuple[str, int]] = set()

    # --- procedures -------------------------------------------------------------------------------------------------

    def call(self, name: str, *arguments: object) -> str | None:
        """CALL from outside: plain values in, the returned text out; what a session's end does to an open transaction is done."""
        found = self.connection.execute("SELECT DISTINCT lower(column_name) FROM duckdb_columns() WHERE NOT internal").fetchall()
        self.columns = {name for (name,) in found}
        self.tables = frozenset(
            self.connection.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = $1 "
                "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = $1",
                [self.database],
            ).fetchall()
        )
        try:
            result, _ = self.enter(name, [Value("VARCHAR", None if a is None else str(a)) for a in arguments])
        except (Failure, Killed, Waits, Broken, Unsupported):
            self.rollback_if_open()
            raise
        if self.open:
            self.rollback_if_open()
            raise Broken(f"{name} left its transaction open")
        return result

    def rollback_if_open(self) -> None:
        if self.open:
            self.connection.execute("ROLLBACK")
            self.open = None

    def enter(self, name: str, arguments: list[Value]) -> tuple[str | None, Frame]:
        procedure = self.procedure(name)
        missing = procedure.parameters[len(arguments) :]
        if len(arguments) > len(procedure.parameters) or any(p.default is None for p in missing):
            raise Broken(f"{name} takes {len(procedure.parameters)} arguments, not {len(arguments)}")
        for parameter in missing:
            arguments = [*arguments, Value(self.type(parameter.type), self.evaluate(str(parameter.default), self.type(parameter.type)))]
        frame = Frame(procedure)
        for parameter, value in zip(procedure.parameters, arguments, strict=True):
            type_ = self.type(parameter.type)
            given = Value(value.type, None) if parameter.mode == "out" else value
            self.declare(frame, parameter.name, self.converted(given, type_))
        self.frames.append(frame)
        try:
            self.run(procedure.body)
            return None, frame
        except Left as left:
            if left.args[0] != "return":
                raise Broken(f"{left.args[0]} outside a loop") from None
            return left.args[1], frame
        finally:
            self.frames.pop()
            self.leave(frame)

    def leave(self, frame: Frame) -> None:
        pass

    def path(self, name: str) -> str:
        """schema.name, whatever the quoting and whether the database stands before it."""
        return ".".join(name.replace('"', "").replace("`", "").lower().split(".")[-2:])

    def procedure(self, name: str) -> Procedure:
        found = self.procedures.get(self.path(name))
        if found is None:
            raise Broken(f"no procedure {name}")
        return found.read() if isinstance(found, Unread) else found

    # --- statements -------------------------------------------------------------------------------------------------

    def run(self, node: Node) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise Broken("does not end")
        self.reached.add((self.frames[-1].procedure.name, node.line))
        try:
            getattr(self, "run_" + type(node).__name__.lower())(node, self.frames[-1])
        except (Failure, Broken, Unsupported) as error:
            if not getattr(error, "__notes__", None):
                error.add_note(f"at {self.frames[-1].procedure.name}, line {node.line}")
            raise

    def run_block(self, node: Block, frame: Frame) -> None:
        frame.scopes.append({})
        try:
            for child in node.body:
                self.run(child)
        except Failure as failure:
            body = next((b for names, b in node.handlers if names & {self.catch_all, failure.error}), None)
            if body is None:
                raise
            self.keep_declarations(frame)
            frame.handling.append(failure)
            try:
                for child in body:
                    self.run(child)
            finally:
                frame.handling.pop()
        finally:
            frame.scopes.pop()

    def keep_declarations(self, frame: Frame) -> None:
        frame.scopes[-1].clear()

    def run_declare(self, node: Declare, frame: Frame) -> None:
        for name in node.names:
            type_ = self.type(node.type) if node.type else self.infer(str(node.default))
            self.declare(frame, name, Value(type_, None if node.default is None else self.evaluate(node.default, type_)))

    def declare(self, frame: Frame, name: str, value: Value) -> None:
        if name in self.columns:
            raise Unsupported(f"variable {name} has the name of a column")
        if frame.knows(name):
            raise Broken(f"{name} is declared twice")
        frame.scopes[-1][name] = value

    def run_declareerror(self, node: DeclareError, frame: Frame) -> None:
        frame.errors[node.name] = node.message

    def run_assign(self, node: Assign, frame: Frame) -> None:
        scopes = [frame.find(n) for n in node.names]
        types = tuple(s[n].type for s, n in zip(scopes, node.names))
        texts = (self.evaluate(node.value, types[0]),) if len(types) == 1 else self.one_row(node.value, types, script=True)
        for scope, name, type_, text in zip(scopes, node.names, types, texts):
            scope[name] = Value(type_, text)

    def run_if(self, node: If, frame: Frame) -> None:
        for condition, body in node.arms:
            if condition is None or self.evaluate(condition, "BOOLEAN") == "true":
                for child in body:
                    self.run(child)
                return

    def run_loop(self, node: Loop, frame: Frame) -> None:
        while node.condition is None or self.evaluate(node.condition, "BOOLEAN") == "true":
            self.clock += dt.timedelta(seconds=1)  # whoever waits for a time sees it come
            try:
                for child in node.body:
                    self.run(child)
            except Left as left:
                if left.args[0] == "return":
                    raise
                if left.args[0] == "break":
                    return

    def run_jump(self, node: Jump, frame: Frame) -> None:
        raise Left(node.where)

    def run_return(self, node: Return, frame: Frame) -> None:
        raise Left("return", node.value and self.evaluate(node.value, "VARCHAR"))

    def run_raise(self, node: Raise, frame: Frame) -> None:
        if node.error is None and node.message is None:
            raise frame.handling[-1] if frame.handling else Broken("RAISE outside a handler")
        if node.error is not None and node.error not in frame.errors:
            raise Broken(f"undeclared exception {node.error}")
        said = frame.errors[node.error] if node.error else self.evaluate(str(node.message), "VARCHAR")
        raise Failure(said, error=node.error)

    def run_immediate(self, node: Immediate, frame: Frame) -> None:
        raise Unsupported("EXECUTE IMMEDIATE")

    def run_transaction(self, node: Transaction, frame: Frame) -> None:
        if node.verb == "begin":
            if self.open:
                raise Broken("BEGIN TRANSACTION inside a transaction")
            self.open, self.opened_at = frame, self.clock
        else:
            if self.open is None:  # BigQuery fails; Snowflake does when the caller has one open, which "has started at a different scope"
                raise Broken(f"{node.verb} without a transaction")
            if self.open is not frame:
                raise Unsupported(f"{node.verb} of another procedure's transaction")
            self.open = None
        self.connection.execute({"begin": "BEGIN TRANSACTION", "commit": "COMMIT", "rollback": "ROLLBACK"}[node.verb])

    def run_sql(self, node: Sql, frame: Frame) -> None:
        self.count += 1
        self.clock += dt.timedelta(seconds=1)
        if injected := self.failures.get(self.count):
            raise injected
        if pause := self.pauses.get(self.count):
            pause()
        if node.into:
            scopes = [frame.find(n) for n in node.into]
            texts = self.one_row(node.text, tuple(s[n].type for s, n in zip(scopes, node.into)), script=False)
            for scope, name, text in zip(scopes, node.into, texts):
                scope[name] = Value(scope[name].type, text)
            return
        if isinstance(self.parsed(node.text), exp.Alter):
            tree = self.bind(self.parse(node.text), script=False)
            if self.open:
                self.ddl_in_transaction(tree)
            self.execute(self.connection, tree)
            return
        ready = self.ready(node.text)
        if isinstance(ready.tree, (exp.Create, exp.Drop)) and self.open:
            self.ddl_in_transaction(ready.tree)
        if ready.clash and self.ask(self.connection, self.filled(ready.clash), node.text):
            raise Failure("UPDATE must match at most one source row for each target row")
        self.temporary.update(ready.temporary)
        rows = self.ask(self.connection, self.filled(ready.sql), node.text)
        if isinstance(ready.tree, (exp.DML, exp.TruncateTable)):
            self.rows = Value("BIGINT", str(rows[0][0] + (self.count in self.miscounts)))
            self.written[self.count] = table_of(ready.tree).name

    def ready(self, text: str, types: tuple[str, ...] = (), script: bool = False) -> Ready:
        """A statement, or with types a query of one row, as DuckDB gets it."""
        frame = self.frames[-1]
        names = (frame.declared(), self.database, self.tables, tuple(self.temporary.items()), tuple(self.behind.items()))
        known = (type(self), text, types, script, *names)
        if (found := READY.get(known)) is None:
            found = READY[known] = self.made_ready(text, types, script)
        return found

    def made_ready(self, text: str, types: tuple[str, ...], script: bool) -> Ready:
        tree = self.bind(self.parse(text), script, marked)
        if types:
            query = self.struct(tree) if script and len(types) > 1 else tree
            reads, sql = query.find(exp.Table) is not None, self.printed(outer(query, types))
            fixed = not reads and query.find(exp.Uuid) is None and "'⟦now⟧'" not in sql
            return Ready(tree, sql, {}, reads, fixed)
        clash = self.printed(two_for_one(tree)) if isinstance(tree, exp.Update) and tree.args.get("from_") else None
        sql = self.printed(tree)
        return Ready(tree, sql, dict(self.temporary), clash=clash)

    def filled(self, sql: str) -> str:
        """A statement with the values of this moment in it."""
        return MARK.sub(lambda found: literal(self.worth(found[1]).text), sql)

    def worth(self, name: str) -> Value:
        """The value of what bind() has marked."""
        if name == "now":
            return self.instant()
        if name.startswith("@@"):
            found = self.builtin(name[2:])
            assert found is not None
            return found
        return self.frames[-1].find(name)[name]

    def ddl_in_transaction(self, tree: exp.Expr) -> None:
        raise NotImplementedError

    # --- expressions ------------------------------------------------------------------------------------------------

    def evaluate(self, text: str, type_: str) -> str | None:
        if not LITERAL.fullmatch(text):
            return self.value(text, type_)
        if (known := (self.dialect, text, type_)) not in LITERALS:
            LITERALS[known] = self.value(text, type_)
        return LITERALS[known]

    def value(self, text: str, type_: str) -> str | None:
        return self.one_row(f"SELECT {text}", (type_,), script=True)[0]

    def struct(self, tree: exp.Expr) -> exp.Expr:
        raise Unsupported("assignment from a struct")

    def infer(self, text: str) -> str:
        raise Unsupported("a variable without a type")

    def one_row(self, text: str, types: tuple[str, ...], script: bool) -> tuple[str | None, ...]:
        """The only row of a query, its values in these types."""
        ready = self.ready(text, types, script)
        sql = self.filled(ready.sql)
        if ready.fixed and (self.zone, sql) in WORTH:
            return WORTH[self.zone, sql]
        rows = self.ask(self.connection if ready.reads else self.scratch, sql, text)
        if len(rows) != 1:
            raise Unsupported(f"{len(rows)} rows where one is wanted")
        if ready.fixed:
            WORTH[self.zone, sql] = rows[0]
        return rows[0]

    def converted(self, value: Value, type_: str) -> Value:
        """An argument as the parameter's type has it."""
        (row,) = self.execute(self.scratch, outer(exp.select(value.sql()), (type_,)))
        return Value(type_, row[0])

    def parsed(self, text: str) -> exp.Expr:
        if (known := (self.dialect, text)) not in PARSED:
            PARSED[known] = self.tree_of(text)
        return PARSED[known]

    def parse(self, text: str) -> exp.Expr:
        """A statement's tree, made for DuckDB; each text is parsed once."""
        return self.parsed(text).copy()

    @classmethod
    def tree_of(cls, text: str) -> exp.Expr:
        tree: Any = sqlglot.parse_one(text, read=cls.dialect)
        for node in list(tree.find_all(exp.TableFromRows)):  # TABLE(FLATTEN(INPUT => range)) AS f → UNNEST(range) AS f(value)
            series = node.find(exp.GenerateSeries)
            if series is None:
                raise Unsupported(f"FLATTEN of something else than a range: {node.sql(cls.dialect)[:60]}")
            alias = exp.TableAlias(this=node.args["alias"].this.copy(), columns=[exp.to_identifier("value")])
            node.replace(exp.Unnest(expressions=[series.copy()], alias=alias))
        for node in list(tree.find_all(exp.Unnest)):  # UNNEST([STRUCT('x' AS a), …]) AS w → (VALUES ('x'), …) AS w(a)
            if isinstance(node.expressions[0], exp.GenerateSeries):
                continue  # a range of numbers, which DuckDB has
            structs = node.expressions[0].expressions
            rows = [
                exp.Tuple(expressions=[f.expression.copy() if isinstance(f, exp.PropertyEQ) else f.this.copy() for f in s.expressions])
                for s in structs
            ]
            names = [exp.to_identifier(f.this.name if isinstance(f, exp.PropertyEQ) else f.alias) for f in structs[0].expressions]
            given = node.args["alias"]
            alias = given.this or given.columns[0]
            node.replace(exp.Values(expressions=rows, alias=exp.TableAlias(this=alias.copy(), columns=names)))
        for node in list(tree.find_all(exp.ToChar, exp.TimeToStr, exp.TsOrDsToDate)):  # how Snowflake writes and reads dates and instants
            if (spelled := SPELLED.get(node.text("format"))) is not None:
                word = "strptime" if isinstance(node, exp.TsOrDsToDate) else "strftime"
                made: exp.Expr = exp.Anonymous(this=word, expressions=[node.this, exp.Literal.string(spelled)])
                node.replace(made if word == "strftime" else exp.cast(made, exp.DataType.build("DATE")))
        for node in tree.walk():
            if isinstance(node, exp.Command) and declares_key(node):
                continue
            if isinstance(node, exp.Limit) and not (isinstance(node.parent, exp.Select) and node.parent.args.get("order")):
                raise Unsupported(f"LIMIT without ORDER BY: {node.parent and node.parent.sql(cls.dialect)[:60]}")
            series = isinstance(node, exp.Unnest) and isinstance(node.expressions[0], exp.GenerateSeries)
            unproven = isinstance(node, exp.Func) and not isinstance(node, PROVEN) and node.name not in OURS and not series
            if isinstance(node, exp.TryCast) and not node.find_ancestor(
                exp.NullSafeNEQ, exp.GTE
            ):  # DuckDB tries harder: '1.5' is a whole number
                raise Unsupported(f"a cast that is tried and not compared with what came in: {node.sql(cls.dialect)[:60]}")
            if isinstance(node, LOSSY) or unproven:
                raise Unsupported(f"not proven equal on DuckDB: {node.sql(cls.dialect)[:60]}")
            if (
                isinstance(node, exp.DataType)
                and node.this in (exp.DataType.Type.DECIMAL, exp.DataType.Type.BIGDECIMAL)
                and not node.expressions
            ):
                node.replace(exp.DataType.build(cls.decimal, dialect="duckdb"))
        for node in list(tree.find_all(exp.Date, exp.Datetime, exp.Timestamp)):  # DATE(instant, 'UTC'), TIMESTAMP(date, 'UTC')
            if not isinstance(node, exp.Timestamp) and node.args.get("zone", node.args.get("expression")) is not None:
                kind = "DATE" if isinstance(node, exp.Date) else "TIMESTAMP"
                instant = exp.AtTimeZone(this=exp.Paren(this=node.this.copy()), zone=exp.Literal.string("UTC"))
                node.replace(exp.cast(instant, exp.DataType.build(kind)))
        for node in list(tree.find_all(exp.Avg, exp.Div)):  # DuckDB would divide exact numbers as floating ones
            if isinstance(node.this, exp.Cast) and node.this.to.this in (exp.DataType.Type.DECIMAL, exp.DataType.Type.BIGDECIMAL):
                pair = (
                    [exp.Sum(this=node.this.copy()), exp.func("NULLIF", exp.Count(this=node.this.copy()), exp.Literal.number(0))]
                    if isinstance(node, exp.Avg)
                    else [node.this, node.expression]
                )
                node.replace(exp.Anonymous(this="exact_quotient", expressions=pair))
        found: exp.Expr = tree
        return found

    def type(self, text: str) -> str:
        tree = exp.DataType.build(text, dialect=self.dialect)
        return self.decimal if tree.this == exp.DataType.Type.DECIMAL and not tree.expressions else tree.sql("duckdb")

    def execute(self, connection: Connection, tree: exp.Expr) -> list[tuple[Any, ...]]:
        if isinstance(tree, exp.Alter):
            self.keep_key(connection, tree)
            if all(map(declares_key, tree.args["actions"])):
                return []  # neither engine enforces it
            whole = self.altered(tree.copy())
            for action in whole.args["actions"]:  # DuckDB takes one at a time
                one = whole.copy()
                one.set("actions", [action.copy()])
                self.ask(connection, self.printed(one), tree.sql(self.dialect))
            return []
        return self.ask(connection, self.printed(tree), tree.sql(self.dialect))

    def printed(self, tree: exp.Expr) -> str:
        return self.place(tree.copy()).sql("duckdb", unsupported_level=ErrorLevel.RAISE)

    def ask(self, connection: Connection, sql: str, said: str) -> list[tuple[Any, ...]]:
        try:
            found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
            return found
        except duckdb.TransactionException as error:
            if "Conflict" in str(error):
                raise Waits(said) from error
            raise Unsupported(f"a statement after a failed one, before ROLLBACK: {error}") from error
        except WRONG_TEXT as error:
            raise Broken(f"{error}\n{sql}") from error
        except duckdb.Error as error:
            raise Failure(str(error).splitlines()[0]) from error

    def keep_key(self, connection: Connection, tree: exp.Alter) -> None:
        """Which tables declare a primary key: an engine refuses a second one, and Snowflake to drop one that is not there."""
        place = [p.name.lower() for p in tree.this.parts[-2:]]
        known = "SELECT columns FROM catalog_.keys WHERE table_schema = $1 AND table_name = $2"
        declared = connection.execute(known, place).fetchall()
        for action in tree.args["actions"]:
            if declared:
                self.held_by_key(".".join(place), declared[0][0], action)
            if isinstance(action, exp.AlterRename):
                new = [*(p.name.lower() for p in action.this.parts[-2:])]
                moved = [*([place[0], *new][-2:]), *place]
                renamed = "UPDATE catalog_.keys SET table_schema = $1, table_name = $2 WHERE table_schema = $3 AND table_name = $4"
                connection.execute(renamed, moved)
            elif isinstance(action, exp.AddConstraint):
                if declared:
                    raise Failure(f"{'.'.join(place)} has a primary key already")
                connection.execute("INSERT INTO catalog_.keys VALUES ($1, $2, 'PRIMARY KEY', $3)", [*place, key_columns(action)])
            elif declares_key(action):
                if not declared and "IF EXISTS" not in str(action.expression):
                    raise Failure(f"{'.'.join(place)} has no primary key")
                connection.execute("DELETE FROM catalog_.keys WHERE table_schema = $1 AND table_name = $2", place)

    def held_by_key(self, table: str, columns: Sequence[str], action: exp.Expr) -> None:
        """Raise Failure where the engine refuses a change because of a primary key."""

    def altered(self, tree: exp.Alter) -> exp.Alter:
        """ALTER TABLE in DuckDB's words: its types, a new name without its schema; another schema is beyond it."""
        for action in tree.args["actions"]:
            if isinstance(action, exp.AlterRename):
                if action.this.db and action.this.db.lower() != tree.this.db.lower():
                    raise Unsupported("a table that moves to another schema")
                action.set("this", action.this.this.copy())
            elif isinstance(action, exp.ColumnDef):
                action.set("kind", exp.DataType.build(self.type(action.args["kind"].sql(self.dialect)), dialect="duckdb"))
            elif isinstance(action, exp.AlterColumn) and action.args.get("dtype") is not None:
                action.set("dtype", exp.DataType.build(self.type(action.args["dtype"].sql(self.dialect)), dialect="duckdb"))
            elif isinstance(action, exp.AlterColumn) and not action.args.get("drop"):
                action.set("allow_null", True)  # SET NOT NULL, which sqlglot reads and does not print otherwise
        return tree

    def place(self, tree: exp.Expr) -> exp.Expr:
        """database.schema.table as it is; temporary tables, which DuckDB keeps in one schema, by their own name."""
        target = tree.find(exp.Table) if isinstance(tree, exp.Create) else None
        if target is not None and tree.find(exp.TemporaryProperty):
            self.temporary[key(target)] = "__".join(p.name for p in target.parts[-2:])
        common = {c.alias_or_name.lower() for c in tree.find_all(exp.CTE)}
        written = table_of(tree) if isinstance(tree, exp.DML) else None
        for table in list(tree.find_all(exp.Table)):
            if table is not written and (old := self.behind.get(self.path(key(table)))) is not None:
                schema, _, name = old.partition(".")
                table.replace(exp.Table(this=exp.to_identifier(name), db=exp.to_identifier(schema), alias=table.args.get("alias")))
            elif key(table).endswith("information_schema.columns"):
                table.replace(self.columns_of(table))
            elif key(table).endswith("information_schema.table_options"):
                table.replace(exp.Table(this=exp.to_identifier("options"), db=exp.to_identifier("catalog_"), alias=table.args.get("alias")))
            elif key(table).endswith("information_schema.table_constraints"):
                declared, alias = exp.to_identifier("declared"), table.args.get("alias")
                table.replace(exp.Table(this=declared, db=exp.to_identifier("catalog_"), alias=alias))
            elif isinstance(table.this, exp.Identifier) and key(table) in self.temporary:
                table.set("this", exp.to_identifier(self.temporary[key(table)]))
                table.set("db", exp.to_identifier("main"))
                table.set("catalog", exp.to_identifier("temp"))
            elif table.catalog and table.catalog.lower() != self.database:
                raise Broken(f"another database: {table.sql()}")
            elif table.catalog and isinstance(table.this, exp.Identifier) and table is not target and not self.exists(table):
                raise Broken(f"no table {table.sql(self.dialect)}: BigQuery's table names, and Snowflake's quoted ones, keep their case")
            elif not table.catalog and table.name.lower() not in common:
                raise Broken(f"unqualified table {table.sql()}")
        return tree

    def columns_of(self, table: exp.Table) -> exp.Table:
        """INFORMATION_SCHEMA.COLUMNS in the warehouse's words: views that Warehouse makes, on BigQuery one per dataset."""
        schema = table.db if self.dialect == "bigquery" else "all"
        return exp.Table(
            this=exp.to_identifier(f"columns_{schema}", quoted=True), db=exp.to_identifier("catalog_"), alias=table.args.get("alias")
        )

    def exists(self, table: exp.Table) -> bool:
        raise NotImplementedError

    def instant(self) -> Value:
        return Value("TIMESTAMPTZ", self.clock.isoformat(sep=" "))

    def builtin(self, name: str) -> Value | None:
        raise NotImplementedError

    def bind(self, tree: exp.Expr, script: bool, say: Say = literally) -> exp.Expr:
        raise NotImplementedError


def declares_key(action: exp.Expr) -> bool:
    """ADD or DROP PRIMARY KEY; sqlglot knows the second as text."""
    return isinstance(action, exp.AddConstraint) or (isinstance(action, exp.Command) and "PRIMARY KEY" in str(action.expression))


def key_columns(tree: exp.Expr) -> list[str]:
    """The columns of a PRIMARY KEY (…)."""
    found = tree.find(exp.PrimaryKey)
    assert found is not None
    return [c.name for c in found.expressions]


def table_of(tree: exp.Expr) -> exp.Table:
    """What a statement changes, which stands first in it."""
    found = tree.find(exp.Table)
    assert found is not None
    return found


def key(table: exp.Table) -> str:
    return ".".join(p.name for p in table.parts).lower()


class BigQuery(Machine):
    dialect, catch_all, decimal = "bigquery", "error", "DECIMAL(38, 9)"

    def type(self, text: str) -> str:
        tree = exp.DataType.build(text, dialect="bigquery")
        return self.decimal if tree.this == exp.DataType.Type.BIGDECIMAL and not tree.expressions else super().type(text)

    def exists(self, table: exp.Table) -> bool:
        return (table.db, table.name) in self.tables

    def builtin(self, name: str) -> Value:
        if name == "row_count":
            return self.rows
        if name == "script.job_id":
            return Value("VARCHAR", "job")
        if name == "error.message":
            handling = self.frames[-1].handling
            return Value("VARCHAR", str(handling[-1]) if handling else None)
        raise Unsupported(f"@@{name}")

    def held_by_key(self, table: str, columns: Sequence[str], action: exp.Expr) -> None:
        if isinstance(action, exp.AlterRename):
            raise Failure(f"{table}: tables with primary key constraints can't be renamed")
        retyped = isinstance(action, exp.AlterColumn) and action.args.get("dtype") is not None
        if (retyped or isinstance(action, exp.RenameColumn)) and action.this.name in columns:
            raise Failure(f"{table}.{action.this.name}: a part of the primary key can't be renamed, or have its type changed")

    def instant(self) -> Value:  # "CURRENT_TIMESTAMP returns the time at which the transaction began"
        return Value("TIMESTAMPTZ", (self.opened_at if self.open else self.clock).isoformat(sep=" "))

    def bind(self, tree: exp.Expr, script: bool, say: Say = literally) -> exp.Expr:
        """SELECT v_rows, @@row_count → SELECT CAST('3' AS BIGINT), CAST('3' AS BIGINT)"""

        def built_in(name: str) -> exp.Expr:
            return say(f"@@{name}", self.builtin(name))

        def step(node: Any) -> Any:
            if isinstance(node, exp.Dot) and isinstance(node.this, exp.Parameter):
                return built_in(f"{node.this.this.this.name}.{node.expression.name}".lower())
            if isinstance(node, exp.Parameter):
                if not isinstance(node.this, exp.Parameter):
                    raise Unsupported(f"query parameter {node.sql()}")
                return built_in(node.this.this.name.lower())
            if isinstance(node, exp.Column) and not node.table and self.frames and self.frames[-1].knows(node.name.lower()):
                return say(node.name.lower(), self.frames[-1].find(node.name.lower())[node.name.lower()])
            if isinstance(node, exp.CurrentTimestamp):
                return say("now", self.instant())
            if isinstance(node, exp.SessionUser):
                return exp.Literal.string("tester")
            return node

        bound: exp.Expr = tree.transform(step)
        return bound

    def struct(self, tree: exp.Expr) -> exp.Expr:
        query = tree.this if isinstance(tree, exp.Subquery) else tree
        if not (isinstance(query, exp.Select) and query.args.get("kind") == "STRUCT"):
            raise Unsupported("SET (a, b) = without SELECT AS STRUCT")
        query.set("kind", None)
        return query

    def run_call(self, node: Call, frame: Frame) -> None:
        procedure = self.procedure(node.name)
        outs = {}
        values = []
        for parameter, argument in zip(procedure.parameters, node.arguments):
            if parameter.mode != "in":
                outs[parameter.name] = argument.lower()
                frame.find(argument.lower())
            type_ = self.type(parameter.type)
            values.append(Value(type_, self.evaluate(argument, type_)))
        if len(node.arguments) != len(procedure.parameters):
            raise Broken(f"{node.name} takes {len(procedure.parameters)} arguments, not {len(node.arguments)}")
        _, callee = self.enter(node.name, values)
        for inner, outer in outs.items():
            scope = frame.find(outer)
            scope[outer] = Value(scope[outer].type, callee.scopes[0][inner].text)

    def ddl_in_transaction(self, tree: exp.Expr) -> None:
        if not tree.find(exp.TemporaryProperty) and key(table_of(tree)) not in self.temporary:
            raise Broken("DDL on a permanent table inside a transaction")


class Snowflake(Machine):
    dialect, catch_all, decimal = "snowflake", "other", "DECIMAL(38, 0)"
    unfinished: str | None = None

    def exists(self, table: exp.Table) -> bool:  # our DDL is unquoted, hence upper case there
        return not any(part.args.get("quoted") and part.name != part.name.upper() for part in table.parts)

    def builtin(self, name: str) -> Value | None:
        handling = self.frames[-1].handling if self.frames else []
        return {"sqlrowcount": self.rows, "sqlerrm": Value("VARCHAR", str(handling[-1]) if handling else None)}.get(name)

    def keep_declarations(self, frame: Frame) -> None:  # a handler sees its block's DECLAREs
        pass

    def bind(self, tree: exp.Expr, script: bool, say: Say = literally) -> exp.Expr:
        """In SQL only :v is a variable; in a scripting expression, outside a subquery, v is one too."""

        def value(name: str) -> exp.Expr:
            built_in = self.builtin(name)
            return say(f"@@{name}", built_in) if built_in else say(name, self.frames[-1].find(name)[name])

        def step(node: Any) -> Any:
            if isinstance(node, exp.Placeholder):
                return value(node.name.lower())
            if isinstance(node, exp.Column) and script and not node.table and node.find_ancestor(exp.Select) is top:
                return value(node.name.lower())
            if isinstance(node, exp.CurrentUser):
                return exp.Literal.string("tester")
            if isinstance(node, exp.CurrentTimestamp):
                return (
                    exp.cast(exp.AtTimeZone(this=say("now", self.instant()), zone=exp.Literal.string("UTC")), "TIMESTAMP")
                    if node.args.get("sysdate")
                    else say("now", self.instant())
                )
            return node

        tree = tree.copy()
        top = tree
        bound: exp.Expr = tree.transform(step, copy=False)
        return bound

    def run_call(self, node: Call, frame: Frame) -> None:
        if node.name == "system$wait":
            seconds = int(self.evaluate(node.arguments[0], "BIGINT") or 0)
            self.clock += dt.timedelta(seconds=seconds)
            self.lag -= seconds
            if self.lag <= 0:
                self.behind = {}
            return
        if self.open:
            raise Unsupported("CALL inside a transaction: scoped transactions")
        procedure = self.procedure(node.name)
        values = [Value(self.type(p.type), self.evaluate(a, self.type(p.type))) for p, a in zip(procedure.parameters, node.arguments)]
        text, _ = self.enter(node.name, values)
        for name in node.into:
            scope = frame.find(name)
            scope[name] = self.converted(Value("VARCHAR", text), scope[name].type)

    def run_immediate(self, node: Immediate, frame: Frame) -> None:
        from tests.warehouse import read_snowflake

        text = self.evaluate(node.variable, "VARCHAR")
        if text is None:
            raise Broken("EXECUTE IMMEDIATE of NULL")
        self.run(read_snowflake.block_of(read_snowflake.parse(text), node.line - 1))

    def leave(self, frame: Frame) -> None:  # "a transaction started in a procedure must end in it"
        if self.open is frame:
            self.rollback_if_open()
            self.unfinished = frame.procedure.name

    def enter(self, name: str, arguments: list[Value]) -> tuple[str | None, Frame]:
        self.unfinished = None
        out = super().enter(name, arguments)
        if self.unfinished:
            raise Broken(f"{self.unfinished} left its transaction open")
        return out

    def ddl_in_transaction(self, tree: exp.Expr) -> None:
        raise Broken("DDL commits the open transaction")


def lines(procedures: Iterable[Procedure]) -> list[tuple[str, int]]:
    """Every (procedure, line) that holds a node, to compare with what was reached."""

    def walk(node: Node) -> Iterator[int]:
        yield node.line
        for value in vars(node).values():
            yield from inside(value)

    def inside(value: object) -> Iterator[int]:
        if isinstance(value, Node):
            yield from walk(value)
        elif isinstance(value, tuple):
            for item in value:
                yield from inside(item)

    return sorted({(p.name, line) for p in procedures for line in walk(p.body)})
