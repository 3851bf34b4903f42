"""When nodes run, in each scheduler's words: one file per scheduler, found by its name. Everything is created paused."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass

from c360gen.ops.shell import Shell
from c360gen.spec.models import Schedule, Target


@dataclass(frozen=True)
class NodeCall:
    """One node of a schedule: what calls it, and which nodes of the same schedule come before it."""

    node: str
    call: str
    parents: tuple[str, ...]


@dataclass(frozen=True)
class Timed:
    """A schedule with everything that a scheduler needs to be told; paths and names are quoted already."""

    schedule: Schedule
    project: str
    control: str
    call: str
    nodes: tuple[NodeCall, ...]
    target: Target


@dataclass(frozen=True)
class ScheduleFile:
    path: str
    title: str
    shell: Shell


class CannotSay(Exception):
    """The scheduler has no words for this schedule; the message says why and what else there is."""


def plan(timed: Timed) -> list[ScheduleFile]:
    """The files of one schedule for every scheduler of the target's dialect. Raise CannotSay."""
    found = []
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")):
        scheduler = importlib.import_module(f"{__name__}.{module}")
        if timed.target.dialect in scheduler.DIALECTS:
            found.append(scheduler.plan(timed))
    return found
