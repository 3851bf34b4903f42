"""What all dialects share: one method per operation, which each engine may say differently."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from c360gen.dialects.names import Address, Names
from c360gen.dialects.rights import Grant, Kind, Rights
from c360gen.dialects.words import Words
from c360gen.ops.change import Routine
from c360gen.ops.program import GUARDS, Count, Job, Program, Task
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, CreateTableFunction, CreateView, LoadSeed, Traits
from c360gen.ops.shell import Piece, Shell
from c360gen.project.nodes import Node
from c360gen.terms import types
from c360gen.terms.types import T

if TYPE_CHECKING:
    from c360gen.dialects.changes import Changes
    from c360gen.dialects.inspector import Inspector

FIXED = ("watermark", "window_start", "last_as_of")
"""Variables of every run, which its shell declares."""


class Dialect(Words):
    """Facts of an engine, and one method per operation, found by the operation's name."""

    traits: Traits
    inspects: type[Inspector]
    """How this engine's catalog is read."""
    migrates: type[Changes]
    """How this engine says a migration."""
    has_procedures: bool = True
    longest: int | None = None
    """Bytes that one query, and so deploy.sql, may have; None: no limit that a deploy would meet."""
    defers_unique = False
    """Whether UNIQUE, where nothing else is said, is looked at row by row within a statement."""
    calls = "EXECUTE"
    """The privilege to call a routine."""
    lock_codes: tuple[str, ...] = ("ZC008",)
    """Codes of what may go wrong when a node is locked."""

    # --- operations ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def create_table(self, op: CreateTable, names: Names) -> list[Piece]: ...

    def create_index(self, op: CreateIndex, names: Names) -> list[Piece]:
        """Nothing where the engine has no indexes."""
        return []

    @abstractmethod
    def create_view(self, op: CreateView, names: Names) -> list[Piece]: ...

    def create_table_function(self, op: CreateTableFunction, names: Names) -> list[Piece]:
        return [
            self.shell("table_function.sql.j2", {
                "name": self.path(names.node(op.of, op.name)), "query": self.lower(op.query, names),
                "columns": [f"{self.parameter(c.name)} {self.type(c.type)}" for c in op.columns],
                "description": self.string_escape(op.description), "parameters": self.function_parameters(op),
                "signature": ", ".join([self.type(types.TIMESTAMPTZ)] * len(op.parameters)),
            })
        ]  # fmt: skip

    def load_seed(self, op: LoadSeed, names: Names) -> list[Piece]:
        """The rows of a seed, where they are not what was loaded last."""
        values = {
            "state": self.path(names.own("seed_state")), "seed": self.string_escape(self.label(names.node(op.node))),
            "digest": self.string_escape(op.digest), "statements": [self.lower(s, names) for s in (op.empty, *op.inserts)],
        }  # fmt: skip
        return [self.shell("seed.sql.j2", values)]

    def freshness(self, query: exp.Query, names: Names) -> list[Piece]:
        """The view of how fresh the sources are."""
        values = {"view": self.path(names.own("source_freshness")), "query": self.lower(query, names)}
        return [self.shell("freshness.sql.j2", values)]

    def register(self, program: Program, names: Names) -> list[Piece]:
        """The row that makes a node known to the control tables: its lock, its state."""
        values = {"control": self.quote(names.control), "node": self.string_escape(self.label(names.node(program.node)))}
        return [self.shell("register.sql.j2", values)]

    @abstractmethod
    def procedure(self, program: Program, names: Names, spec_hash: str) -> list[Piece]: ...

    def program_values(self, program: Program, names: Names, spec_hash: str) -> dict[str, Any]:
        """What the shells of all dialects need of a run."""
        return {
            "node": self.string_escape(self.label(names.node(program.node))), "spec_hash": self.string_escape(spec_hash),
            "summary": program.summary, "rules": program.rules, "tolerance": program.tolerance, "lookback": program.lookback,
            "windows": self.windows(program), "full_refresh": program.full_refresh,
            "variables": [(f"v_{v}", self.variable_type(v)) for v in program.variables if v not in FIXED],
            "has_sample": program.has_sample, "has_rows": program.has_rows,
            "refreshable": "ZC020" not in program.guards, "constrained": "ZC021" in program.guards,
            "codes": [(c, GUARDS[c]) for c in sorted(program.guards | self.own_codes(program))],
        }  # fmt: skip

    @abstractmethod
    def task(self, task: Task, names: Names, spec_hash: str) -> list[Piece]:
        """The procedure, or script, that a person calls."""

    def task_values(self, task: Task, names: Names) -> dict[str, Any]:
        """What the shells of all dialects need of a task."""
        flag = self.type(types.BOOLEAN)
        declared = [(f"p_{p}", self.type(t)) for p, _, t in task.parameters]
        own = [*(["ZC006"] if task.dry_run else []), *(self.lock_codes if task.node else [])]
        label = self.task_label(task, names)
        return {
            "name": self.path(names.own(task.name)), "node": self.string_escape(label), "locks": task.node is not None,
            "action": task.action, "dry_run": task.dry_run,
            "summary": task.summary, "rules": task.rules, "description": self.string_escape(task.summary),
            "codes": [(c, GUARDS[c]) for c in sorted({*task.guards, *own})],
            "arguments": [(v, self.type(t), f"p_{p}") for p, v, t in self.task_arguments(task)],
            "parameters": [f"{n} {t}" for n, t in declared] + ([self.flag_parameter(flag)] if task.dry_run else []),
            "signature": [t for _, t in declared] + ([flag] if task.dry_run else []),
            "example": ", ".join(self.example(t) for _, _, t in task.parameters),
            "variables": [(self.variable(v).name, self.variable_type(v)) for v in task.variables],
            "reads_clock": any(p.name == "as_of" for s in task.steps if isinstance(s, Count) for p in s.query.find_all(exp.Placeholder)),
            "has_sample": task.has_sample, "has_rows": task.has_rows,
        }  # fmt: skip

    def task_label(self, task: Task, names: Names) -> str:
        """What the log calls the subject of a task: a node, or the project's view of that name."""
        return self.label(names.node(task.node) if task.node else names.own(f"source_{task.subject}"))

    def task_arguments(self, task: Task) -> list[tuple[str, str, exp.DataType]]:
        """(argument, what the variable is called here, type)."""
        return [(p, f"v_{v}", t) for p, v, t in task.parameters]

    def flag_parameter(self, type_: str) -> str:
        return f"p_dry_run {type_} DEFAULT TRUE"

    def example(self, type_: exp.DataType) -> str:
        """A value to show in a comment."""
        if type_.this is T.TIMESTAMPTZ:
            return f"'{self.instant('2026-01-31 02:00:00+00')}'"
        return "4711" if type_.this in types.NUMBERS else "'4711'"

    @abstractmethod
    def job(self, job: Job, names: Names, programs: Mapping[str, Program]) -> list[Piece]: ...

    @abstractmethod
    def control(self, names: Names) -> list[Piece]: ...

    def prune(self, names: Names) -> list[Piece]:
        """What removes old rows of the run log; a person or a scheduler calls it."""
        values = {
            "control": self.schema_path(names), "name": self.path(names.own("prune_run_log")),
            "run_log": self.path(names.own("run_log")), "watermark": self.path(names.own("watermark")),
            "window_log": self.path(names.own("window_log")), "state": self.path(names.own("state")),
            "days": -(-names.project.project.run_log_retention // 86400),
        }  # fmt: skip
        return [self.shell("prune_script.sql.j2" if self.scripted(names) else "prune.sql.j2", values)]

    @abstractmethod
    def preamble(self, names: Names, shape: str) -> list[Piece]:
        """What opens deploy.sql: a guard that refuses a database in another released state."""

    @abstractmethod
    def postamble(self, names: Names, shape: str) -> list[Piece]:
        """What closes deploy.sql: the released state, and the commit where there is one."""

    @property
    def inspector(self) -> Inspector:
        return self.inspects(self)

    @property
    def changes(self) -> Changes:
        return self.migrates(self)

    def clustered(self, op: CreateTable) -> tuple[str, ...]:
        """Columns that cannot be renamed or retyped, because the engine stores the rows by them."""
        return ()

    def routines(
        self, names: Names, programs: Mapping[str, Program], tasks: Mapping[str, Sequence[Task]], jobs: Sequence[Job]
    ) -> list[Routine]:
        """Every procedure and function, as a DROP would name it."""
        found: list[Routine] = []
        if not self.scripted(names):
            for name, program in programs.items():
                arguments = ", ".join(t for _, t in self.signature(program))
                found += [Routine("PROCEDURE", self.path(names.own(p)), f"{first}{arguments}") for p, first in self.procedures_of(name)]
                found += [
                    Routine("PROCEDURE", self.path(names.own(t.name)), ", ".join(self.task_values(t, names)["signature"]))
                    for t in tasks.get(name, ())
                ]  # fmt: skip
            found += [Routine("PROCEDURE", self.path(names.own(f"run_job_{j.schedule}")), "") for j in jobs]
        time = self.type(types.TIMESTAMPTZ)
        for node in names.project.nodes.values():
            found += [
                Routine("FUNCTION", self.path(names.node(node.name, f)), ", ".join([time] * count)) for f, count in node.functions.items()
            ]
        return found

    def procedures_of(self, node: str) -> list[tuple[str, str]]:
        """(name, what stands before the arguments of a run) of the procedures that run a node."""
        return [(f"run_{node}", "")]

    def rights(self, names: Names, programs: Mapping[str, Program], jobs: Sequence[Job]) -> list[Rights]:
        """What the target's runner and reader may do; nothing where the engine has no rights."""
        return []

    def reading(self, role: str, nodes: Sequence[Node], names: Names) -> list[Rights]:
        """A role may read single nodes: `grants:` of the specs."""
        schemas = tuple(dict.fromkeys(names.node(n.name).place for n in nodes))
        told = f"{self.role(role)} may read the nodes that name it under grants:."
        return [Rights(told, (*self.usage(schemas, role), *self.selecting(nodes, names, role)))]

    def usage(self, schemas: Sequence[Address], role: str) -> list[Grant]:
        """The right to find anything in schemas."""
        return [Grant("USAGE", "SCHEMA", tuple(schemas), role)] if schemas else []

    def selecting(self, nodes: Iterable[Node], names: Names, role: str) -> list[Grant]:
        """The right to read every table, view and table function of nodes."""
        known = list(nodes)
        found = [Grant("SELECT", kind, (address,), role) for kind, address in self.relations(names, known)]
        return [*found, *(Grant(self.calls, "FUNCTION", (a,), role, arguments) for a, arguments in self.functions(names, known))]

    def grants(self, rights: Rights) -> Piece:
        """GRANT statements, under what they are for."""
        values = {"said": rights.said, "grants": [(g.privilege, self.granted(g), self.role(g.to)) for g in rights.grants]}
        return self.shell("grants.sql.j2", values)

    def granted(self, grant: Grant) -> str:
        """What a GRANT is on: TABLE a, FUNCTION b(TEXT), SCHEMA c, d."""
        paths = [self.path(a) if a.name else self.schema_of(a) for a in grant.objects]
        arguments = f"({self.signed(grant.arguments)})" if grant.kind in ("FUNCTION", "PROCEDURE") else ""
        return f"{grant.kind} {', '.join(paths)}{arguments}"

    @staticmethod
    def signed(arguments: str) -> str:
        """Types of arguments where they only tell one routine from another of its name."""
        return arguments

    def schema_of(self, address: Address) -> str:
        """The schema of an address, quoted, with its database where the engine has several; a database alone has no schema."""
        parts = [self.environment_name(address.database)] if address.database else []
        parts += [self.identifier(address.schema)] if address.schema else []
        return ".".join(p.sql(self.name) for p in parts)

    def role(self, name: str) -> str:
        """A role as statements name it."""
        return self.environment_name(name).sql(self.name)

    def roles(self, names: Names) -> list[Piece]:
        """What an administrator runs once before the first deploy; nothing where the target names no roles."""
        return []

    # --- shared pieces -------------------------------------------------------------------------------------------------

    def column_rows(self, columns: Sequence[ColumnDef]) -> list[tuple[str, str, bool, str]]:
        """(quoted name, engine type, NOT NULL, description) for the shells that list columns."""
        return [(self.quote(c.name), self.type(c.type), c.not_null, c.description) for c in columns]

    def signature(self, program: Program) -> list[tuple[str, str]]:
        found = [("p_as_of", self.type(types.TIMESTAMPTZ))]
        return [*found, ("p_full_refresh", self.type(types.BOOLEAN))] if program.full_refresh else found

    def parameter(self, name: str) -> str:
        """A column that a function returns, where an engine takes it for a parameter."""
        return self.quote(name)

    def function_parameters(self, op: CreateTableFunction) -> str:
        """p_from TIMESTAMPTZ, p_to TIMESTAMPTZ."""
        return ", ".join(f"p_{p} {self.type(types.TIMESTAMPTZ)}" for p in op.parameters)

    def relations(self, names: Names, nodes: Iterable[Node]) -> list[tuple[Kind, Address]]:
        """Every table and view of nodes."""
        return [
            ("VIEW" if i in n.views or n.kind == "view" else "TABLE", names.node(n.name, i))
            for n in nodes if n.exists for i in (n.identifier, *n.views)
        ]  # fmt: skip

    def functions(self, names: Names, nodes: Iterable[Node]) -> list[tuple[Address, str]]:
        """Every table function of nodes, with the types of its arguments: schema.history_as_of, TIMESTAMPTZ."""
        time = self.type(types.TIMESTAMPTZ)
        return [(names.node(n.name, name), ", ".join([time] * count)) for n in nodes for name, count in n.functions.items()]

    def rows_of(self, function: Address, arguments: Sequence[exp.Expr]) -> exp.Table:
        """What a table function returns, as a relation: schema.history_as_of(t)."""
        called = exp.Anonymous(this=self.quote(function.name), expressions=[*arguments])
        return exp.Table(this=exp.Dot(this=exp.Var(this=self.schema_of(function.place)), expression=called))

    def windows(self, program: Program) -> dict[str, object] | None:
        """What a shell needs to know of a program's windows; None where it has none."""
        if (found := program.windows) is None:
            return None
        begin = self.instant(f"{found.begin.replace(tzinfo=None).isoformat(sep=' ')}+00")
        return {"size": found.size, "begin": self.string_escape(begin), "lookback": found.lookback}

    def own_codes(self, program: Program) -> set[str]:
        """The guards that every shell has itself: over the time of the run."""
        return {"ZC005", "ZC015"} if program.windows else {"ZC005"}

    def scripted(self, names: Names) -> bool:
        """Whether a run is a script to be executed, not a procedure to be called: by choice, or because the engine has none."""
        return names.target.form == "scripts" or not self.has_procedures

    def shell(self, template: str, values: Mapping[str, Any]) -> Shell:
        return Shell(f"dialects/{self.name}/{template}", values)

    def call(self, procedure: Address, full_refresh: bool | None) -> str:
        """The statement that calls a procedure, arguments left at their defaults; `full_refresh` None: it takes none at all."""
        return f"CALL {self.path(procedure)}();"

    def schema_path(self, names: Names) -> str:
        """The control schema, quoted, with its database where the engine has several."""
        return self.schema_of(names.place(names.control))

    def label(self, address: Address) -> str:
        """How messages and logs call a node: schema.name."""
        return f"{address.schema}.{address.name}"
