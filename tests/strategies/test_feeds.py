"""Feeds against the oracle: random streams of events, in a random order of arrival and batches of random size.

C360_STREAMS=1000 C360_ENGINE=postgres: more of them, on another engine; snowflake and bigquery in the interpreter.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from c360gen.pipeline import LoadedProject
from tests.conftest import CASES, built, new_database
from tests.strategies.feed_oracle import Event, Version, from_copies, from_copies_read, history, kept
from tests.worlds import Embedded, Interpreted, World, plain

BASE = dt.datetime(2026, 1, 1)
DAY = 24 * 60
ENGINE = os.environ.get("C360_ENGINE", "duckdb")
_numbers = itertools.count(1)
streams = settings(
    max_examples=int(os.environ.get("C360_STREAMS", "20")), deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def moment(minutes: int) -> str:
    return (BASE + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M:%S")


class Feed:
    """One deployed project for many streams: emptied before each."""

    def __init__(self, world: World):
        self.world, self.batch = world, 0

    def empty(self, node: str) -> None:
        existing = {t for (t,) in self.world.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'snap'")}
        for name in (node, f"{node}_quarantine", f"{node}_observations"):
            if name in existing:
                self.world.sql(f"DELETE FROM snap.{name}")
        self.world.sql("DELETE FROM raw.changes; DELETE FROM raw.copies")
        if isinstance(self.world, Interpreted):
            self.world.sql("DELETE FROM c360_control.watermark")
        else:
            self.world.sql(f"UPDATE c360_control.state SET watermark = NULL, last_as_of = NULL WHERE node = 'snap.{node}'")
        self.batch = 0

    def run(self, node: str) -> str:
        return self.world.run(node, moment(100 * DAY + self.batch))

    def arrive(self, table: str, rows: list[str]) -> None:
        self.batch += 1
        if rows:
            loaded = f"TIMESTAMPTZ '{moment(100 * DAY + self.batch)}+00'"
            self.world.sql(f"INSERT INTO raw.{table} VALUES " + ", ".join(f"({row}, {loaded})" for row in rows))

    def versions(self, node: str, *columns: str) -> set[Version]:
        rows = self.world.rows(f"SELECT id, valid_from, valid_to, {', '.join(columns)} FROM snap.{node}")
        found = [(row[0], tuple(row[3:]), minutes(row[1]), None if row[2] is None else minutes(row[2])) for row in rows]
        assert len(set(found)) == len(found), "the same version twice"
        return set(found)


def minutes(at: dt.datetime) -> int:
    return int((at.astimezone(dt.UTC).replace(tzinfo=None) - BASE).total_seconds() // 60)


@pytest.fixture(scope="module")
def feed(request: pytest.FixtureRequest, project: Callable[[Path], LoadedProject]) -> Iterator[Feed]:
    made = built(project(CASES / "feeds" / "specs"), ENGINE)
    world: World
    if ENGINE in ("duckdb", "postgres"):
        own = ":memory:" if ENGINE == "duckdb" else new_database(request.getfixturevalue("server"), f"feeds_{next(_numbers)}")
        world = Embedded(made, own)
    else:
        world = Interpreted(made)
    world.deploy()
    yield Feed(world)
    world.close()


def literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def row_of(event: Event) -> str:
    operation = ("T" if event.key is None else "D") if event.values is None else "U"
    values = event.values or (None, None)
    return ", ".join([*map(literal, (event.key, *values, operation, event.sequence)), f"TIMESTAMPTZ '{moment(event.at)}+00'"])


keys, instants = st.integers(1, 3), st.integers(1, 8)
values = st.none() | st.tuples(st.sampled_from([None, "x", "y"]), st.sampled_from([None, 1, 2]))
events = st.builds(Event, instants, st.integers(1, 3), keys, values) | st.builds(Event, instants, st.integers(1, 3), st.none(), st.none())
"""Few keys, instants and values, so that ties, repetitions, deletions and revivals are the rule."""
stream = st.lists(events, min_size=1, max_size=14, unique_by=lambda e: (e.key, e.at, e.sequence))


def batches(items: list[Any], cuts: list[int]) -> list[list[Any]]:
    bounds = sorted({0, len(items), *(c % (len(items) + 1) for c in cuts)})
    return [items[a:b] for a, b in itertools.pairwise(bounds)]


@pytest.mark.parametrize(("node", "ignored"), [("exact", ()), ("exact_filled", (1,))])
@given(stream=stream, cuts=st.lists(st.integers(0, 20), max_size=4), again=st.integers(0, 20))
@streams
def test_rebuilt_from_what_is_remembered(
    feed: Feed, node: str, ignored: tuple[int, ...], stream: list[Event], cuts: list[int], again: int
) -> None:
    """After every batch, whatever the order: what the whole stream so far means. What comes in twice changes nothing."""
    feed.empty(node)
    seen: list[Event] = []
    for batch in batches(stream, cuts):
        seen += batch
        feed.arrive("changes", [row_of(e) for e in batch])
        assert feed.run(node) == ""
        assert feed.versions(node, "a", "b") == history(seen, ignored)
    everything = set(feed.world.rows(f"SELECT * FROM snap.{node}"))
    feed.arrive("changes", [row_of(e) for e in stream[: again % (len(stream) + 1)]])
    assert feed.run(node) == ""
    assert set(feed.world.rows(f"SELECT * FROM snap.{node}")) == everything


@pytest.mark.parametrize(("node", "ignored"), [("kept", ()), ("kept_filled", (0, 1))])
@given(stream=stream, cuts=st.lists(st.integers(0, 20), max_size=4))
@streams
def test_kept_back_when_late(feed: Feed, node: str, ignored: tuple[int, ...], stream: list[Event], cuts: list[int]) -> None:
    """What comes in order is applied; what does not is kept back, unless it is known; closed versions never change."""
    feed.empty(node)
    expected: set[Version] = set()
    late: set[tuple[int, Event]] = set()
    for batch in batches(stream, cuts):
        places = {(key, minutes(at)): lsn for key, at, lsn in feed.world.rows(f"SELECT id, valid_from, lsn FROM snap.{node}")}
        closed = feed.world.rows(f"SELECT * FROM snap.{node} WHERE valid_to IS NOT NULL")
        expected, found = kept(expected, batch, places, ignored)
        late |= found
        feed.arrive("changes", [row_of(e) for e in batch])
        assert feed.run(node) == ""
        assert feed.versions(node, "a", "b") == expected
        rows = feed.world.rows(f"SELECT id, lsn, happened_at, a, b, op FROM snap.{node}_quarantine")
        assert sorted(map(repr, rows_of(late))) == sorted(repr(tuple(map(plain, row))) for row in rows)
        assert set(closed) <= set(feed.world.rows(f"SELECT * FROM snap.{node}"))


@pytest.mark.parametrize(("node", "ignored"), [("kept", ()), ("kept_filled", (0, 1))])
@given(stream=stream, cuts=st.sets(st.integers(1, 8), max_size=3))
@streams
def test_in_order(feed: Feed, node: str, ignored: tuple[int, ...], stream: list[Event], cuts: set[int]) -> None:
    """Where a batch ends between two instants, and none comes late, batches do not matter."""
    feed.empty(node)
    for lower, upper in itertools.pairwise([0, *sorted(cuts), 9]):
        feed.arrive("changes", [row_of(e) for e in stream if lower < e.at <= upper])
        assert feed.run(node) == ""
    assert feed.versions(node, "a", "b") == history(stream, ignored)
    assert feed.world.rows(f"SELECT * FROM snap.{node}_quarantine") == []


def rows_of(late: set[tuple[int, Event]]) -> list[tuple[object, ...]]:
    found = []
    for key, event in late:
        operation = ("T" if event.key is None else "D") if event.values is None else "U"
        found.append(tuple(map(plain, (key, event.sequence, moment(event.at), *(event.values or (None, None)), operation))))
    return found


Copy = dict[int, tuple[object, ...]]
copies = st.dictionaries(st.integers(1, 7), st.dictionaries(keys, st.tuples(st.sampled_from([None, "x", "y"])), min_size=1), min_size=1)


def copy_row(day: int, key: int, values: tuple[object, ...]) -> str:
    return f"{key}, {literal(values[0])}, DATE '{moment(day * DAY)[:10]}'"


@given(copies=copies, data=st.data())
@streams
def test_copies_in_any_order_and_in_pieces(feed: Feed, copies: dict[int, dict[int, tuple[object, ...]]], data: st.DataObject) -> None:
    """Rows of copies in any order, a copy even in pieces: in the end, and after every batch, what the rows so far mean."""
    feed.empty("exact_copies")
    rows = data.draw(st.permutations([(day, key) for day, held in copies.items() for key in held]))
    seen: dict[int, dict[int, tuple[object, ...]]] = {}
    for batch in batches(rows, data.draw(st.lists(st.integers(0, 20), max_size=4))):
        for day, key in batch:
            seen.setdefault(day * DAY, {})[key] = copies[day][key]
        feed.arrive("copies", [copy_row(day, key, copies[day][key]) for day, key in batch])
        assert feed.run("exact_copies") == ""
        assert feed.versions("exact_copies", "a") == history(from_copies(seen))


@given(copies=copies, cuts=st.sets(st.integers(1, 7), max_size=3))
@streams
def test_copies_in_order_some_of_them_read_again(feed: Feed, copies: dict[int, dict[int, tuple[object, ...]]], cuts: set[int]) -> None:
    """With lookback, copies are read several times: the result is the same, and nothing is late."""
    feed.empty("read_again")
    for lower, upper in itertools.pairwise([0, *sorted(cuts), 8]):
        feed.arrive("copies", [copy_row(day, k, v) for day, held in copies.items() if lower < day <= upper for k, v in held.items()])
        assert feed.run("read_again") == ""
        seen = {day * DAY: held for day, held in copies.items() if day <= upper}
        assert feed.versions("read_again", "a") == history(from_copies(seen))
        assert feed.world.rows("SELECT * FROM snap.read_again_quarantine") == []


LOOKBACK = 4 * DAY
"""Of the feed read_again."""


@given(copies=copies, mended=copies, cuts=st.sets(st.integers(1, 7), min_size=1, max_size=3), data=st.data())
@streams
def test_copies_that_are_mended_between_two_reads(
    feed: Feed, copies: dict[int, Copy], mended: dict[int, Copy], cuts: set[int], data: st.DataObject
) -> None:
    """A copy that is read again may hold other rows than it did: what is later than a key's boundary is applied, the rest kept back."""
    feed.empty("read_again")
    expected: set[Version] = set()
    late: set[tuple[int, Event]] = set()
    watermark = -LOOKBACK
    for upper in [*sorted(cuts), 8]:
        held = {day: mended[day] if day in mended and data.draw(st.booleans()) else rows for day, rows in copies.items() if day <= upper}
        feed.world.sql("DELETE FROM raw.copies")
        feed.arrive("copies", [copy_row(day, k, v) for day, rows in held.items() for k, v in rows.items()])
        read = {day * DAY: rows for day, rows in held.items() if day * DAY > watermark - LOOKBACK}
        watermark = max([watermark, *read])
        before = expected
        expected, found = kept(before, from_copies_read(read, before), {(v[0], v[2]): 0 for v in before})
        late |= {(key, e) for key, e in found if e.values or is_first(e, read, before)}
        assert feed.run("read_again") == ""
        assert feed.versions("read_again", "a") == expected
        rows = feed.world.rows("SELECT id, copied_at, a FROM snap.read_again_quarantine")
        kept_back = {(k, (at - BASE.date()).days * DAY, (a,)) for k, at, a in rows}
        assert kept_back == {(key, e.at, e.values or (None,)) for key, e in late}


def is_first(absence: Event, read: dict[int, Copy], known: set[Version]) -> bool:
    """Of copies in a row that do not hold a key, only the first is told, and those around the beginning of a version."""
    prior = max((at for at in read if at < absence.at), default=None)
    if prior is None or absence.key in read[prior]:
        return True
    return any(v[0] == absence.key and prior <= v[2] <= absence.at for v in known)
