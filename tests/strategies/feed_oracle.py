"""What a feed means, in pure Python: small enough to be read as the specification of `changelog` and `daily_copies`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

Values = tuple[object, ...]
Version = tuple[int, Values, int, int | None]
"""key, values, valid_from, valid_to: half-open, None while it is open."""
Places = Mapping[tuple[int, int], int]
"""The sequence of the event that began a version, by key and start."""


@dataclass(frozen=True)
class Event:
    """`key` None: of every key. `values` None: a deletion. In `sequence` order among those of one instant."""

    at: int
    sequence: int
    key: int | None
    values: Values | None

    @property
    def place(self) -> tuple[int, int, bool]:
        return self.at, self.sequence, self.key is not None


def filled(values: Values, before: Values | None, ignored: Iterable[int]) -> Values:
    """NULL in an ignored column means: as before; before the first event and after a deletion there is nothing."""
    return tuple(before[i] if v is None and i in ignored and before else v for i, v in enumerate(values))


def history(events: Iterable[Event], ignored: tuple[int, ...] = (), start: Iterable[Version] = ()) -> set[Version]:
    """The versions of all keys; `start` are open versions that the events follow."""
    events = list(events)
    begin = {key: (values, at) for key, values, at, _ in start}
    found: set[Version] = set()
    for key in {e.key for e in events if e.key is not None} | set(begin):
        state: Values | None = None
        opened: tuple[Values, int] | None = begin.get(key)
        if opened:
            state = opened[0]
        mine = sorted((e for e in events if e.key in (key, None)), key=lambda e: e.place)
        for at, group in groupby(mine, key=lambda e: e.at):
            for event in group:  # the last of an instant counts, with what those before it said of ignored columns
                state = None if event.values is None else filled(event.values, state, ignored)
            if opened and state != opened[0]:
                found.add((key, *opened, at))
                opened = None
            if state is not None and opened is None:
                opened = (state, at)
        if opened:
            found.add((key, *opened, None))
    return found


def from_copies(copies: dict[int, dict[int, Values]]) -> list[Event]:
    """A copy empties the table and fills it again at one instant."""
    found = [Event(at, 0, None, None) for at in copies]
    return found + [Event(at, 1, key, values) for at, rows in copies.items() for key, values in rows.items()]


def from_copies_read(copies: dict[int, dict[int, Values]], known: set[Version]) -> list[Event]:
    """Without a log: what copies say of each key, by its row, or by having none."""
    held = {k for rows in copies.values() for k in rows} | {v[0] for v in known}
    return [Event(at, 0, key, rows.get(key)) for at, rows in copies.items() for key in held]


def verdict(event: Event, batch: list[Event], mine: list[Version], places: Places, ignored: tuple[int, ...]) -> str:
    """Without a log: whether an event of a key, with the versions `mine`, `applies`, is `known` already, or `late`."""
    if event.at > max((v[2] if v[3] is None else v[3] for v in mine), default=-1):
        return "applies"
    holds = next((v for v in mine if v[2] <= event.at and (v[3] is None or v[3] > event.at)), None)
    if not ignored and any(other.at == event.at and other.place > event.place for other in batch):
        return "known"  # another of the same instant counts
    if not ignored and holds and holds[2] == event.at and (event.at, places[holds[0], event.at], True) > event.place:
        return "known"
    if event.values is None or holds is None:
        return "known" if event.values is None and holds is None else "late"
    return "known" if filled(event.values, holds[1], ignored) == holds[1] else "late"


def kept(
    before: set[Version], batch: list[Event], places: Places, ignored: tuple[int, ...] = ()
) -> tuple[set[Version], set[tuple[int, Event]]]:
    """`late: quarantine`: what a batch makes of a history, and which (key, event) come too late."""
    after: set[Version] = set()
    late: set[tuple[int, Event]] = set()
    for key in {e.key for e in batch if e.key is not None} | {v[0] for v in before}:
        mine, own = [v for v in before if v[0] == key], [e for e in batch if e.key in (key, None)]
        said = {e: verdict(e, own, mine, places, ignored) for e in own}
        late |= {(key, e) for e in own if said[e] == "late"}
        applied = [e for e in own if said[e] == "applies"]
        after |= {v for v in mine if v[3] is not None}
        after |= {v for v in history(applied, ignored, [v for v in mine if v[3] is None]) if v[0] == key}
    return after, late
