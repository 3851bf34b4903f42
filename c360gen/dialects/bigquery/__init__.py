"""BigQuery: GoogleSQL procedures with multi-statement transactions, history partitioned by the month of `valid_to`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from c360gen.dialects import tables
from c360gen.dialects.bigquery.changes import BigQueryChanges
from c360gen.dialects.bigquery.inspector import BigQueryInspector
from c360gen.dialects.names import Address, Names
from c360gen.dialects.rights import Grant, Rights
from c360gen.dialects.warehouse import Warehouse
from c360gen.dialects.words import Unsupported, nine, operand
from c360gen.ops.program import Count, Guard, Job, Program
from c360gen.ops.schema import ColumnDef, CreateTable, CreateView, Traits
from c360gen.ops.shell import Piece, Shell
from c360gen.project.nodes import Node
from c360gen.terms import types
from c360gen.terms.types import T

IN_COLUMN, IN_TABLE = 1024, 16 * 1024
"""Characters of a description: a longer one stops the deploy."""
EDITS, VIEWS = "`roles/bigquery.dataEditor`", "`roles/bigquery.dataViewer`"


class BigQuery(Warehouse):
    name = "bigquery"
    inspects, migrates = BigQueryInspector, BigQueryChanges
    longest = 1024 * 1024
    most_columns = 10_000
    traits = Traits()
    text_type = "STRING"
    count_type = "INT64"
    types: Mapping[exp.DType, str] = {
        T.TEXT: "STRING", T.VARCHAR: "STRING", T.SMALLINT: "INT64", T.INT: "INT64", T.BIGINT: "INT64",
        T.DECIMAL: "NUMERIC", T.DOUBLE: "FLOAT64", T.BOOLEAN: "BOOL", T.DATE: "DATE", T.TIMESTAMP: "DATETIME",
        T.TIMESTAMPTZ: "TIMESTAMP", T.UUID: "STRING",
    }  # fmt: skip

    @staticmethod
    def string_escape(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
        return f"'{escaped}'"

    def identifier(self, name: str) -> exp.Identifier:
        """BigQuery's flexible names take letters of every alphabet and spaces, but not these."""
        if found := set(name) & set('!"$()*,./;?@[\\]^`{}~'):
            raise Unsupported(f"no name may hold {' '.join(sorted(found))}, as {name} does")
        return super().identifier(name)

    def stored_family(self, type_: exp.DataType) -> str:
        """A NUMERIC is one whatever its scale: the catalog of BigQuery calls INT64 an integer, and nothing else."""
        return "number" if type_.this is T.DECIMAL else super().stored_family(type_)

    def type(self, type_: exp.DataType) -> str:
        """NUMERIC has 29 digits before the point and 9 behind it; what does not fit is BIGNUMERIC."""
        if type_.this is T.DECIMAL:
            precision, scale = types.sizes(type_) or types.DEFAULT_NUMERIC
            word = "NUMERIC" if scale <= 9 and precision - scale <= 29 else "BIGNUMERIC"
            return f"{word}({precision}, {scale})"
        return super().type(type_)

    def cast_type(self, type_: exp.DataType) -> str:
        return self.type(type_).partition("(")[0]

    def stage_table_name(self, address: Address) -> exp.Table:
        return exp.Table(this=self.identifier(address.name))  # a temporary table of the script

    def expression(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Literal) and not node.is_string and "." in node.name:
            return exp.cast(exp.Literal.string(node.name), types.numeric(38, 9))  # a bare 0.1 is a FLOAT64
        if node.meta.get("grouped"):  # a float, which nothing is grouped by; -0.0 + 0.0 is 0.0, as both are one value elsewhere
            value = node.copy()
            value.meta.pop("grouped")
            return exp.cast(exp.Add(this=value, expression=exp.Literal.number("0.0")), types.TEXT.copy())
        if isinstance(node, exp.Interval) and node.meta.get("whole"):
            node.set("this", exp.Literal.number(node.this.name))
        if isinstance(node, exp.GroupConcat):
            for ordered in node.find_all(exp.Ordered):
                ordered.set("nulls_first", True)  # what BigQuery does anyway; it takes no NULLS LAST here
        if isinstance(node, exp.Trim) and node.args.get("expression") is None and node.meta.get("written_in") != self.name:
            node.set("expression", exp.Literal.string(" "))  # by default BigQuery takes away all that is white, elsewhere it is spaces
        if isinstance(node, exp.Add | exp.Sub) and _months(node.expression) and types.kind(node.this) is T.TIMESTAMPTZ:
            utc = exp.Literal.string("UTC")
            clock = type(node)(this=exp.Anonymous(this="DATETIME", expressions=[node.this.copy(), utc]), expression=node.expression.copy())
            later = exp.Anonymous(this="TIMESTAMP", expressions=[clock, utc.copy()])  # an instant has no month to add to, a clock has
            later.type = types.TIMESTAMPTZ.copy()
            return later
        if isinstance(node, exp.Order) and isinstance(node.parent, exp.Window) and _framed(node.parent):
            return exp.Order(expressions=[o for ordered in node.expressions for o in self._nulls(ordered)])
        if isinstance(node, exp.Div) and node.meta.get("integers"):
            return exp.Anonymous(this="DIV", expressions=[node.this.copy(), node.expression.copy()])
        if isinstance(node, exp.Sub) and node.meta.get("days"):
            return exp.Anonymous(this="DATE_DIFF", expressions=[node.this.copy(), node.expression.copy(), exp.Var(this="DAY")])
        if isinstance(node, exp.Add | exp.Sub) and node.meta.get("add_days"):
            word = "DATE_ADD" if isinstance(node, exp.Add) else "DATE_SUB"
            interval = exp.Interval(this=node.expression.copy(), unit=exp.Var(this="DAY"))
            day = exp.Anonymous(this=word, expressions=[node.this.copy(), interval])
            day.type = types.DATE.copy()
            return day
        if isinstance(node, exp.Cast) and node.to.this is T.DECIMAL:  # no CAST takes a scale here; NUMERIC has nine decimals of its own
            scale = (types.sizes(node.to)[1:] or (9,))[0]
            if scale < 9 or isinstance(node.parent, exp.Alias):
                return exp.Anonymous(this="ROUND", expressions=[node.copy(), exp.Literal.number(scale)])
        return self.exact(node) or self._in_utc(node)

    @staticmethod
    def _in_utc(node: exp.Expr) -> exp.Expr:
        """CAST(date AS TIMESTAMP) → TIMESTAMP(date, 'UTC'), and the like: a session may have set @@time_zone."""
        utc = exp.Literal.string("UTC")
        if isinstance(node, exp.Cast):
            if node.to.this is T.TIMESTAMPTZ and types.kind(node.this) in (T.DATE, T.TIMESTAMP):
                return exp.Anonymous(this="TIMESTAMP", expressions=[node.this.copy(), utc])
            if node.to.this in (T.DATE, T.TIMESTAMP) and types.kind(node.this) is T.TIMESTAMPTZ:
                word = "DATE" if node.to.this is T.DATE else "DATETIME"
                return exp.Anonymous(this=word, expressions=[node.this.copy(), utc])
        if isinstance(node, exp.Extract) and types.kind(node.expression) is T.TIMESTAMPTZ:
            node.set("expression", exp.Anonymous(this="DATETIME", expressions=[node.expression.copy(), utc]))
        if isinstance(node, exp.TimestampTrunc) and types.kind(node.this) is T.TIMESTAMPTZ:
            node.set("zone", utc)
        return node

    def average(self, value: exp.Expr, over: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
        return nine(over(exp.Avg(this=self._big(value))))

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        return nine(exp.Div(this=self._big(dividend), expression=operand(divisor), typed=False, safe=False))

    @staticmethod
    def _nulls(ordered: exp.Ordered) -> list[exp.Ordered]:
        """x NULLS LAST → x IS NULL, x: the same order, which BigQuery takes in every window."""
        descending, first = bool(ordered.args.get("desc")), bool(ordered.args.get("nulls_first"))
        plain = exp.Ordered(this=ordered.this.copy(), desc=descending, nulls_first=not descending)
        if first is not descending:
            return [plain]
        missing = exp.Is(this=ordered.this.copy(), expression=exp.null())
        return [exp.Ordered(this=missing, desc=first, nulls_first=not first), plain]

    @staticmethod
    def _big(value: exp.Expr) -> exp.Expr:
        return exp.cast(value.copy(), types.numeric(38, 38))

    def catalog(self, address: Address) -> exp.Select:
        place = self.table(address)
        place.set("this", exp.Dot(this=exp.to_identifier("INFORMATION_SCHEMA"), expression=exp.to_identifier("COLUMNS")))
        place.set("alias", exp.TableAlias(this=exp.to_identifier("c")))
        return self.catalog_query(
            """
            SELECT LOWER(c.column_name) AS c360_name,
                   CASE WHEN c.data_type = 'INT64' THEN 'integer'
                        WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64' THEN 'number'
                        WHEN c.data_type LIKE 'STRING%' THEN 'text'
                        WHEN c.data_type = 'BOOL' THEN 'boolean'
                        WHEN c.data_type = 'TIMESTAMP' THEN 'timestamptz'
                        WHEN c.data_type = 'DATETIME' THEN 'timestamp'
                        ELSE LOWER(c.data_type) END AS c360_family
            FROM x AS c
            WHERE c.table_name = '$table'
            """,
            address,
            place,
        )

    # --- objects -------------------------------------------------------------------------------------------------------

    def create_table(self, op: CreateTable, names: Names) -> list[Piece]:
        """No foreign key: a run sees to that of its own node only, and BigQuery leaves out joins because of one that another run broke."""
        properties: list[exp.Expr] = []
        if op.partition_by:
            column = next(c for c in op.columns if c.name == op.partition_by)
            properties.append(exp.PartitionedByProperty(this=self._partition(column, op.partition_size)))
        cluster = op.cluster_by or op.primary_key[:1]
        floats = {c.name for c in op.columns if c.type.this is T.DOUBLE}
        if unfit := [c for c in (*op.primary_key, *cluster) if c in floats]:
            raise Unsupported(f"{unfit[0]} is a FLOAT64, by which BigQuery neither clusters nor numbers rows: let a key be exact")
        if cluster:
            properties.append(exp.ClusterProperty(expressions=[exp.Column(this=self.identifier(c)) for c in cluster[:4]]))
        return [
            tables.create_table(
                self, op, names.symbol(op.kind, op.name), enforced=False, named_key=False, column_extra=self._description,
                properties=[*properties, *self._options(op.description)],
            )
        ]  # fmt: skip

    def _partition(self, column: ColumnDef, size: str) -> exp.Expr:
        """TIMESTAMP_TRUNC(updated_at, MONTH); the days of a date are the date itself.

        Hours lie in partitions of a day: one job may write 4,000 partitions, which are half a year of hours, and a table has 10,000."""
        size = "day" if size == "hour" else size
        at = exp.Column(this=self.identifier(column.name))
        if column.type.this is T.DATE and size == "day":
            return at
        word = {T.DATE: "DATE_TRUNC", T.TIMESTAMP: "DATETIME_TRUNC"}.get(column.type.this, "TIMESTAMP_TRUNC")
        return exp.Anonymous(this=word, expressions=[at, exp.Var(this=size.upper())])

    @staticmethod
    def _options(description: str, longest: int = IN_TABLE) -> list[exp.Expr]:
        said = description if len(description) <= longest else f"{description[: longest - 1]}…"
        return [exp.Property(this=exp.Var(this="description"), value=exp.Literal.string(said))] if said else []

    def _description(self, column: ColumnDef) -> Sequence[exp.Expr]:
        options = self._options(column.description, IN_COLUMN)
        return [exp.Properties(expressions=options)] if options else []

    def create_view(self, op: CreateView, names: Names) -> list[Piece]:
        return [tables.create_view(self, op, names, properties=self._options(op.description))]

    def postamble(self, names: Names, shape: str) -> list[Piece]:
        kept: dict[str, list[str]] = {}
        for node in names.project.snapshots:
            for at in (names.node(node.name), *([names.symbol("observations", node.name)] if node.rebuilds else [])):
                kept.setdefault(at.schema, []).append(at.name)
        found = [self._expiring(names.place(schema), tables) for schema, tables in kept.items()]
        hint = "ALTER TABLE … SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL), and deploy again"
        message = f"a history in {' or '.join(kept)} has an expiration: its versions would be deleted. Say for it {hint}."
        values = {"expiring": exp.union(*found, distinct=False) if len(found) > 1 else found[0] if found else None,
                  "message": self.string_escape(message)}  # fmt: skip
        return [self.shell("postamble.sql.j2", {**self._release(names, shape), **values})]

    def _expiring(self, place: Address, tables: Sequence[str]) -> exp.Select:
        """SELECT each of the tables that BigQuery would empty or drop by itself."""
        view = self.table(place)
        view.set("this", exp.Dot(this=exp.to_identifier("INFORMATION_SCHEMA"), expression=exp.to_identifier("TABLE_OPTIONS")))
        view.set("alias", exp.TableAlias(this=exp.to_identifier("o")))
        options = ("expiration_timestamp", "partition_expiration_days")
        return exp.select("o.table_name").from_(view).where(
            exp.column("table_name", "o").isin(*tables), exp.column("option_name", "o").isin(*options)
        )  # fmt: skip

    def clustered(self, op: CreateTable) -> tuple[str, ...]:
        return tuple(c for c in (op.partition_by, *(op.cluster_by or op.primary_key[:1])[:4]) if c)

    # --- runs ----------------------------------------------------------------------------------------------------------

    def count(self, step: Count, names: Names) -> Shell:
        query = self.lower(step.query, names)
        if len(step.names) > 1:
            query.set("kind", "STRUCT")
        return self.shell("count.sql.j2", {
            "because": step.because, "query": query, "names": [f"v_{n}" for n in step.names],
            "when": None if step.when is None else self.lower(step.when, names),
        })  # fmt: skip

    def guard(self, step: Guard, names: Names, label: str) -> Shell:
        parts = [self.string_escape(f"{step.code} {label}: ")]
        for part in step.message:
            if isinstance(part, str):
                parts.append(self.string_escape(part))
            else:
                parts.append(exp.cast(self.lower(part, names), "text").sql("bigquery"))
        return self.shell("guard.sql.j2", {
            "because": step.because, "when": self.lower(step.when, names), "parts": parts,
            "sample": None if step.sample is None else self.lower(step.sample, names), "hint": self.string_escape(f". {step.hint}"),
        })  # fmt: skip

    def flag_parameter(self, type_: str) -> str:
        return f"IN p_dry_run {type_}"

    def example(self, type_: exp.DataType) -> str:
        return f"{self.type(type_)} {super().example(type_)}" if type_.this is T.TIMESTAMPTZ else super().example(type_)

    def call(self, procedure: Address, full_refresh: bool | None) -> str:
        """BigQuery has no default arguments: every CALL passes all."""
        arguments = {None: "", False: "NULL", True: "NULL, FALSE"}[full_refresh]
        return f"CALL {self.path(procedure)}({arguments});"

    def role(self, name: str) -> str:
        return self.string_escape(name)

    def rights(self, names: Names, programs: Mapping[str, Program], jobs: Sequence[Job]) -> list[Rights]:
        """Procedures run with their caller's rights here: the runner needs to write, and says so."""
        runner, reader = names.target.runner, names.target.reader
        others = [names.place(s) for s in names.schemas if s != names.control]
        found = []
        if runner:
            sources = {names.symbol("source", s).place for s in names.project.sources}
            written = [names.place(names.control), *others]
            told = "reads the sources, and writes only through them by agreement."
            found.append(Rights(f"Procedures run with the rights of their caller: {runner} {told}", (
                *(Grant(EDITS, "SCHEMA", (s,), runner) for s in written),
                *(Grant(VIEWS, "SCHEMA", (s,), runner) for s in sorted(sources, key=self.schema_of)),
            )))  # fmt: skip
        if reader:
            found.append(Rights(f"{reader} may read.", tuple(Grant(VIEWS, "SCHEMA", (s,), reader) for s in others)))
        return found

    def reading(self, role: str, nodes: Sequence[Node], names: Names) -> list[Rights]:
        told = "may read the nodes that name it under grants:. What a view reads must be readable as well, or the view authorized."
        if not re.fullmatch(r"(user|group|serviceAccount|domain):\S+|(specialGroup:)?all(Authenticated)?Users", role):
            raise Unsupported(f"grants: {role} is not a principal such as group:analysts@example.com; roles: of the target says who it is")
        return [Rights(f"{role} {told}", tuple(Grant(VIEWS, kind, (a,), role) for kind, a in self.relations(names, nodes)))]


_UNFRAMED = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Ntile, exp.Lag, exp.Lead)


def _framed(window: exp.Window) -> bool:
    """Whether the rows of a window have a frame, be it the default one, over which BigQuery takes no NULLS LAST."""
    return window.args.get("spec") is not None or not isinstance(window.this, _UNFRAMED)


def _months(value: exp.Expr) -> bool:
    return isinstance(value, exp.Interval) and value.unit is not None and value.unit.name.upper().startswith(("MONTH", "QUARTER", "YEAR"))


DIALECT = BigQuery()
