"""specs → Project → Resolved → plans → trees and shells → files: the whole compiler on one screen. Nothing is written here."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from c360gen import dialects
from c360gen.diagnostics import Diagnostic, Diagnostics, SpecError, nearest_or_list
from c360gen.dialects.names import Names
from c360gen.emit import bundle
from c360gen.emit.files import File
from c360gen.migrate import releases, report, script, state
from c360gen.migrate.describe import describe
from c360gen.migrate.diff import diff
from c360gen.migrate.plan import Plan
from c360gen.migrate.script import Written
from c360gen.migrate.state import State
from c360gen.migrate.wanted import Wanted, everything
from c360gen.ops.change import Release
from c360gen.project import environment
from c360gen.project.resolve import check_name, resolve
from c360gen.project.resolved import Resolved
from c360gen.spec.load import Located, Specs, load
from c360gen.spec.models import Target

OF_OTHERS = ("C201", "C202", "C206")
"""What is said where something that others declare is not there."""
OF_SQL = tuple(f"C30{n}" for n in range(1, 8))
"""What is said of SQL and of templates: without the project nobody knows the dialect of the one and the vars of the others."""


@dataclass(frozen=True)
class LoadedProject:
    """A project without mistakes, its warnings, and the texts of its files for showing excerpts."""

    resolved: Resolved
    diagnostics: Sequence[Diagnostic]
    texts: Mapping[str, str]
    specs: Specs = field(repr=False)
    environ: Mapping[str, str]
    """What the environment says of the variables that targets name."""

    @property
    def default_targets(self) -> list[str]:
        return [name for name, t in self.resolved.targets.items() if t.default or name == t.dialect]


@dataclass(frozen=True)
class Build:
    """The files of one target."""

    target_name: str
    target: Target
    files: Sequence[File]
    bundle: bundle.Bundle


class ProjectError(SpecError):
    """SpecError that carries the texts of the files, so that excerpts can be shown."""

    def __init__(self, diagnostics: list[Diagnostic], texts: Mapping[str, str]):
        super().__init__(diagnostics)
        self.texts = texts


def load_project(specs: Path | str, vars: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> LoadedProject:
    """Read, check and resolve a folder of specs, `vars` in place of the project's. Raise SpecError with every mistake found.

    `environ` is what `env_var` reads, by default the environment of the process; it is read here and nowhere later.
    """
    diagnostics = Diagnostics()
    found = load(Path(specs), diagnostics, vars or {})
    unread = {d for d in diagnostics if d.severity == "error"}
    try:
        resolved = resolve(found, diagnostics)
    except SpecError as error:
        # A file with a mistake is read no further: what others miss of it is no mistake of theirs.
        of_others = (*OF_OTHERS, *(OF_SQL if found.guessed else ())) if unread else ()
        own = [d for d in error.diagnostics if d in unread or d.code not in of_others]
        raise ProjectError(own, found.texts) from None
    given = os.environ if environ is None else environ
    named = {name for target in resolved.targets.values() for name in environment.variables(target)}
    return LoadedProject(resolved, list(diagnostics), found.texts, found, {name: given[name] for name in sorted(named & given.keys())})


def lint(project: LoadedProject, today: dt.date) -> list[Diagnostic]:
    """What the linter says of a project without mistakes; `today` (UTC) decides which exceptions have expired."""
    from c360gen.lint import findings

    return findings(project.specs, project.resolved, today)


def build(project: LoadedProject, target_name: str, release: Release | None = None) -> Build:
    """Generate the files of one target. Raise SpecError when its engine cannot say what the specs ask for.

    `release` is what its released.json says; without, the target is in development.
    """
    targets = project.resolved.targets
    diagnostics = Diagnostics()
    if target_name not in targets:
        diagnostics.error("C403", f"target {target_name} is not known", None, nearest_or_list(target_name, targets, "targets"))
        raise ProjectError(list(diagnostics), project.texts)
    names = names_of(project, target_name)
    made = bundle.files(names, diagnostics, release)
    if diagnostics.failed:
        raise ProjectError(list(diagnostics), project.texts)
    return Build(target_name, names.target, made.files, made)


def released_state(root: Path) -> State | None:
    """What is released of the target whose output lies in root; None while it is in development. Raise SpecError."""
    try:
        return state.read(root)
    except state.BadState as bad:
        raise SpecError([Diagnostic("C606", str(bad), None, "take it from version control")]) from None


def build_below(project: LoadedProject, target_name: str, out: Path) -> Build:
    """As `build`, for a folder of output that may hold a released state: specs that moved away from it without a migration are refused."""
    found = released_state(out / target_name)
    if found is None:
        return build(project, target_name)
    made = build(project, target_name, found.release)
    moved = plan(project, made, found)
    problems = report.problems(moved.problems)
    if not problems and moved.needed:
        said = [f"{s.symbol} {s.object}: {s.what}" for s in moved.steps]
        problems = [releases.unreleased(target_name, said, found.migrations[-1], moved.steps[0].because)]
    if problems:
        raise ProjectError(problems, project.texts)
    return made


def plan(project: LoadedProject, made: Build, released: State) -> Plan:
    """The way from a released state to what was built."""
    names = names_of(project, made.target_name)
    return diff(released, describe(names, made.bundle), names, made.bundle.sections)


def state_of(project: LoadedProject, made: Build) -> State:
    """The state that a build leads to, as if nothing had ever been released."""
    return describe(names_of(project, made.target_name), made.bundle)


def wanted(project: LoadedProject, made: Build) -> Wanted:
    """What a database holds in which a build is deployed."""
    return everything(names_of(project, made.target_name), made.bundle)


def migration(project: LoadedProject, made: Build, planned: Plan, name: str, root: Path) -> Written:
    """The files of the next migration of a target whose output lies in root."""
    old = releases.sections_on_disk(root, planned.released)
    return script.write(planned, names_of(project, made.target_name), made.bundle, name, old)


def names_of(project: LoadedProject, target_name: str) -> Names:
    """Where the objects of a project are in one target. Raise SpecError when a variable of the environment is missing."""
    target = project.resolved.targets[target_name]
    located = project.specs.targets.get(target_name) or Located(target, "")
    diagnostics = Diagnostics()
    try:
        read = environment.read(target, project.environ)
    except environment.Unset as unset:
        message = f"target {target_name}: {unset}"
        diagnostics.error("C403", message, located.span(unset.key), f"set it, or give a default: env_var('{unset.name}', '…')")
    except environment.NotPlain as wrong:
        diagnostics.error("C104", f"target {target_name}: {wrong}", located.span(wrong.key))
    except ValidationError as error:  # a variable that is empty leaves a name without a letter
        key = str(error.errors()[0]["loc"][0])
        diagnostics.error("C104", f"target {target_name}: its environment leaves {key} empty", located.span(key))
    else:
        if read.schema_prefix:
            check_name(read.schema_prefix, "schema prefix", located.span("schema_prefix"), diagnostics)
    if diagnostics.failed:
        raise ProjectError(list(diagnostics), project.texts)
    return dialects.names(project.resolved, target_name, read, environment.variables(target))
