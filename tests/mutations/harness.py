"""Runs tests of the suite over mutated texts: a pytest session whose loop is over mutants, each until the first test turns red."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol

from c360gen import pipeline
from c360gen.diagnostics import Diagnostics
from c360gen.dialects.names import Names
from c360gen.emit.bundle import Bundle
from c360gen.ops.change import Release
from tests.conftest import CASES
from tests.mutations.mutants import Mutant
from tests.test_faults import NODES

FILES = (
    "tests/test_scenarios.py", "tests/test_faults.py", "tests/engines", "tests/warehouse", "tests/judges", "tests/test_streams.py",
    "tests/strategies/test_feeds.py",
)  # fmt: skip
Item = pytest.Function
BUSY, LONG = 90.0, 600.0
"""Seconds that any test may take: of this process, and by the clock."""


@dataclass
class Verdict:
    mutant: Mutant
    killed_by: str = ""
    """The test, and what it said; "" for a survivor."""
    tests: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Next:
    """Stands for a test that shares the session with the one before, and nothing else: servers stay, all the rest is taken down."""

    session: pytest.Session

    def listchain(self) -> list[pytest.Session]:
        return [self.session]


@dataclass
class Record:
    """What is known of a test so far."""

    runs: int = 0
    kills: int = 0
    seconds: float = 2.0
    red_anyway: str | None = None
    """What it says of the text as it is: a kill by a test that is red anyway would prove nothing. None: not tried yet."""

    @property
    def worth(self) -> float:
        """Kills per second."""
        return (self.kills + 1) / (self.runs + 2) / max(self.seconds, 0.05)


class Harness:
    """A pytest plugin: `pytest.main([*FILES, …], plugins=[Harness(mutants)])`."""

    def __init__(self, mutants: Sequence[Mutant], report: Callable[[Verdict], None]):
        self.mutants, self.report = mutants, report
        self.verdicts: list[Verdict] = []
        self.records: defaultdict[str, Record] = defaultdict(Record)

    @property
    def red_anyway(self) -> dict[str, str]:
        """Tests that fail without any defect: none of them has killed anything, and the suite must be mended first."""
        return {nodeid: r.red_anyway for nodeid, r in self.records.items() if r.red_anyway}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = [i for i in session.items if isinstance(i, Item)]
        for item in self.items:
            self.records[item.nodeid].seconds = size(item)
        for mutant in self.mutants:
            self.verdicts.append(self.judge(mutant))
            self.report(self.verdicts[-1])
        return True

    def judge(self, mutant: Mutant) -> Verdict:
        verdict = Verdict(mutant)
        began = time.monotonic()
        for item in ladder(mutant, sorted(self.items, key=lambda i: -self.records[i.nodeid].worth)):
            record = self.records[item.nodeid]
            if record.red_anyway:
                continue
            with seeded(mutant):
                said = self._run(item)
            verdict.tests += 1
            if said and self._healthy(item):
                record.kills += 1
                verdict.killed_by = f"{item.nodeid.rpartition('::')[2]}: {said}"
                break
        verdict.seconds = time.monotonic() - began
        return verdict

    def _healthy(self, item: Item) -> bool:
        record = self.records[item.nodeid]
        if record.red_anyway is None:
            record.red_anyway = self._run(item)
        return not record.red_anyway

    def _run(self, item: Item) -> str:
        """ "" when the test is green, else the last line of its failure."""
        item._initrequest()
        began, record = time.monotonic(), self.records[item.nodeid]
        with limited():
            reports = runtestprotocol(item, nextitem=Next(item.session), log=False)  # type: ignore[arg-type]
        record.runs, record.seconds = record.runs + 1, time.monotonic() - began
        for report in reports:
            if report.failed:
                lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
                return " ".join((lines or ["failed"])[0].removeprefix("E").split())[:160]
        return ""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """A defect may take a loop its end: then what runs here fails, after so long."""

    def end(*_: object) -> None:
        raise TimeoutError("no end in sight")

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, BUSY), (signal.ITIMER_REAL, signal.SIGALRM, LONG))
    for timer, sign, seconds in timers:
        signal.signal(sign, end)
        signal.setitimer(timer, seconds, 5)  # and again: hypothesis would take one end for an example, and try the next
    try:
        yield
    finally:
        for timer, _, _ in timers:
            signal.setitimer(timer, 0)


@contextlib.contextmanager
def seeded(mutant: Mutant) -> Iterator[None]:
    """Every build that is made here has the defect."""
    whole = pipeline.bundle.files

    def files(names: Names, diagnostics: Diagnostics, release: Release | None = None) -> Bundle:
        made = whole(names, diagnostics, release)
        return replace(made, files=mutant.seeded(made.files)) if names.target.dialect == mutant.dialect else made

    pipeline.bundle.files = files
    try:
        yield
    finally:
        pipeline.bundle.files = whole


def size(item: Item) -> float:
    """A guess at the seconds that a test takes which did not run yet: one for each node of its case."""
    case = item.callspec.params.get("case", "") if hasattr(item, "callspec") else ""
    specs = (case if isinstance(case, Path) else CASES / str(case).partition("/")[0]) / "specs" / "p.yml"
    return float(max(specs.read_text(encoding="utf-8").count("  - name: "), 1)) if specs.exists() else 2.0


# --- which tests, in which order ---------------------------------------------------------------------------------------


def ladder(mutant: Mutant, items: Sequence[Item]) -> Iterator[Item]:
    """A rule's own tests first, then the scenarios, then what is dear."""
    fitting = [i for i in items if fits(mutant, i)]
    first = FIRST.get(mutant.rule, ())
    everything = mutant.dialect in ("duckdb", "postgres")  # on an interpreter what is dear takes minutes
    others = [r for r in RUNGS[mutant.dialect] if r not in first and (everything or r in OF_ROWS)]
    for rung in (*first, *others):
        yield from (i for i in fitting if i.originalname == rung)


