"""When nodes run, in each scheduler's words: one file per scheduler, found by its name. Everything is created paused."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from c360gen.ops.shell import Shell
from c360gen.spec.models import Schedule, Target

UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal", "UCT", "Etc/UCT")
"""The zones of the tz database that are UTC by another name."""


@dataclass(frozen=True)
class NodeCall:
    """One node of a schedule: what calls it, and which nodes of the same schedule come before it."""

    node: str
    call: str
    parents: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True)
class Timed:
    """A schedule with everything that a scheduler needs to be told; paths and names are quoted already."""

    schedule: Schedule
    project: str
    control: str
    call: str
    nodes: tuple[NodeCall, ...]
    target_name: str
    target: Target

    @property
    def display_name(self) -> str:
        """What a job is called where all targets share one list: a target that is not named as its dialect says which it is."""
        names = (self.project, self.target_name if self.target_name != self.target.dialect else "", self.schedule.name)
        return " ".join(filter(None, names))


@dataclass(frozen=True)
class ScheduleFile:
    path: str
    title: str
    shell: Shell
    marker: str = "--"
    """What begins a comment in the file's language."""


class CannotSay(Exception):
    """The scheduler has no words for this; the message says why, `help` what else there is, `key` which word of the specs it is."""

    def __init__(self, message: str, help: str | None = None, *, key: str = "name"):
        super().__init__(message)
        self.help = help
        self.key = key


@cache
def schedulers() -> dict[str, ModuleType]:
    """Every scheduler by the word of the specs, which is the name of its file."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def chosen(target: Target, *, scripted: bool) -> Sequence[ModuleType]:
    """The schedulers that a target names, else the one that comes with its engine. Raise CannotSay."""
    serving = [name for name, scheduler in schedulers().items() if target.dialect in scheduler.DIALECTS]
    if target.schedulers is None:  # a scheduler outside runs scripts, by the manifest
        return [] if scripted else [schedulers()[name] for name in serving if schedulers()[name].DEFAULT]
    for name in target.schedulers:
        if scripted:
            raise CannotSay(
                f"{name} calls procedures, and this target has scripts", "remove it; your own scheduler may call `c360gen run --job`"
            )
        if name not in serving:
            raise CannotSay(f"{name} does not schedule {target.dialect}", f"schedulers of {target.dialect}: {', '.join(serving)}")
    return [schedulers()[name] for name in dict.fromkeys(target.schedulers)]
