"""What Snowflake and BigQuery share: a lock table per node, a run log that is only ever inserted into, a stage of the session."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from c360gen.dialects import tables
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.ops.program import COUNTERS, GUARDS, Count, Guard, Job, Program, Stage, Step, Task
from c360gen.ops.schema import StageTable
from c360gen.ops.shell import Piece, Shell
from c360gen.terms import symbols, types


class Warehouse(Dialect):
    """Statements are the same on both; how they are carried is each one's own."""

    sees_databases = True
    text_type: str
    count_type: str

    def control_path(self, names: Names, table: str) -> str:
        return self.path(names.own(table))

    def register(self, program: Program, names: Names) -> list[Piece]:
        values = {
            "lock": self.control_path(names, f"lock_{program.node}"), "node": self.string_escape(self.label(names.node(program.node))),
            "description": self.string_escape(f"Mutex of run_{program.node}: exactly one row."), "text": self.text_type,
            "time": self.type(types.TIMESTAMPTZ),
        }  # fmt: skip
        return [self.shell("register.sql.j2", values)]

    def procedure(self, program: Program, names: Names, spec_hash: str) -> list[Piece]:
        label = self.label(names.node(program.node))
        counters = [n for n in COUNTERS if n in program.counters]
        counted = [v for v in program.variables if v not in ("watermark", "window_start", "last_as_of")]
        values = {
            "run": self.path(names.own(f"run_{program.node}")),
            "call": self.call(names.own(f"run_{program.node}"), program.full_refresh),
            "run_log": self.control_path(names, "run_log"), "watermark": self.control_path(names, "watermark"),
            "lock": self.control_path(names, f"lock_{program.node}"), "node": self.string_escape(label),
            "spec_hash": self.string_escape(spec_hash), "tolerance": program.tolerance, "lookback": program.lookback,
            "windows": self.windows(program), "window_log": self.control_path(names, "window_log"),
            "known_windows": self.control_path(names, "windows"),
            "full_refresh": program.full_refresh, "summary": program.summary, "rules": program.rules,
            "description": self.string_escape(program.summary), "text": self.text_type, "time": self.type(types.TIMESTAMPTZ),
            "variables": [(f"v_{v}", self.variable_type(v)) for v in counted],
            "stage": self.stage(program.stage, names) if program.stage else None,
            "checks": [self.step(s, names, label) for s in program.checks],
            "steps": [self.step(s, names, label) for s in program.steps],
            "counters": counters, "counted": [self.lower(program.counters[n], names) for n in counters],
            "has_sample": any(isinstance(s, Guard) and s.sample is not None for s in (*program.checks, *program.steps)),
            "refreshable": "ZC020" not in program.guards, "constrained": "ZC021" in program.guards,
            "codes": [(c, GUARDS[c]) for c in sorted({*program.guards, *self.own_codes(program), *self.lock_codes, "ZC006"})],
        }  # fmt: skip
        return [self.shell("script.sql.j2" if self.scripted(names) else "procedure.sql.j2", values)]

    def task(self, task: Task, names: Names, spec_hash: str) -> list[Piece]:
        label = self.task_label(task, names)
        counters = [n for n in COUNTERS if n in task.counters]
        values = {
            **self.task_values(task, names), "spec_hash": self.string_escape(spec_hash),
            "run_log": self.control_path(names, "run_log"), "watermark": self.control_path(names, "watermark"),
            "lock": self.control_path(names, f"lock_{task.node}") if task.node else None, "time": self.type(types.TIMESTAMPTZ),
            "variables": [(f"v_{v}", self.variable_type(v)) for v in task.variables],
            "checks": [self.step(s, names, label) for s in task.checks],
            "steps": [self.step(s, names, label) for s in task.steps],
            "counters": counters, "counted": [self.lower(task.counters[n], names) for n in counters],
        }  # fmt: skip
        return [self.shell("task_script.sql.j2" if self.scripted(names) else "task.sql.j2", values)]

    def variable_type(self, name: str) -> str:
        return self.count_type if symbols.VARIABLES[name] == "bigint" else super().variable_type(name)

    def stored_family(self, type_: exp.DataType) -> str:
        """The id of a run is a text: it is drawn, not counted."""
        return "text" if type_.this is types.T.UUID else super().stored_family(type_)

    def stage(self, op: StageTable, names: Names) -> exp.Create:
        columns = [tables.column_definition(self, c) for c in op.columns]
        return exp.Create(
            this=exp.Schema(this=self.stage_table_name(names.own(f"stage_{op.node}")), expressions=list(columns)), kind="TABLE",
            replace=True, properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
        )  # fmt: skip

    def step(self, step: Step, names: Names, label: str) -> Shell:
        if isinstance(step, Count):
            return self.count(step, names)
        if isinstance(step, Guard):
            return self.guard(step, names, label)
        values: dict[str, Any] = {
            "because": step.because, "when": None if step.when is None else self.scripting(step.when, names),
            "statement": self.lower(step.insert if isinstance(step, Stage) else step.statement, names),
            "expected": None, "what": "rows", "label": self.string_escape(label),
        }  # fmt: skip
        if not isinstance(step, Stage):
            values |= {"expected": None if step.expected is None else self.scripting(step.expected, names), "what": step.what}
        return self.shell("write.sql.j2", values)

    def scripting(self, tree: exp.Expr, names: Names) -> exp.Expr:
        """A condition or a number of the procedure itself, which no statement of SQL is."""
        return self.lower(tree, names)

    @abstractmethod
    def count(self, step: Count, names: Names) -> Shell: ...

    @abstractmethod
    def guard(self, step: Guard, names: Names, label: str) -> Shell: ...

    def job(self, job: Job, names: Names, programs: Mapping[str, Program]) -> list[Piece]:
        values = {
            "name": self.path(names.own(f"run_job_{job.schedule}")), "schedule": job.schedule,
            "calls": [self.call(names.own(f"run_{n}"), programs[n].full_refresh) for n in job.nodes],
            "count": len(job.nodes), "description": self.string_escape(f"Runs every node of the schedule {job.schedule} in order"),
        }  # fmt: skip
        return [self.shell("job.sql.j2", values)]

    def control(self, names: Names) -> list[Piece]:
        values = {
            "run_log": self.control_path(names, "run_log"), "watermark": self.control_path(names, "watermark"),
            "run_status": self.control_path(names, "run_status"), "node_status": self.control_path(names, "node_status"),
            "window_log": self.control_path(names, "window_log"), "windows": self.control_path(names, "windows"), "counters": COUNTERS,
            "seed_state": self.control_path(names, "seed_state") if names.seeds else None,
        }  # fmt: skip
        return [self.shell("control.sql.j2", values)]

    def preamble(self, names: Names, shape: str) -> list[Piece]:
        schemas = [self.schema_of(Address(names.database, s, "")) for s in names.schemas]
        location = self.string_escape(names.target.location) if names.target.location else None
        owner = self.environment_name(names.target.owner).sql(self.name) if names.target.owner else None
        values = {**self._release(names, shape), "schemas": schemas, "location": location, "owner": owner}
        return [self.shell("preamble.sql.j2", values)]

    def postamble(self, names: Names, shape: str) -> list[Piece]:
        return [self.shell("postamble.sql.j2", self._release(names, shape))]

    def _release(self, names: Names, shape: str) -> dict[str, object]:
        return {"release": self.control_path(names, "release"), "shape": self.string_escape(shape)}