FEEDS = ("test_copies_in_order_some_of_them_read_again", "test_copies_in_any_order_and_in_pieces", "test_kept_back_when_late",
         "test_in_order", "test_rebuilt_from_what_is_remembered")  # fmt: skip
SESSIONS = ("test_a_second_run_before_every_statement", "test_a_second_session_at_every_statement")
OLD_READS = ("test_what_stays_unseen_fails_the_run", "test_what_is_seen_a_little_later_is_waited_for")
OF_ROWS = ("test_scenario", "test_every_line_is_reached", *OLD_READS, *FEEDS, "test_streams")
"""What notices wrong rows, counts and messages. On the warehouses two sessions and dead ones are for defects of locks and transactions."""
OVERWRITTEN = "test_a_count_of_overwritten_rows"
COUNTS = ("test_a_count_that_is_not_exact", "test_somebody_else_writes", "test_somebody_else_writes_during_a_full_refresh")
DEATHS = ("test_every_statement_of_a_warehouse", "test_every_statement_of_a_script", "test_every_statement")
RUNGS: dict[str, tuple[str, ...]] = {
    "duckdb": ("test_scenario", "test_every_statement_of_a_script", "test_a_history_refuses", "test_a_table_with_a_key_refuses",
               "test_a_second_session_at_every_statement", "test_two_nodes_side_by_side", "test_threads_of_one_process", *FEEDS,
               "test_streams"),
    "snowflake": ("test_scenario", "test_every_line_is_reached", "test_every_statement_of_a_warehouse", "test_a_count_that_is_not_exact",
                  OVERWRITTEN, "test_a_second_run_before_every_statement", *OLD_READS, "test_every_case_is_accepted", *FEEDS,
                  "test_streams"),
    "postgres": ("test_scenario", "test_a_history_refuses", "test_a_table_with_a_key_refuses", "test_rows_that_a_dead_run_left",
                 "test_not_deployed", "test_wrong_isolation_level", "test_a_lock_that_is_held", "test_somebody_else_writes",
                 "test_somebody_else_writes_during_a_full_refresh", "test_the_worker_runs_in_a_transaction_of_the_caller",
                 "test_a_killed_backend_is_seen_as_abandoned", "test_whose_lock_is_held_lives", "test_a_timeout_is_logged",
                 "test_isolation_levels",
                 "test_apply_takes_only_an_open_run_of_its_session", "test_run_wants_to_be_alone", "test_every_statement",
                 "test_a_second_run_before_every_statement", "test_runs_at_the_same_time_of_the_same_time",
                 "test_a_run_that_waited_is_not_older", "test_a_live_run_is_shown_as_running", "test_no_node_waits_for_another",
                 "test_the_source_changes_during_rounds", "test_every_definer_pins_its_path", "test_roles",
                 "test_a_runner_who_plants_objects", "test_only_workers_have_the_owners_rights", *FEEDS, "test_streams"),
}  # fmt: skip
RUNGS["bigquery"] = RUNGS["snowflake"]
FIRST: dict[str, tuple[str, ...]] = {
    "lock removed": SESSIONS, "lock behind the decision": SESSIONS, "clock read before the lock": SESSIONS,
    "count check removed": (*COUNTS, OVERWRITTEN),
    "commit between writes": DEATHS, "commit removed": DEATHS, "transaction not begun": DEATHS,
    "rollback removed": DEATHS, "rollback commits": DEATHS, "handler catches less": DEATHS, "failure not logged": DEATHS,
    "run not announced": DEATHS, "flag of the transaction not kept": DEATHS, "success before the data": DEATHS,
    "success behind the commit": DEATHS, "watermark behind the commit": DEATHS,
    "bind without its colon": ("test_every_case_is_accepted",),
    "constraint dropped": ("test_a_history_refuses", "test_a_table_with_a_key_refuses"),
    "last run not named": OLD_READS,
    "failure not raised": DEATHS, "success not logged": DEATHS, "watermark not written": ("test_scenario",),
    "stage not emptied": ("test_rows_that_a_dead_run_left",),
    "settings and rights": ("test_every_definer_pins_its_path", "test_only_workers_have_the_owners_rights"),
    "dead runs": ("test_whose_lock_is_held_lives", "test_a_killed_backend_is_seen_as_abandoned", *DEATHS),
}  # fmt: skip
FIXED = {
    OVERWRITTEN: "column_changes",
    "test_every_line_is_reached": "guards", "test_rows_that_a_dead_run_left": "guards", "test_not_deployed": "guards",
    "test_wrong_isolation_level": "guards", "test_a_lock_that_is_held": "check_list",
    "test_the_worker_runs_in_a_transaction_of_the_caller": "guards", "test_a_killed_backend_is_seen_as_abandoned": "guards",
    "test_whose_lock_is_held_lives": "guards", "test_a_timeout_is_logged": "guards", "test_isolation_levels": "guards",
    "test_run_wants_to_be_alone": "guards",
    "test_apply_takes_only_an_open_run_of_its_session": "guards", "test_runs_at_the_same_time_of_the_same_time": "guards",
    "test_a_run_that_waited_is_not_older": "guards", "test_a_live_run_is_shown_as_running": "guards",
    "test_only_workers_have_the_owners_rights": "kinds",
    "test_no_node_waits_for_another": "kinds", "test_two_nodes_side_by_side": "kinds",
    "test_threads_of_one_process": "timestamp_invalidate", **dict.fromkeys(FEEDS, "feeds"),
}  # fmt: skip
"""Tests that are about one case."""
ANY = ("test_every_definer_pins_its_path", "test_roles", "test_a_runner_who_plants_objects")
"""Tests of the shipped project, which holds what every case holds."""
HOW = ("pg_terminate_backend", "pg_cancel_backend")


def fits(mutant: Mutant, item: Item) -> bool:
    """Whether a test builds a text that has the defect."""
    name = str(item.originalname)
    given: dict[str, Any] = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    if name not in RUNGS[mutant.dialect] or given.get("engine", mutant.dialect) != mutant.dialect:
        return False
    if name in ANY:
        return mutant.rule in ("settings and rights", "dead runs")
    if name == "test_every_statement" and given["how"] not in HOW:
        return False
    if name in FIXED:
        return FIXED[name] in mutant.cases
    if name == "test_streams":
        return {"snapshots": "snapshot", "incrementals": "model"}[given["kind"]] in mutant.resources
    case = given.get("case", "")
    if name in (*SESSIONS, *COUNTS, *DEATHS, *OLD_READS):  # of one node
        return (str(case).partition("/")[0], NODES[case][0]) in mutant.places
    return (case.name if isinstance(case, Path) else str(case).partition("/")[0]) in mutant.cases
