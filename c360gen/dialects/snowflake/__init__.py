"""Snowflake: procedures in Snowflake Scripting with owner's rights, timestamps as TIMESTAMP_NTZ(6) in UTC."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce

from sqlglot import exp

from c360gen.dialects import tables
from c360gen.dialects.names import Address, Names
from c360gen.dialects.rights import Grant, Rights
from c360gen.dialects.snowflake.changes import SnowflakeChanges
from c360gen.dialects.snowflake.inspector import SnowflakeInspector
from c360gen.dialects.warehouse import Warehouse
from c360gen.dialects.words import Unsupported, nine, operand
from c360gen.ops.program import Count, Guard, Job, Program
from c360gen.ops.schema import ColumnDef, CreateTable, CreateView, Traits
from c360gen.ops.shell import Piece, Shell
from c360gen.project.nodes import Node
from c360gen.terms import symbols, types
from c360gen.terms.types import T


class Snowflake(Warehouse):
    name = "snowflake"
    inspects, migrates = SnowflakeInspector, SnowflakeChanges
    calls = "USAGE"
    traits = Traits(finer_times=True)
    text_type = "VARCHAR"
    count_type = "NUMBER(18, 0)"
    lock_codes = ("ZC008", "ZC024")
    types: Mapping[exp.DType, str] = {
        T.TEXT: "VARCHAR", T.VARCHAR: "VARCHAR", T.SMALLINT: "NUMBER(38, 0)", T.INT: "NUMBER(38, 0)",
        T.BIGINT: "NUMBER(38, 0)", T.DECIMAL: "NUMBER", T.DOUBLE: "FLOAT", T.BOOLEAN: "BOOLEAN", T.DATE: "DATE",
        T.TIMESTAMP: "TIMESTAMP_NTZ(6)", T.TIMESTAMPTZ: "TIMESTAMP_NTZ(6)", T.UUID: "VARCHAR(36)",
    }  # fmt: skip
    families: Mapping[str, str] = {"timestamptz": "timestamp"}

    @staticmethod
    def string_escape(text: str) -> str:
        """Backslashes are escapes in Snowflake's strings."""
        if "$$" in text:
            return _taken_apart(text).sql("snowflake")
        return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"

    def identifier(self, name: str) -> exp.Identifier:
        if "$$" in name:
            raise Unsupported(f"$$ in the name {name}: it would end the body that it stands in")
        made = super().identifier(name)
        # A reserved word is quoted in upper case, which is what it is called when it is not quoted.
        return (
            exp.Identifier(this=name.upper(), quoted=True)
            if made.quoted and name.isidentifier() and name.islower() and name.isascii()
            else made
        )

    def data_type(self, text: str) -> exp.DataType:
        """Snowflake's own words; sqlglot would print TIMESTAMPNTZ and DECIMAL, which fewer people read."""
        return exp.DataType(this=T.USERDEFINED, kind=exp.Var(this=text))

    def variable(self, name: str) -> exp.Expr:
        return exp.Placeholder(this=f"v_{name}") if name in symbols.VARIABLES else exp.column(f"p_{name}")

    def expression(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Div) and node.meta.get("integers"):
            # NUMBER / NUMBER keeps six decimals and rounds: take the remainder off first, and nothing is left to round.
            left, right = (exp.Paren(this=e.copy()) if isinstance(e, exp.Binary) else e.copy() for e in (node.this, node.expression))
            whole = exp.Paren(this=exp.Sub(this=left, expression=exp.func("MOD", left.copy(), right)))
            return exp.cast(exp.Div(this=whole, expression=right.copy(), typed=False, safe=False), types.BIGINT.copy())
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean):
            # Snowflake has no IS TRUE; sqlglot leaves the word away, and with it what NULL means
            said = exp.func("COALESCE", node.this.copy(), exp.Boolean(this=not node.expression.this))
            return exp.Not(this=said) if not node.expression.this else said
        if isinstance(node, exp.Cast) and (format_ := _spelled(node)):
            word = "TO_VARCHAR" if types.family(node.to) == "text" else "TO_DATE"
            made = exp.Anonymous(this=word, expressions=[node.this.copy(), exp.Literal.string(format_)])
            made.type = node.to.copy()
            return made
        if isinstance(node, exp.Sub) and node.meta.get("days"):
            return exp.Anonymous(this="DATEDIFF", expressions=[exp.Var(this="DAY"), node.expression.copy(), node.this.copy()])
        if isinstance(node, exp.CurrentTimestamp) and node.meta.get("clock"):
            return exp.Anonymous(this="SYSDATE")  # UTC, as all instants are here
        if isinstance(node, exp.Literal) and node.is_string and "$$" in node.name:
            return _taken_apart(node.name)
        return self.exact(node) or node

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """The dividend's scale decides how many decimals Snowflake computes: twelve of these, of which nine are kept.

        exp.cast would leave a dividend alone that is a CAST to another NUMBER already."""
        cast = exp.Cast(this=dividend.copy(), to=types.numeric(38, 9))
        return nine(exp.Div(this=cast, expression=operand(divisor), typed=False, safe=False))

    def stored_name(self, name: str) -> str:
        """As INFORMATION_SCHEMA spells it. A function around its columns would keep Snowflake from narrowing what it reads there."""
        said = self.identifier(name)
        return said.name if said.quoted else said.name.upper()

    def rows_of(self, function: Address, arguments: Sequence[exp.Expr]) -> exp.Table:
        return exp.Table(this=exp.Anonymous(this="TABLE", expressions=[super().rows_of(function, arguments).this]))

    def instant(self, text: str) -> str:
        """A TIMESTAMP_NTZ has no offset; all of them are UTC."""
        return text.removesuffix("+00")

    def catalog(self, address: Address) -> exp.Select:
        """An instant is a TIMESTAMP_NTZ in UTC here: one with a zone of its own would lose it when it is stored."""
        place = exp.Table(
            this=exp.to_identifier("COLUMNS"), db=exp.to_identifier("INFORMATION_SCHEMA"),
            catalog=self.environment_name(address.database) if address.database else None,
            alias=exp.TableAlias(this=exp.to_identifier("c")),
        )  # fmt: skip
        return self.catalog_query(
            """
            SELECT LOWER(c.column_name) AS c360_name,
                   CASE WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0 THEN 'integer'
                        WHEN c.data_type IN ('NUMBER', 'FLOAT') THEN 'number'
                        WHEN c.data_type = 'TIMESTAMP_NTZ' THEN 'timestamp'
                        ELSE LOWER(c.data_type) END AS c360_family
            FROM x AS c
            WHERE c.table_schema = '$schema' AND c.table_name = '$table'
            """,
            self.stored(address),
            place,
        )

    # --- objects -------------------------------------------------------------------------------------------------------

    def create_table(self, op: CreateTable, names: Names) -> list[Piece]:
        properties: list[exp.Expr] = []
        if op.cluster_by:
            properties.append(exp.ClusterProperty(expressions=[exp.Column(this=self.identifier(c)) for c in op.cluster_by]))
        if op.description:
            properties.append(exp.SchemaCommentProperty(this=_prose(op.description)))
        return [
            tables.create_table(
                self,
                op,
                names.symbol(op.kind, op.name),
                enforced=False,
                column_extra=self._comment,
                properties=properties,
                declares=("unique", "foreign_key"),
                names=names,
            )
        ]

    @staticmethod
    def _comment(column: ColumnDef) -> Sequence[exp.Expr]:
        return [exp.CommentColumnConstraint(this=_prose(column.description))] if column.description else []

    def create_view(self, op: CreateView, names: Names) -> list[Piece]:
        properties: list[exp.Expr] = [exp.CopyGrantsProperty()]
        if op.description:
            properties.append(exp.SchemaCommentProperty(this=_prose(op.description)))
        return [tables.create_view(self, op, names, properties=properties)]

    def clustered(self, op: CreateTable) -> tuple[str, ...]:
        return op.cluster_by

    # --- runs ----------------------------------------------------------------------------------------------------------

    def count(self, step: Count, names: Names) -> Shell:
        values = {
            "because": step.because, "query": self.lower(step.query, names), "names": step.names,
            "when": None if step.when is None else self.scripting(step.when, names).sql(self.name),
        }  # fmt: skip
        return self.shell("count.sql.j2", values)

    def guard(self, step: Guard, names: Names, label: str) -> Shell:
        parts = [self.string_escape(f"{step.code} {label}: ")]
        for part in step.message:
            if isinstance(part, str):
                parts.append(self.string_escape(part))
            else:
                parts.append(self.scripting(part, names).sql(self.name))
        return self.shell("guard.sql.j2", {
            "because": step.because, "when": self.scripting(step.when, names).sql(self.name), "parts": parts,
            "sample": None if step.sample is None else self.lower(step.sample, names), "hint": self.string_escape(f". {step.hint}"),
        })  # fmt: skip

    def scripting(self, tree: exp.Expr, names: Names) -> exp.Expr:
        """A variable stands without the colon that binds it in a statement."""
        root = exp.Paren(this=self.lower(tree, names))
        for bound in list(root.find_all(exp.Placeholder)):
            bound.replace(exp.Var(this=bound.name))
        bare: exp.Expr = root.this
        bare.pop()
        return bare

    def example(self, type_: exp.DataType) -> str:
        return f"{super().example(type_)}::TIMESTAMP_NTZ" if type_.this is T.TIMESTAMPTZ else super().example(type_)

    def rights(self, names: Names, programs: Mapping[str, Program], jobs: Sequence[Job]) -> list[Rights]:
        runner, reader = names.target.runner, names.target.reader
        time, flag = self.type(types.TIMESTAMPTZ), self.type(types.BOOLEAN)
        control, found = names.place(names.control), []
        if runner:
            views = ["windows", "run_status", "node_status", *(["source_freshness"] if names.watched else [])]
            called = [(f"run_{n}", f"{time}, {flag}" if p.full_refresh else time) for n, p in programs.items()]
            called += [(f"run_job_{j.schedule}", "") for j in jobs]
            found.append(Rights(f"{self._plain(runner)} may call procedures, which run with their owner's rights, and read the log.", (
                *self.usage([control], runner),
                Grant("SELECT", "TABLE", (names.own("run_log"),), runner),
                *(Grant("SELECT", "VIEW", (names.own(n),), runner) for n in views),
                *(Grant("USAGE", "PROCEDURE", (names.own(n),), runner, arguments) for n, arguments in called),
            )))  # fmt: skip
        if reader:
            others = [names.place(s) for s in names.schemas if s != names.control]
            granted = (*self.usage(others, reader), *self.selecting(names.project.nodes.values(), names, reader))
            found.append(Rights(f"{self._plain(reader)} may read.", granted))
        return found

    def reading(self, role: str, nodes: Sequence[Node], names: Names) -> list[Rights]:
        (found,) = super().reading(role, nodes, names)
        return [replace(found, said=f"{self._plain(role)} may read the nodes that name it under grants:.")]

    @staticmethod
    def signed(arguments: str) -> str:
        """TIMESTAMP_NTZ(6), BOOLEAN → TIMESTAMP_NTZ, BOOLEAN: a routine is known by the kinds of its arguments, not by their sizes."""
        return re.sub(r"\([^)]*\)", "", arguments)

    def usage(self, schemas: Sequence[Address], role: str) -> list[Grant]:
        """Also of the database that the schemas are in."""
        databases = dict.fromkeys(Address(s.database, "", "") for s in schemas if s.database)
        return [
            *(Grant("USAGE", "DATABASE", (d,), role) for d in databases),
            *(Grant("USAGE", "SCHEMA", (s,), role) for s in schemas),
        ]  # fmt: skip

    def _plain(self, role: str) -> str:
        return self.environment_name(role).sql("snowflake")

    def role(self, name: str) -> str:
        return f"ROLE {self._plain(name)}"


