"""DuckDB: no procedures, so a run is a script of plain SQL; variables hold what is counted, error() raises what a guard finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlglot import exp

from c360gen.dialects import tables
from c360gen.dialects.base import Dialect
from c360gen.dialects.duckdb.changes import DuckDBChanges
from c360gen.dialects.duckdb.inspector import DuckDBInspector
from c360gen.dialects.names import Address, Names
from c360gen.dialects.rights import Rights
from c360gen.dialects.zoned import in_utc
from c360gen.ops.program import COUNTERS, Count, Guard, Job, Program, Stage, Step, Task
from c360gen.ops.schema import ROW_ADDRESS, CreateIndex, CreateTable, CreateTableFunction, CreateView, LoadSeed, StageTable, Traits
from c360gen.ops.shell import Piece, Shell
from c360gen.project.nodes import Node
from c360gen.terms import symbols
from c360gen.terms.types import T


class DuckDB(Dialect):
    name = "duckdb"
    inspects, migrates = DuckDBInspector, DuckDBChanges
    has_procedures = False
    traits = Traits(row_address="rowid", cheap_groups=True, infinite_times=True, enforces=frozenset({"not_null", "primary_key"}))
    types: Mapping[exp.DType, str] = {
        T.TEXT: "TEXT", T.VARCHAR: "VARCHAR", T.SMALLINT: "SMALLINT", T.INT: "INTEGER", T.BIGINT: "BIGINT",
        T.DECIMAL: "DECIMAL", T.DOUBLE: "DOUBLE", T.BOOLEAN: "BOOLEAN", T.DATE: "DATE", T.TIMESTAMP: "TIMESTAMP",
        T.TIMESTAMPTZ: "TIMESTAMPTZ", T.UUID: "BIGINT",
    }  # fmt: skip

    def type(self, type_: exp.DataType) -> str:
        return "TEXT" if type_.this is T.VARCHAR else super().type(type_)  # lengths are not enforced here: do not pretend

    def variable(self, name: str) -> exp.Expr:
        if name not in symbols.VARIABLES:  # the argument of a table macro
            made = exp.column(f"p_{name}")
            made.this.meta["ours"] = True
            return made
        return exp.Anonymous(this="getvariable", expressions=[exp.Literal.string(name)])

    def expression(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Div) and node.meta.get("integers"):
            return exp.Paren(this=exp.IntDiv(this=node.this.copy(), expression=node.expression.copy()))
        return self.exact(node) or in_utc(node)

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """A macro: DuckDB itself divides DECIMAL as DOUBLE."""
        return exp.Anonymous(this="c360_quotient", expressions=[dividend.copy(), divisor.copy()])

    def catalog(self, address: Address) -> exp.Select:
        database = "'$database'" if address.database else "current_database()"
        return self.catalog_query(
            f"""
            SELECT LOWER(c.column_name) AS c360_name,
                   CASE WHEN c.data_type LIKE '%INT' OR c.data_type LIKE '%INTEGER' OR c.data_type LIKE 'DECIMAL(%,0)' THEN 'integer'
                        WHEN c.data_type LIKE 'DECIMAL%' OR c.data_type IN ('DOUBLE', 'FLOAT') THEN 'number'
                        WHEN c.data_type = 'VARCHAR' THEN 'text'
                        WHEN c.data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'timestamptz'
                        WHEN c.data_type IN ('TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS') THEN 'timestamp'
                        ELSE LOWER(c.data_type) END AS c360_family
            FROM duckdb_columns() AS c
            WHERE LOWER(c.schema_name) = LOWER('$schema') AND LOWER(c.table_name) = LOWER('$table')
              AND c.database_name = {database}
            """,
            address,
        )

    # --- objects -------------------------------------------------------------------------------------------------------

    def create_table(self, op: CreateTable, names: Names) -> list[Piece]:
        """Without CHECK: together with a primary key it makes an UPDATE of 200,000 rows take 14 seconds; a guard stands for it."""
        address = names.symbol(op.kind, op.name)
        return [
            tables.create_table(self, op, address, enforced=True, checks=False),
            *tables.comments(self, "TABLE", address, op.description, op.columns),
        ]

    def create_index(self, op: CreateIndex, names: Names) -> list[Piece]:
        if op.keys and op.unique:
            return []  # an index over expressions is not unique here: the guard stands for it
        columns = [exp.Ordered(this=exp.Column(this=self.identifier(c))) for c in op.columns]
        index = exp.Index(
            this=self.identifier(symbols.cut(op.name)), table=self.table(names.symbol(op.kind, op.table)),
            params=exp.IndexParameters(columns=columns),
        )  # fmt: skip
        return [exp.Create(this=index, kind="INDEX", unique=op.unique, exists=True)]

    def create_view(self, op: CreateView, names: Names) -> list[Piece]:
        return tables.commented_view(self, op, names)

    def function_parameters(self, op: CreateTableFunction) -> str:
        """Those of a macro have no types."""
        return ", ".join(f"p_{p}" for p in op.parameters)

    def load_seed(self, op: LoadSeed, names: Names) -> list[Piece]:
        """Without IF every statement asks for itself whether the rows are there already; the last one says that they are."""
        label = exp.Literal.string(self.label(names.node(op.node)))
        loaded = exp.select(exp.Literal.number(1)).from_(symbols.relation("control", "seed_state", "s")).where(
            exp.EQ(this=symbols.column("seed", "s"), expression=label),
            exp.EQ(this=symbols.column("digest", "s"), expression=exp.Literal.string(op.digest)),
        )  # fmt: skip
        absent = exp.Not(this=exp.Exists(this=loaded))
        inserts = [_only_when(_selecting(i), absent) for i in op.inserts]
        return super().load_seed(replace(op, empty=_only_when(op.empty, absent), inserts=tuple(inserts)), names)

    def stage_table_name(self, address: Address) -> exp.Table:
        return exp.Table(this=self.identifier(address.name))  # a temporary table of the session

    # --- runs ----------------------------------------------------------------------------------------------------------

    def procedure(self, program: Program, names: Names, spec_hash: str) -> list[Piece]:
        label = self.label(names.node(program.node))
        values = {
            **self.program_values(program, names, spec_hash), "control": self.quote(names.control),
            "stage": self._stage(program.stage, names) if program.stage else None,
            "checks": [self._step(s, names, label) for s in program.checks],
            "steps": [self._step(s, names, label) for s in program.steps],
            "counters": [(n, self.lower(program.counters[n], names)) for n in COUNTERS if n in program.counters],
        }  # fmt: skip
        return [self.shell("script.sql.j2", values)]

    def _stage(self, op: StageTable, names: Names) -> exp.Create:
        made = tables.create_stage(self, op, names)
        if op.row_address:
            made.this.expressions.insert(1, exp.ColumnDef(this=self.identifier(ROW_ADDRESS), kind=exp.DataType.build("BIGINT")))
        return made

    def _step(self, step: Step, names: Names, label: str) -> Shell:
        if isinstance(step, Count):
            assert step.query.named_selects == list(step.names), "the row is read by these names"
            counted = step.query if step.when is None else step.query.where(step.when)
            return self.shell("count.sql.j2", {"because": step.because, "query": self.lower(counted, names), "names": step.names})
        if isinstance(step, Guard):
            sample = None if step.sample is None else self.lower(step.sample, names)
            parts = [self._text(p, names) for p in step.message]
            return self.shell("guard.sql.j2", {
                "because": step.because, "when": self.lower(step.when, names), "sample": sample, "parts": parts,
                "opening": self.string_escape(f"{step.code} {label}: "), "hint": self.string_escape(f". {step.hint}"),
            })  # fmt: skip
        statement: Any = step.insert if isinstance(step, Stage) else step.statement
        return self.shell("write.sql.j2", {"because": step.because, "statement": self.lower(_only_when(statement, step.when), names)})

    def _text(self, part: str | exp.Expr, names: Names) -> str | exp.Expr:
        return exp.Literal.string(part) if isinstance(part, str) else self.lower(part, names)

    def task(self, task: Task, names: Names, spec_hash: str) -> list[Piece]:
        label = self.task_label(task, names)
        values = {
            **self.task_values(task, names), "control": self.quote(names.control), "spec_hash": self.string_escape(spec_hash),
            "steps": [self._step(s, names, label) for s in (*task.checks, *task.steps)],
            "counters": [(n, self.lower(task.counters[n], names)) for n in COUNTERS if n in task.counters],
        }  # fmt: skip
        return [self.shell("task_script.sql.j2", values)]

    def task_arguments(self, task: Task) -> list[tuple[str, str, exp.DataType]]:
        return list(task.parameters)

    def job(self, job: Job, names: Names, programs: Mapping[str, Program]) -> list[Piece]:
        return []  # the manifest lists the nodes of each schedule; a runner executes their scripts in that order

    def control(self, names: Names) -> list[Piece]:
        return [self.shell("control.sql.j2", {"control": self.quote(names.control), "counters": COUNTERS, "seeds": names.seeds})]

    def reading(self, role: str, nodes: Sequence[Node], names: Names) -> list[Rights]:
        return []  # whoever opens the file may read it

    def preamble(self, names: Names, shape: str) -> list[Piece]:
        return [self.shell("preamble.sql.j2", {
            "control": self.quote(names.control), "shape": self.string_escape(shape), "schemas": [self.quote(s) for s in names.schemas],
        })]  # fmt: skip

    def postamble(self, names: Names, shape: str) -> list[Piece]:
        return [self.shell("postamble.sql.j2", {"control": self.quote(names.control), "shape": self.string_escape(shape)})]


Statement = TypeVar("Statement", exp.Insert, exp.Update, exp.Delete)


def _only_when(statement: Statement, when: exp.Expr | None) -> Statement:
    """A statement that does nothing where its condition is false: a script has no IF."""
    if when is None:
        return statement
    made = statement.copy()
    if isinstance(made, exp.Insert):
        columns = [exp.column(c.alias_or_name, table="w", quoted=True) for c in made.expression.selects]
        made.set("expression", exp.select(*columns).from_(made.expression.subquery("w")).where(when.copy()))
        return made
    where = made.args.get("where")
    made.set("where", exp.Where(this=exp.and_(where.this, when.copy(), wrap=False) if where else when.copy()))
    return made


def _selecting(insert: exp.Insert) -> exp.Insert:
    """INSERT … VALUES (…) → INSERT … SELECT v.… FROM (VALUES (…)) AS v, which can have a WHERE."""
    made = insert.copy()
    columns = [c.copy() for c in made.this.expressions]
    made.expression.set("alias", exp.TableAlias(this=exp.to_identifier("v"), columns=columns))
    made.set("expression", exp.select(*(symbols.column(c.name, "v") for c in columns)).from_(made.expression))
    return made


DIALECT = DuckDB()
