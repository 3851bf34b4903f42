"""What Snowflake and BigQuery share: a lock table per node, a run log that is only ever inserted into, a stage of the session."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from c360gen.dialects import tables
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.ops.program import COUNTERS, Count, Guard, Job, Program, Stage, Step, Task
from c360gen.ops.shell import Piece, Shell
from c360gen.terms import symbols, types


class Warehouse(Dialect):
    """Statements are the same on both; how they are carried is each one's own."""

    sees_databases = True
    forbids = (*Dialect.forbids, (exp.Lateral, "LATERAL"), (exp.OnConflict, "ON CONFLICT"))
    text_type: str
    count_type: str

    def register(self, program: Program, names: Names) -> list[Piece]:
        values = {
            "lock": self.path(names.own(f"lock_{program.node}")), "node": self.string_escape(self.label(names.node(program.node))),
            "run_log": self.path(names.own("run_log")), "text": self.text_type,
            "description": self.string_escape(f"Mutex of run_{program.node}: exactly one row."),
            "time": self.type(types.TIMESTAMPTZ),
        }  # fmt: skip
        return [self.shell("register.sql.j2", values)]

    def procedure(self, program: Program, names: Names, spec_hash: str) -> list[Piece]:
        label = self.label(names.node(program.node))
        counters = [n for n in COUNTERS if n in program.counters]
        values = {
            **self.program_values(program, names, spec_hash),
            "run": self.path(names.own(f"run_{program.node}")),
            "call": self.call(names.own(f"run_{program.node}"), program.full_refresh),
            "run_log": self.path(names.own("run_log")), "watermark": self.path(names.own("watermark")),
            "lock": self.path(names.own(f"lock_{program.node}")),
            "window_log": self.path(names.own("window_log")),
            "known_windows": self.path(names.own("windows")),
            "description": self.string_escape(program.summary), "text": self.text_type, "time": self.type(types.TIMESTAMPTZ),
            "stage": tables.create_stage(self, program.stage, names) if program.stage else None,
            "checks": [self.step(s, names, label) for s in program.checks],
            "steps": [self.step(s, names, label) for s in program.steps],
            "counters": counters, "counted": [self.lower(program.counters[n], names) for n in counters],
        }  # fmt: skip
        return [self.shell("script.sql.j2" if self.scripted(names) else "procedure.sql.j2", values)]

    def own_codes(self, program: Program) -> set[str]:
        return super().own_codes(program) | {"ZC006", *self.lock_codes}

    def task(self, task: Task, names: Names, spec_hash: str) -> list[Piece]:
        label = self.task_label(task, names)
        counters = [n for n in COUNTERS if n in task.counters]
        values = {
            **self.task_values(task, names), "spec_hash": self.string_escape(spec_hash),
            "run_log": self.path(names.own("run_log")), "watermark": self.path(names.own("watermark")),
            "lock": self.path(names.own(f"lock_{task.node}")) if task.node else None, "time": self.type(types.TIMESTAMPTZ),
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
            "run_log": self.path(names.own("run_log")), "watermark": self.path(names.own("watermark")),
            "run_status": self.path(names.own("run_status")), "node_status": self.path(names.own("node_status")),
            "window_log": self.path(names.own("window_log")), "windows": self.path(names.own("windows")), "counters": COUNTERS,
            "seed_state": self.path(names.own("seed_state")) if names.seeds else None,
        }  # fmt: skip
        return [self.shell("control.sql.j2", values)]

    def preamble(self, names: Names, shape: str) -> list[Piece]:
        schemas = [self.schema_of(names.place(s)) for s in names.schemas]
        location = self.string_escape(names.target.location) if names.target.location else None
        owner = self.environment_name(names.target.owner).sql(self.name) if names.target.owner else None
        values = {**self._release(names, shape), "schemas": schemas, "location": location, "owner": owner}
        return [self.shell("preamble.sql.j2", values)]

    def postamble(self, names: Names, shape: str) -> list[Piece]:
        return [self.shell("postamble.sql.j2", self._release(names, shape))]

    def _release(self, names: Names, shape: str) -> dict[str, object]:
        return {"release": self.path(names.own("release")), "shape": self.string_escape(shape)}
