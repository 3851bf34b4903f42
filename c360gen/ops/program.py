"""The run of one node as steps: stage, count, guard, write. How an engine locks, logs and commits around them is its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from c360gen.ops.schema import StageTable
from c360gen.spec.models import Size


@dataclass(frozen=True)
class Stage:
    """Fill the scratch table. `when` is a condition over variables."""

    because: str
    insert: exp.Insert
    when: exp.Expr | None = None
    begins: bool = False
    """Whether nothing is staged before it; of several that begin, `when` lets one run."""
    from_stage: bool = False
    """Whether it reads what was staged before: an engine that plans by statistics takes them first."""


@dataclass(frozen=True)
class Count:
    """Read one row into variables: the projections of `query`, in order, into `names`; not at all where `when` is false."""

    because: str
    names: tuple[str, ...]
    query: exp.Select
    when: exp.Expr | None = None


@dataclass(frozen=True)
class Guard:
    """Fail before anything is written. The message is text and expressions; `sample` gives one text: up to five keys."""

    code: str
    because: str
    when: exp.Expr
    message: tuple[str | exp.Expr, ...]
    sample: exp.Query | None
    hint: str


@dataclass(frozen=True)
class Write:
    """Change the target; where the engine counts rows and `expected` is given, another count is an error."""

    because: str
    statement: exp.Insert | exp.Update | exp.Delete
    when: exp.Expr | None = None
    expected: exp.Expr | None = None
    what: str = "rows"


Step = Stage | Count | Guard | Write

GUARDS: dict[str, str] = {
    "ZC001": "duplicate key",
    "ZC002": "NULL in a key column",
    "ZC003": "updated_at, cursor, event_time or version is NULL",
    "ZC004": "the source is empty",
    "ZC005": "time runs backwards",
    "ZC006": "the target changed under the run",
    "ZC007": "wrong isolation level",
    "ZC008": "not deployed",
    "ZC009": "updated_at lies in the future",
    "ZC010": "a version cannot be closed yet",
    "ZC011": "source columns are not as declared",
    "ZC012": "a row changed without its updated_at",
    "ZC013": "too many deletes",
    "ZC014": "an event arrived late",
    "ZC015": "outside of every window",
    "ZC016": "the history is damaged",
    "ZC017": "the source still has what should be erased",
    "ZC018": "the log does not reach back so far",
    "ZC019": "a source is too old",
    "ZC020": "a full refresh is refused",
    "ZC021": "a constraint does not hold",
    "ZC022": "the history has versions already",
    "ZC023": "what was adopted is not what was there",
    "ZC024": "the last run is not seen yet",
}
"""Codes of the failures that procedures raise themselves: SQLSTATEs on Postgres, the first word of the message elsewhere."""

TOLERANCE = 300
"""Seconds that a time of the source, or an as_of, may lie ahead of the clock, where a node says nothing else."""


@dataclass(frozen=True)
class Windows:
    """Time cut into windows: each is loaded by a transaction of its own, oldest first, and again until it is final."""

    size: Size
    begin: dt.datetime
    lookback: int
    """How many windows after its end a window is final."""


class Stepped:
    """What follows from the steps of a procedure."""

    checks: tuple[Step, ...]
    steps: tuple[Step, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of terms.symbols.VARIABLES that are counted into, besides the fixed ones."""
        return tuple(dict.fromkeys(n for s in (*self.checks, *self.steps) if isinstance(s, Count) for n in s.names))

    @property
    def guards(self) -> frozenset[str]:
        return frozenset(s.code for s in (*self.checks, *self.steps) if isinstance(s, Guard))

    @property
    def has_sample(self) -> bool:
        return any(isinstance(s, Guard) and s.sample is not None for s in (*self.checks, *self.steps))

    @property
    def has_rows(self) -> bool:
        """Whether the rows of a write are counted."""
        return any(isinstance(s, Write) and s.expected is not None for s in self.steps)


@dataclass(frozen=True)
class Program(Stepped):
    """What `run_<node>` does between the lock and the commit."""

    node: str
    summary: str
    rules: tuple[str, ...]
    steps: tuple[Step, ...]
    counters: Mapping[str, exp.Expr]
    """Columns of the run log that this node fills."""
    checks: tuple[Step, ...] = ()
    """Steps before the transaction: they look at the engine's catalog, which has none."""
    stage: StageTable | None = None
    full_refresh: bool = False
    lookback: int | None = None
    """Seconds before the watermark at which reading starts; None: the node has no watermark."""
    tolerance: int = TOLERANCE
    windows: Windows | None = None
    """The steps load the rows between window_start and window_end; None: they run once."""


@dataclass(frozen=True)
class Task(Stepped):
    """A procedure of a node that a person calls, `<action>_<node>`: logged as a run is, and without effect in a dry run."""

    action: Literal["check", "rewind", "erase", "adopt"]
    node: str | None
    """None: it is a task of the project, which locks nothing."""
    summary: str
    rules: tuple[str, ...]
    steps: tuple[Step, ...]
    counters: Mapping[str, exp.Expr]
    parameters: tuple[tuple[str, str, exp.DataType], ...] = ()
    """(argument, the variable that it becomes, type); every one must be given."""
    subject: str = ""
    """What it is about, where that is no node."""
    checks: tuple[Step, ...] = ()
    """Steps before the transaction, as a Program has them."""
    known: tuple[str, ...] = ()
    """Variables that the shell has filled before the steps."""

    @property
    def variables(self) -> tuple[str, ...]:
        return (*super().variables, *self.known)

    @property
    def name(self) -> str:
        return f"{self.action}_{self.node or self.subject}"

    @property
    def dry_run(self) -> bool:
        """Whether it changes anything, and so has a dry run, which is the default."""
        return any(isinstance(s, Write) for s in self.steps)


COUNTERS = (
    "source_rows", "inserted_rows", "updated_rows", "closed_rows", "deleted_rows", "revived_rows", "unchanged_rows", "dated_by_run",
    "quarantined_rows",
)  # fmt: skip
"""The counters of the run log, in its order."""


@dataclass(frozen=True)
class Job:
    """The nodes of a schedule, in dependency order; the first failure stops it."""

    schedule: str
    nodes: tuple[str, ...]
    description: str = ""
