"""What all dialects share: lowering trees to an engine's words, and the methods that each engine may say differently."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot import exp

from c360gen.dialects.inline import inline
from c360gen.dialects.names import Address, Names
from c360gen.dialects.reserved import RESERVED
from c360gen.dialects.rights import Grant, Kind, Rights
from c360gen.ops.change import Release, Routine
from c360gen.ops.program import GUARDS, Guard, Job, Program, Task, Write
from c360gen.ops.schema import ColumnDef, CreateIndex, CreateTable, CreateTableFunction, CreateView, LoadSeed, StageTable, Traits
from c360gen.ops.shell import Piece, Shell
from c360gen.project.nodes import Node
from c360gen.terms import symbols, types

if TYPE_CHECKING:
    from c360gen.dialects.changes import Changes
    from c360gen.dialects.inspector import Inspector

T = exp.DataType.Type
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


Forbidden = tuple[type[exp.Expr], str]


class Unsupported(Exception):
    """This engine cannot say that; the message tells the user what."""


class Dialect(ABC):
    """Facts of an engine, and one method per operation, found by the operation's name."""

    name: str
    traits: Traits
    types: Mapping[exp.DType, str]
    forbids: Sequence[Forbidden] = ()
    """Nodes that sqlglot would print and the engine would refuse or misread."""
    has_procedures: bool = True
    longest: int | None = None
    """Bytes that one query, and so deploy.sql, may have; None: no limit that a deploy would meet."""
    calls = "EXECUTE"
    """The privilege to call a routine."""
    families: Mapping[str, str] = {}
    """Families of types (terms.types.family) that the engine does not tell apart, and what it calls both."""
    string_escape: Callable[[str], str] = staticmethod(lambda text: "'" + text.replace("'", "''") + "'")

    # --- names ---------------------------------------------------------------------------------------------------------

    def identifier(self, name: str) -> exp.Identifier:
        """Quoted only where it must be: reserved words and anything but a plain lower-case word."""
        return exp.Identifier(this=name, quoted=not _PLAIN.fullmatch(name) or name.upper() in RESERVED)

    def quote(self, name: str) -> str:
        return self.identifier(name).sql(self.name)

    def table(self, address: Address, alias: str | None = None) -> exp.Table:
        made = exp.Table(
            this=self.identifier(address.name), db=self.identifier(address.schema),
            catalog=self.environment_name(address.database) if address.database else None,
        )  # fmt: skip
        if alias:
            made.set("alias", exp.TableAlias(this=self.identifier(alias)))
        return made

    def environment_name(self, name: str) -> exp.Identifier:
        """A database, role or warehouse: it exists already, under the spelling that the target gives."""
        return exp.Identifier(this=name, quoted=not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name))

    def path(self, address: Address) -> str:
        return self.table(address).sql(self.name)

    # --- types ---------------------------------------------------------------------------------------------------------

    def type(self, type_: exp.DataType) -> str:
        """The type of a column: numeric(12,2) → NUMERIC(12, 2)."""
        word = self.types[type_.this]
        sizes = types.sizes(type_)
        return f"{word}({', '.join(map(str, sizes))})" if sizes else word

    def variable_type(self, name: str) -> str:
        """The type of a program's variable; counts have a type of their own on some engines."""
        return self.type(types.parse(symbols.VARIABLES[name]) or types.RUN_ID)

    def data_type(self, text: str) -> exp.DataType:
        """A type's text as a tree that prints as that text."""
        return exp.DataType.build(text, dialect=self.name, udt=True)

    def cast_type(self, type_: exp.DataType) -> str:
        """The type in a CAST, where an engine wants it otherwise."""
        return self.type(type_)

    # --- trees ---------------------------------------------------------------------------------------------------------

    def lower(self, tree: exp.Expr, names: Names, variables: bool = True) -> exp.Expr:
        """A neutral tree in this engine's words: addresses, quoting, types, variables, and the few constructs that differ."""
        root = exp.Paren(this=tree.copy())  # so that the top node, too, can be replaced
        inline(root, names.project.nodes, self.name)
        for node in reversed(list(root.walk(bfs=False))):  # children first
            if isinstance(node, exp.Placeholder):
                cast = node.parent
                needless = isinstance(cast, exp.Cast) and cast.to.this is T.TIMESTAMPTZ
                (cast if needless else node).replace(self._typed_variable(node.name))  # type: ignore[union-attr]
            elif isinstance(node, exp.Literal) and node.meta.get("family"):
                node.replace(exp.Literal.string(self.families.get(node.name, node.name)))
            elif isinstance(node, exp.Literal) and node.meta.get("instant"):
                node.replace(exp.Literal.string(self.instant(node.name)))
            elif isinstance(node, exp.Ordered) and node.meta.get("never_null"):
                node.set("nulls_first", self._nulls_come_first(bool(node.args.get("desc"))))
            elif node is not root and node.parent is not None and (said := self.expression(node)) is not node:
                node.replace(said)
        for table in list(root.find_all(exp.Table)):
            symbol = symbols.symbol(table)
            if symbol and symbol[0] == "columns":
                table.replace(self.catalog(names.symbol("source", symbol[1])).subquery(table.alias))
            elif symbol:
                self._place(table, symbol[0], names.symbol(*symbol))
        for node in list(root.find_all(exp.DataType, exp.Identifier)):
            if isinstance(node, exp.Identifier):
                if not node.meta.get("ours"):
                    node.replace(self.identifier(node.name))
            elif isinstance(node, exp.DataType) and isinstance(node.parent, exp.Cast) and node.this in self.types:
                node.replace(self.data_type(self.cast_type(node)))
        lowered: exp.Expr = root.this
        lowered.pop()
        return lowered

    def _nulls_come_first(self, descending: bool) -> bool:
        """Where this engine puts NULLs when nothing is said: what never is NULL needs no words about it."""
        ordering = sqlglot.Dialect.get_or_raise(self.name).NULL_ORDERING
        return ordering == ("nulls_are_large" if descending else "nulls_are_small")

    def _place(self, node: exp.Table, kind: str, address: Address) -> None:
        made = self.stage_table_name(address) if kind == "stage" else self.table(address)
        for part in ("this", "db", "catalog"):
            if (given := made.args.get(part)) is not None:
                given.meta["ours"] = True
            node.set(part, given)

    def stage_table_name(self, address: Address) -> exp.Table:
        return self.table(address)

    @abstractmethod
    def catalog(self, address: Address) -> exp.Select:
        """SELECT c360_name, c360_family: the columns of a table as the engine's catalog knows them, names in lower case."""

    def catalog_query(self, text: str, address: Address, place: exp.Table | None = None) -> exp.Select:
        """A fixed query over a catalog, parsed; the literals '$schema', '$table' are the address, `place` the catalog's own."""
        query = sqlglot.parse_one(text, read=self.name)
        assert isinstance(query, exp.Select)
        for node in list(query.find_all(exp.Literal)):
            if node.name in ("$schema", "$table", "$database"):
                node.replace(
                    exp.Literal.string({"$schema": address.schema, "$table": address.name, "$database": address.database}[node.name])
                )
        if place is not None:
            query.find(exp.Table).replace(place)  # type: ignore[union-attr]
        for name in query.find_all(exp.Identifier):
            name.meta["ours"] = True  # the catalog's own spelling
        return query

    def variable(self, name: str) -> exp.Expr:
        """A variable of a running procedure, typed, so that it is printed rightly beside other values."""
        made = exp.column(f"v_{name}" if name in symbols.VARIABLES else f"p_{name}")
        made.this.meta["ours"] = True
        return made

    def _typed_variable(self, name: str) -> exp.Expr:
        made = self.variable(name)
        made.type = types.parse(symbols.VARIABLES.get(name, "timestamptz")) or types.RUN_ID
        return made

    def expression(self, node: exp.Expr) -> exp.Expr:
        """One node of a user's or our own tree as this engine says it; children are done already."""
        return node

    def exact(self, node: exp.Expr) -> exp.Expr | None:
        """AVG and `/` of exact numbers, also as a window function; None for anything else."""
        if isinstance(node, exp.Window) and isinstance(node.this, exp.Avg) and node.this.meta.get("exact"):
            return self.average(node.this.this, lambda function: _over(node, function))
        if isinstance(node, exp.Avg) and node.meta.get("exact") and not isinstance(node.parent, exp.Window):
            return self.average(node.this, lambda function: function)
        if isinstance(node, exp.Div) and node.meta.get("exact"):
            return self.quotient(node.this, node.expression)
        return None

    def instant(self, text: str) -> str:
        """A constant such as 9999-12-31 00:00:00+00, as a timestamptz is written here."""
        return text

    def average(self, value: exp.Expr, over: Callable[[exp.Expr], exp.Expr]) -> exp.Expr:
        """The average of exact numbers with nine decimals; `over` makes a window function of an aggregate where it is one."""
        counted = exp.func("NULLIF", over(exp.Count(this=value.copy())), exp.Literal.number(0))
        return self.quotient(over(exp.Sum(this=value.copy())), counted)

    @abstractmethod
    def quotient(self, dividend: exp.Expr, divisor: exp.Expr) -> exp.Expr:
        """An exact division with nine decimals, rounded half away from zero."""

    # --- operations ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def create_table(self, op: CreateTable, names: Names) -> list[Piece]: ...

    def create_index(self, op: CreateIndex, names: Names) -> list[Piece]:
        """Nothing where the engine has no indexes."""
        return []

    @abstractmethod
    def create_view(self, op: CreateView, names: Names) -> list[Piece]: ...

    @abstractmethod
    def create_table_function(self, op: CreateTableFunction, names: Names) -> list[Piece]: ...

    def stage_table(self, op: StageTable, names: Names) -> list[Piece]:
        """Objects that must exist before a run; nothing where the stage is made by the run itself."""
        return []

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

    @abstractmethod
    def task(self, task: Task, names: Names, spec_hash: str) -> list[Piece]:
        """The procedure, or script, that a person calls."""

    def task_values(self, task: Task, names: Names) -> dict[str, Any]:
        """What the shells of all dialects need of a task."""
        flag = self.type(types.BOOLEAN)
        declared = [(f"p_{p}", self.type(t)) for p, _, t in task.parameters]
        own = [*(["ZC006"] if task.dry_run else []), *(["ZC008"] if task.node else [])]
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
            "has_sample": any(isinstance(s, Guard) and s.sample is not None for s in task.steps),
            "has_rows": any(isinstance(s, Write) and s.expected is not None for s in task.steps),
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
    @abstractmethod
    def inspector(self) -> Inspector:
        """How this engine's catalog is read."""

    @property
    @abstractmethod
    def changes(self) -> Changes:
        """How this engine says a migration."""

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

    def ledger(self, names: Names) -> list[Piece]:
        return self.changes.ledger(names)

    def contained(self, names: Names, release: Release) -> list[Piece]:
        return self.changes.contained(names, release)

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
        arguments = f"({grant.arguments})" if grant.kind in ("FUNCTION", "PROCEDURE") else ""
        return f"{grant.kind} {', '.join(paths)}{arguments}"

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

    def windows(self, program: Program) -> dict[str, object] | None:
        """What a shell needs to know of a program's windows; None where it has none."""
        if (found := program.windows) is None:
            return None
        begin = self.instant(f"{found.begin:%Y-%m-%d %H:%M:%S}+00")
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
        return self.path(names.own("x")).rpartition(".")[0]

    def label(self, address: Address) -> str:
        """How messages and logs call a node: schema.name."""
        return f"{address.schema}.{address.name}"


def _over(window: exp.Window, function: exp.Expr) -> exp.Window:
    made = window.copy()
    made.set("this", function)
    return made


def nine(value: exp.Expr) -> exp.Expr:
    """ROUND(value, 9); not sqlglot's Round, which it decorates with casts."""
    return exp.Anonymous(this="ROUND", expressions=[value, exp.Literal.number(9)])


def operand(value: exp.Expr) -> exp.Expr:
    """A copy that can stand beside `/`."""
    return exp.Paren(this=value.copy()) if isinstance(value, exp.Binary) else value.copy()
