"""PostgreSQL 15 and later: a definer worker that writes, an invoker runner that logs and commits, one lock row per node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sqlglot
from sqlglot import exp

from c360gen.dialects import tables
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.dialects.postgres.changes import PostgresChanges
from c360gen.dialects.postgres.inspector import PostgresInspector
from c360gen.dialects.reserved import NO_PARAMETERS
from c360gen.dialects.rights import Grant, Rights
from c360gen.dialects.words import nine, operand
from c360gen.dialects.zoned import in_utc
from c360gen.ops.program import COUNTERS, TOLERANCE, Count, Guard, Job, Program, Stage, Step, Task, Write
from c360gen.ops.schema import ROW_ADDRESS, CreateIndex, CreateTable, CreateView, StageTable, Traits
from c360gen.ops.shell import Piece, Shell
from c360gen.terms import symbols, types
from c360gen.terms.types import T

LOGGING = {
    "run_begin": "TEXT, TEXT, TIMESTAMPTZ, TEXT, BOOLEAN", "run_failed": "BIGINT, TEXT, TEXT, TEXT",
    "window_begin": "BIGINT, TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ, BOOLEAN", "run_is_alive": "INTEGER, TIMESTAMPTZ",
}  # fmt: skip
"""What a runner logs with and reads the log by: functions of control.sql and the types of their arguments."""


class Postgres(Dialect):
    name = "postgres"
    inspects, migrates = PostgresInspector, PostgresChanges
    reads_databases = False
    defers_unique = True
    traits = Traits(
        row_address="ctid",
        indexed_lookups=True,
        cheap_groups=True,
        views_keep_tables=True,
        ordered_insert=True,
        infinite_times=True,
        partial_indexes=True,
        cuts_blanks=True,
        enforces=frozenset({"not_null", "primary_key", "unique", "check"}),
    )
    types: Mapping[exp.DType, str] = {
        T.TEXT: "TEXT", T.VARCHAR: "VARCHAR", T.SMALLINT: "SMALLINT", T.INT: "INTEGER", T.BIGINT: "BIGINT",
        T.DECIMAL: "NUMERIC", T.DOUBLE: "DOUBLE PRECISION", T.BOOLEAN: "BOOLEAN", T.DATE: "DATE",
        T.TIMESTAMP: "TIMESTAMP", T.TIMESTAMPTZ: "TIMESTAMPTZ", T.UUID: "BIGINT",
    }  # fmt: skip
    forbids = (*Dialect.forbids, (exp.Qualify, "QUALIFY"))
    most_columns = 1600

    def expression(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.TimestampTrunc) and types.kind(node.this) is T.DATE:
            node.set("this", exp.cast(node.this, types.TIMESTAMP.copy()))  # of a date Postgres makes an instant, in the session's zone
        if isinstance(node, exp.Between) and isinstance(node.args["low"], exp.AtTimeZone):
            node.set("low", exp.Paren(this=node.args["low"]))  # its grammar takes no AT TIME ZONE before AND
        return self.exact(node) or in_utc(node)

    def average(self, value: exp.Expr, over: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
        return nine(over(exp.Avg(this=value.copy())))

    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        return nine(exp.Div(this=operand(dividend), expression=operand(divisor), typed=True, safe=False))

    def catalog(self, address: Address) -> exp.Select:
        return self.catalog_query(
            """
            SELECT CAST(a.attname AS TEXT) AS c360_name,
                   CASE WHEN t.typname IN ('int2', 'int4', 'int8') THEN 'integer'
                        WHEN t.typname = 'numeric' AND information_schema._pg_numeric_scale(
                            t.oid, CASE WHEN d.typbasetype = 0 THEN a.atttypmod ELSE d.typtypmod END) = 0 THEN 'integer'
                        WHEN t.typcategory = 'N' THEN 'number' WHEN t.typcategory = 'S' THEN 'text' WHEN t.typcategory = 'B' THEN 'boolean'
                        ELSE CAST(t.typname AS TEXT) END AS c360_family
            FROM pg_catalog.pg_attribute AS a
            JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type AS d ON d.oid = a.atttypid
            JOIN pg_catalog.pg_type AS t ON t.oid = CASE WHEN d.typbasetype = 0 THEN d.oid ELSE d.typbasetype END
            WHERE n.nspname = '$schema' AND c.relname = '$table' AND a.attnum > 0 AND NOT a.attisdropped
            """,
            address,
        )

    def swapped(self, source: Address, views: Sequence[Address]) -> exp.Select:
        listed = ", ".join(f"({self.string_escape(self.path(view))})" for view in views)
        return sqlglot.parse_one(
            f"""
            SELECT w.c360_name
            FROM (VALUES {listed}) AS w(c360_name)
            WHERE NOT EXISTS (
                SELECT 1
                FROM pg_catalog.pg_rewrite AS r
                JOIN pg_catalog.pg_depend AS d ON d.classid = to_regclass('pg_catalog.pg_rewrite') AND d.objid = r.oid
                WHERE r.ev_class = to_regclass(w.c360_name)
                    AND d.refclassid = to_regclass('pg_catalog.pg_class')
                    AND d.refobjid = to_regclass({self.string_escape(self.path(source))}))
            """,
            read="postgres", into=exp.Select,
        )  # fmt: skip

    def cataloged(self, name: str) -> exp.Expr:
        """Names are compared letter by letter: "A" and "a" are two columns, and what is unquoted is in lower case anyway."""
        return exp.Literal.string(name)

    # --- objects -------------------------------------------------------------------------------------------------------

    def create_table(self, op: CreateTable, names: Names) -> list[Piece]:
        address = names.symbol(op.kind, op.name)
        return [
            tables.create_table(self, op, address, enforced=True, declares=("unique", "check"), names=names),
            *tables.comments(self, "TABLE", address, op.description, op.columns),
        ]

    def create_index(self, op: CreateIndex, names: Names) -> list[Piece]:
        address = names.symbol(op.kind, op.table)
        where = exp.Where(this=self.lower(op.where, names)) if op.where is not None else None
        keys = [self.lower(k, names) for k in op.keys] or [exp.Column(this=self.identifier(c)) for c in op.columns]
        columns = [exp.Ordered(this=k if isinstance(k, exp.Column) else exp.Paren(this=k), nulls_first=False) for k in keys]
        index = exp.Index(
            this=self.identifier(symbols.cut(op.name)), table=self.table(address),
            params=exp.IndexParameters(columns=columns, where=where, with_storage=False),
        )  # fmt: skip
        return [exp.Create(this=index, kind="INDEX", unique=op.unique, exists=True)]

    def create_view(self, op: CreateView, names: Names) -> list[Piece]:
        return tables.commented_view(self, op, names)

    def parameter(self, name: str) -> str:
        return f'"{name}"' if name.upper() in NO_PARAMETERS and name == name.lower() else self.quote(name)

    def procedures_of(self, node: str) -> list[tuple[str, str]]:
        return [(f"apply_{node}", "BIGINT, "), (f"run_{node}", "")]

    # --- runs ----------------------------------------------------------------------------------------------------------

    def procedure(self, program: Program, names: Names, spec_hash: str) -> list[Piece]:
        label = self.string_escape(self.label(names.node(program.node)))
        values = {
            **self.program_values(program, names, spec_hash), "control": self.quote(names.control),
            "label": self.label(names.node(program.node)),
            "apply": self.path(names.own(f"apply_{program.node}")),
            "run": self.path(names.own(f"run_{program.node}")),
            "target": self.path(names.node(program.node)),
            "stage": self.path(names.own(f"stage_{program.node}")) if program.stage else None,
            "steps": [self._step(s, names, label, program.stage) for s in program.steps],
            "checks": [self._step(s, names, label) for s in program.checks],
            "addresses": any(_addressed(s) for s in program.steps), "settings": self._settings(program, names),
            "counters": [(name, self.lower(program.counters[name], names)) for name in COUNTERS if name in program.counters],
        }  # fmt: skip
        return [self.shell("script.sql.j2" if self.scripted(names) else "procedure.sql.j2", values)]

    def _settings(self, program: Program, names: Names) -> list[tuple[str, str, str]]:
        """(name, value, why) of what a run sets for itself; a target says some of them."""
        found = {
            "timezone": ("UTC", ""),
            "datestyle": ("ISO, MDY", "what is cast to text is the same in every session"),
            "intervalstyle": ("postgres", ""),
            "extra_float_digits": ("1", ""),
            "lock_timeout": ("10s", ""),
            "row_security": ("off", "what a policy hides would look deleted: the run fails instead"),
            "plan_cache_mode": ("force_custom_plan", "each run is planned for its own window"),
            "jit": ("off", "compiling costs more than it saves"),
            "work_mem": ("64MB", ""),
        }
        if program.stage:
            found |= {
                "parallel_tuple_cost": ("0", "rows that are unchanged stay with the worker that reads them"),
                "default_tablespace": ("", "for the stage"),
            }
        found |= {name: (value, "settings: of the target") for name, value in names.target.settings.items()}
        return [(name, self.string_escape(value), why) for name, (value, why) in found.items()]

    def own_codes(self, program: Program) -> set[str]:
        return super().own_codes(program) | {"ZC006", "ZC007", "ZC008"}

    def _step(self, step: Step, names: Names, node: str, stage: StageTable | None = None) -> Shell:
        because = step.because
        if isinstance(step, Stage):
            assert stage is not None, "who stages has a stage"
            when = None if step.when is None else self.lower(step.when, names)
            statement = _made(step.insert, stage) if step.begins else step.insert
            filled = self.table(names.own(f"stage_{stage.node}")) if step.from_stage else None
            return self.shell("stage.sql.j2", {
                "because": because, "when": when, "statement": self.lower(statement, names), "from_stage": filled,
            })  # fmt: skip
        if isinstance(step, Count):
            into = [f"v_{n}" for n in step.names]
            when = None if step.when is None else self.lower(step.when, names)
            return self.shell("count.sql.j2", {"because": because, "query": self.lower(step.query, names), "into": into, "when": when})
        if isinstance(step, Guard):
            text = "".join("%s" if isinstance(p, exp.Expr) else p.replace("%", "%%") for p in step.message)
            arguments = [self.lower(p, names) for p in step.message if isinstance(p, exp.Expr)]
            sample = None if step.sample is None else self.lower(step.sample, names)
            return self.shell("guard.sql.j2", {
                "because": because, "when": self.lower(step.when, names), "code": step.code, "sample": sample, "node": node,
                "message": self.string_escape("%s: " + text), "arguments": arguments, "hint": self.string_escape(step.hint),
            })  # fmt: skip
        addressed = _addressed(step)
        return self.shell("write.sql.j2", {
            "because": because, "statement": self.lower(_in_order(step.statement) if addressed else step.statement, names),
            "what": step.what, "addressed": addressed,
            "when": None if step.when is None else self.lower(step.when, names),
            "expected": None if step.expected is None else self.lower(step.expected, names),
        })  # fmt: skip

    def task(self, task: Task, names: Names, spec_hash: str) -> list[Piece]:
        label = self.string_escape(self.task_label(task, names))
        values = {
            **self.task_values(task, names), "control": self.quote(names.control), "spec_hash": self.string_escape(spec_hash),
            "steps": [self._step(s, names, label) for s in (*task.checks, *task.steps)],
            "counters": [(n, self.lower(task.counters[n], names)) for n in COUNTERS if n in task.counters],
            "row_security": self.string_escape(str(names.target.settings.get("row_security", "off"))),
        }  # fmt: skip
        return [self.shell("task_script.sql.j2" if self.scripted(names) else "task.sql.j2", values)]

    def job(self, job: Job, names: Names, programs: Mapping[str, Program]) -> list[Piece]:
        return [
            self.shell("job.sql.j2", {
                "name": self.path(names.own(f"run_job_{job.schedule}")), "control": self.quote(names.control), "schedule": job.schedule,
                "calls": [self.path(names.own(f"run_{n}")) for n in job.nodes],
            })
        ]  # fmt: skip

    def control(self, names: Names) -> list[Piece]:
        values = {
            "control": self.quote(names.control), "control_name": self.string_escape(self.quote(names.control)), "counters": COUNTERS,
            "seeds": names.seeds, "tolerance": TOLERANCE,
        }  # fmt: skip
        return [self.shell("control.sql.j2", values)]

    def preamble(self, names: Names, shape: str) -> list[Piece]:
        owner = names.target.owner
        return [
            self.shell("preamble.sql.j2", {
                "control": self.quote(names.control), "shape": self.string_escape(shape), "schemas": [self.quote(s) for s in names.schemas],
                "owner": self.environment_name(owner).sql("postgres") if owner else None,
                "control_name": self.string_escape(names.control), "version": names.target.min_version or 15,
            })
        ]  # fmt: skip

    def postamble(self, names: Names, shape: str) -> list[Piece]:
        return [self.shell("postamble.sql.j2", {"control": self.quote(names.control), "shape": self.string_escape(shape)})]

    def rights(self, names: Names, programs: Mapping[str, Program], jobs: Sequence[Job]) -> list[Rights]:
        runner, reader = names.target.runner, names.target.reader
        control, nodes = names.place(names.control), names.project.nodes.values()
        found = []
        if runner:
            log = ["run_log", "state", "windows", "run_health", "node_status", *(["source_freshness"] if names.watched else [])]
            called = [(f"run_{n}", self._arguments(p)) for n, p in programs.items()]
            called += [(f"apply_{n}", f"BIGINT, {self._arguments(p)}") for n, p in programs.items()]
            called += [(f"run_job_{j.schedule}", "") for j in jobs]
            found.append(Rights(f"{self.role(runner)} may call the runs and read the log, and nothing else.", (
                *self.usage([control], runner),
                Grant("SELECT", "TABLE", tuple(names.own(n) for n in log), runner),
                *(Grant("EXECUTE", "FUNCTION", (names.own(n),), runner, arguments) for n, arguments in LOGGING.items()),
                *(Grant("EXECUTE", "PROCEDURE", (names.own(n),), runner, arguments) for n, arguments in called),
            )))  # fmt: skip
        if reader:
            others = [names.place(s) for s in names.schemas if s != names.control]
            granted = (*self.usage(others, reader), *self.selecting(nodes, names, reader))
            found.append(Rights(f"{self.role(reader)} may read.", granted))
        return found

    def granted(self, grant: Grant) -> str:
        """Tables and views are one kind here, which needs no word."""
        return super().granted(grant).removeprefix("TABLE ").removeprefix("VIEW ")

    def _arguments(self, program: Program) -> str:
        return ", ".join(t for _, t in self.signature(program))

    def roles(self, names: Names) -> list[Piece]:
        target = names.target
        found = [(r, self.environment_name(r).sql("postgres")) for r in (target.owner, target.runner, target.reader, *names.readers) if r]
        if not found:
            return []
        sources = [names.symbol("source", s) for s in names.project.sources]
        return [
            self.shell("roles.sql.j2", {
                "roles": [(self.string_escape(self.inspector.role(name)), said) for name, said in found],
                "owner": target.owner and self.environment_name(target.owner).sql("postgres"),
                "source_schemas": sorted({self.quote(a.schema) for a in sources}), "sources": [self.path(a) for a in sources],
            })
        ]  # fmt: skip


def _made(insert: exp.Insert, stage: StageTable) -> exp.Create:
    """The first INSERT into a stage as CREATE TABLE … AS, which several workers can share; no INSERT can.

    Its columns would have the types of the query, so the first branch says the declared ones: a source may be narrower, or a domain. Texts
    are cut to their length when they are written, where one that is too long is refused; a cast would cut it in silence.
    """
    query, kinds = insert.expression.copy(), {c.name: types.TEXT if c.type.this is T.VARCHAR else c.type for c in stage.columns}
    if stage.row_address:
        kinds[ROW_ADDRESS] = exp.DataType.build("tid", dialect="postgres", udt=True)
    given = [c.name for c in insert.this.expressions]
    first, *others = _branches(query)
    for name, projection in zip(given, list(first.selects), strict=True):
        value, ours = projection.unalias(), name.startswith(symbols.OWN_PREFIX)
        if isinstance(value, exp.Null) or not (ours or isinstance(value, exp.Cast)):
            projection.replace(_as(value.copy(), kinds[name], name))
    for name in (n for n in kinds if n not in given):
        for branch in (first, *others):
            branch.select(_as(exp.null(), kinds[name], name), copy=False)
    properties = exp.Properties(expressions=[exp.UnloggedProperty()])
    return exp.Create(this=insert.this.this.copy(), kind="TABLE", expression=query, properties=properties)


def _as(value: exp.Expr, kind: exp.DataType, name: str) -> exp.Alias:
    """CAST(value AS kind) AS name."""
    return exp.Alias(this=exp.cast(value, kind.copy()), alias=exp.to_identifier(name, quoted=True))


def _branches(query: exp.Query) -> list[exp.Select]:
    if isinstance(query, exp.SetOperation):
        return [*_branches(query.left), *_branches(query.right)]
    assert isinstance(query, exp.Select)
    return [query]


def _in_order(update: exp.Expr) -> exp.Expr:
    """UPDATE … FROM the stage in the order of the addresses: no page of the table is then read twice."""
    found = update.copy()
    stage = found.args["from_"].this
    read = {c.name: exp.column(c.name, table=c.table, quoted=True) for c in found.find_all(exp.Column) if c.table == stage.alias}
    ordered = exp.select(*(read[n] for n in sorted(read))).from_(stage.copy())
    ordered = ordered.order_by(exp.Ordered(this=exp.column(ROW_ADDRESS, table=stage.alias, quoted=True), nulls_first=False))
    stage.replace(ordered.subquery(stage.alias))
    return found


def _addressed(step: Step) -> bool:
    """Whether it is an UPDATE that finds the rows of the target by their physical addresses."""
    if not isinstance(step, Write) or not isinstance(step.statement, exp.Update):
        return False
    return any(c.name == ROW_ADDRESS for c in step.statement.find_all(exp.Column))


DIALECT = Postgres()
