"""Histories that hypothesis invents, run on every engine and compared after every run: with the oracle, and with what must hold anyway.

`make streams` plays thousands of them; `python -m pytest tests/test_streams.py --streams 5000 --stream-seed 7` plays others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis.strategies import SearchStrategy

from tests.oracle import EARLIEST, LATEST, Refused, State, incrementals, key_of, snapshots
from tests.oracle.incrementals import Incremental
from tests.oracle.snapshots import Snapshot
from tests.streams.days import streams
from tests.streams.invariants import check_current, check_intervals, check_nothing_lost, check_past
from tests.streams.settings import incremental_settings, snapshot_settings
from tests.streams.specs import Step, Stream, spec_of
from tests.streams.stage import Stage, expected, ordered, text_of, without

FAST = {"duckdb": 200, "postgres": 24, "snowflake": 10, "bigquery": 10}
"""Streams per engine in the fast suite, half of them of snapshots, half of incrementals."""
TOGETHER = 6
"""At most so many streams over one spec."""
BATCH = 6
"""Examples that hypothesis makes in one go. Of more it would spend five in six on slight variations of one."""


@dataclass
class Tally:
    """What was played."""

    streams: int = 0
    written: int = 0
    specs: set[str] = field(default_factory=set)
    runs: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        refused = ", ".join(f"{code} {n}" for code, n in sorted(self.runs.items()) if code)
        return (
            f"{self.streams} streams over {len(self.specs)} specs, {sum(self.runs.values())} runs, {self.runs['']} succeeded, "
            f"{self.written} rows written; refused: {refused or 'none'}"
        )


@pytest.mark.parametrize("engine", list(FAST))
@pytest.mark.parametrize("kind", ["snapshots", "incrementals"])
def test_streams(
    kind: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After every run the engine holds what the oracle says, or both have refused for the same reason."""
    number, first = (request.config.getoption("--streams") or FAST[engine]) // 2, request.config.getoption("--stream-seed") * 10**6
    stage, tally = Stage(engine, tmp_path, lambda: str(request.getfixturevalue("database"))), Tally()
    settings = {"snapshots": snapshot_settings, "incrementals": incremental_settings}[kind]()
    phases = [Phase.generate] if request.config.getoption("--unshrunk") else [Phase.generate, Phase.shrink]
    invented = streams(settings, TOGETHER, infinite=engine in ("duckdb", "postgres"))
    try:
        while tally.streams < number:
            play_some(stage, invented, first + tally.streams, min(BATCH, 2 + (number - tally.streams) // 5), tally, phases)
    finally:
        stage.close()
    record_property("streams", f"{engine}, {kind}: {tally}")


def play_some(stage: Stage, invented: SearchStrategy[list[Stream]], begin: int, number: int, tally: Tally, phases: list[Phase]) -> None:
    """Some examples, from a seed on; each is several streams."""

    @seed(begin)
    @examples(max_examples=number, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck))
    @given(invented)
    def play_each(streams: list[Stream]) -> None:
        for stream in streams:
            play(stage, stream, tally)

    play_each()


def play(stage: Stage, stream: Stream, tally: Tally) -> None:
    s = stream.settings
    stage.set(s)
    state, succeeded = State(), list[Step]()
    tally.streams += 1
    tally.specs.add(spec_of(s))
    for number, step in enumerate(stream.steps, 1):
        here = f"run {number} of {len(stream.steps)}, as of {step.as_of}"
        stage.load(step.rows)
        before = stage.contents()
        code = stage.run(step, full_refresh=step.full_refresh)
        wanted = after(s, state, step, stage)
        assert code == (wanted if isinstance(wanted, str) else ""), here
        tally.runs[code] += 1
        found = stage.contents()
        if isinstance(wanted, str):
            assert found == before, f"{here}: refused, and wrote something"
            continue
        right = expected(s, wanted)
        assert without(found.table, "opened_run_id", "closed_run_id", "place") == right.table, here
        assert without(found.quarantine, "place") == right.quarantine, here
        assert stage.counted(list(wanted.counted)) == wanted.counted, here
        assert stage.watermark() == ("-infinity" if wanted.watermark == EARLIEST else text_of(wanted.watermark)), here
        state = wanted
        tally.written += state.counted["inserted_rows"]
        succeeded.append(step)
        if isinstance(s, Snapshot):
            check_intervals(s, found.table, step.as_of)
            check_nothing_lost(s, before.table, found.table)
            check_current(s, found.table, step)
            check_past(s, found.table, succeeded)
        if number == len(stream.steps) and repeatable(s, step):
            assert stage.run(step, full_refresh=False) == ""
            assert stage.contents() == found, "the same run wrote something the second time"
    if isinstance(s, Snapshot) and stage.embedded:
        check_functions(stage, s, state, succeeded)


def after(s: Snapshot | Incremental, state: State, step: Step, stage: Stage) -> State | str:
    """What the oracle says: the state after the run, or the code of the guard that refuses it."""
    try:
        if isinstance(s, Snapshot):
            return snapshots.run(s, state, step.rows, step.as_of, stage.clock)
        return incrementals.run(s, state, step.rows, step.as_of, stage.clock, step.full_refresh)
    except Refused as refused:
        return str(refused)


def repeatable(s: Snapshot | Incremental, step: Step) -> bool:
    """All but delete+insert of keys that repeat: the second run reads fewer rows of a key, and they replace all that it has."""
    if isinstance(s, Snapshot) or s.incremental_strategy != "delete+insert":
        return True
    return len({key_of(r, s.unique_key) for r in step.rows}) == len(step.rows)


def check_functions(stage: Stage, s: Snapshot, state: State, steps: list[Step]) -> None:
    """The view and the function beside the history show what it holds."""
    columns = list(s.columns)

    def rows(at: object) -> list[dict[str, object]]:
        shown = [v for v in state.versions if v.valid_from <= at and (v.valid_to is None or v.valid_to > at) and not v.marker]
        return ordered([{c: r[c] for c in columns} for r in expected(s, replace(state, versions=tuple(shown))).table])

    for step in steps:
        assert stage.as_of(step.as_of) == rows(step.as_of)
    assert stage.current() == rows(LATEST)