def _spelled(cast: exp.Cast) -> str | None:
    """How a date or an instant is written as text, and how SQL of another dialect reads a date: by default as the session of whoever calls
    says. SQL that is written for Snowflake keeps its words."""
    kind = types.kind(cast.this)
    written_in = cast.meta.get("written_in")
    if written_in == "snowflake":
        return None
    if types.family(cast.to) == "text" and kind in (T.DATE, T.TIMESTAMP, T.TIMESTAMPTZ):
        return "YYYY-MM-DD" if kind is T.DATE else "YYYY-MM-DD HH24:MI:SS.FF6"
    return "YYYY-MM-DD" if written_in and cast.to.this is T.DATE and kind in (T.TEXT, T.VARCHAR) else None


def _prose(text: str) -> exp.Expr:
    """A description, which has to be one literal: migrations say it inside of a body."""
    return exp.Literal.string(text.replace("$$", "$ $"))


def _taken_apart(text: str) -> exp.Expr:
    """Bodies are quoted by two dollars, which have no other form here: no literal holds two of them in a row."""
    parts: list[exp.Expr] = [exp.Literal.string(p) for p in re.findall(r"\$|[^$]+", text)]
    return exp.Paren(this=reduce(lambda left, right: exp.DPipe(this=left, expression=right, safe=True), parts))


DIALECT = Snowflake()
