"""Everything of one target: the files a DBA reads, and deploy.sql, which holds them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from c360gen import dialects, schedules, strategies
from c360gen.diagnostics import Diagnostics
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.dialects.rights import Rights
from c360gen.dialects.words import Unsupported
from c360gen.emit import adoptions, exposures, freshness, identity, layout, manifest, sources, tests
from c360gen.emit.files import File, one_line, sql_file
from c360gen.emit.shell import joined, text_of
from c360gen.emit.sql import Forbidden
from c360gen.ops.change import Release
from c360gen.ops.program import Job, Program
from c360gen.ops.schema import CreateIndex, CreateTable, CreateTableFunction, CreateView, LoadSeed, SchemaOp
from c360gen.ops.shell import Piece
from c360gen.project.nodes import Node
from c360gen.project.resolved import Resolved
from c360gen.strategies import Artefacts

Role = Literal["objects", "helpers", "beside", "grants", "other"]
"""What a part is to its node: the table or view itself, the views around it, a view of its rows beside a snapshot; or who may do what."""


@dataclass(frozen=True)
class _Part:
    """A file, and where `deployed` a part of deploy.sql as well; a script is for a runner only."""

    path: str
    title: str
    pieces: tuple[Piece, ...]
    node: str | None = None
    """The node to blame for what an engine cannot say."""
    origin: str | None = None
    deployed: bool = True
    role: Role = "other"
    schedule: str | None = None
    """The schedule that it runs."""


@dataclass(frozen=True)
class Section:
    """The text of a part of deploy.sql: what a migration executes again where it changed."""

    path: str
    title: str
    text: str
    deployed: bool = True
    """Whether deploy.sql holds it; a script is for a runner."""
    node: str | None = None
    role: Role = "other"
    schedule: str | None = None

    @property
    def about(self) -> str | None:
        """As `File.about`."""
        return f"ref:{self.node}" if self.node else f"schedule:{self.schedule}" if self.schedule else None


@dataclass(frozen=True)
class Bundle:
    """The files of one target, the sections of its deploy.sql, and the operations that they come from."""

    files: list[File]
    sections: tuple[Section, ...] = ()
    plans: Mapping[str, Artefacts] = field(default_factory=dict)

    @property
    def programs(self) -> dict[str, Program]:
        return {name: plan.program for name, plan in self.plans.items() if plan.program}


def jobs(project: Resolved) -> list[Job]:
    """What calls the runs of a schedule, in their order."""
    return [Job(s.spec.name, s.nodes, s.spec.description) for s in project.schedules]


def files(names: Names, diagnostics: Diagnostics, release: Release | None = None) -> Bundle:
    """The output of one target. What an engine cannot say becomes a diagnostic at the node that asks for it."""
    dialect = dialects.get(str(names.target.dialect))
    project = names.project
    if names.target.form == "procedures" and not dialect.has_procedures:
        message = f"target {names.target_name}: {dialect.name} has no procedures"
        diagnostics.error("C402", message, None, "remove form, or say form: scripts")
    plans = {n.name: strategies.artefacts(n, project, dialect.name, dialect.traits) for n in project.nodes.values()}
    release = release or Release(identity.shape(project, names.target))
    parts = _Parts(dialect, names, diagnostics, plans)
    sections = parts.sections(parts.all())
    made = [_deploy([s for s, _ in sections if s.deployed], dialect, names, release)]
    made += [sql_file(s.path, s.text, dialect=dialect.name, title=s.title, origin=origin, about=s.about) for s, origin in sections]
    if dialect.longest and (size := len(made[0].text.encode())) > dialect.longest:
        message = f"{dialect.name} takes {dialect.longest // 1024} KiB in one query: deploy.sql has {size // 1024}"
        diagnostics.error("C402", message, None, "declare large seeds as sources, or split the project in two")
    for section, origin in parts.sections(parts.roles()):
        made.append(sql_file(section.path, section.text, dialect=dialect.name, title=section.title, origin=origin))
    try:
        made += tests.files(names, dialect)
        made += adoptions.files(names, dialect, diagnostics)
        sources.check(names, diagnostics)
    except Unsupported as error:
        diagnostics.error("C402", f"{dialect.name} cannot say this: {error}")
    made += _schedules(names, dialect, diagnostics)
    if diagnostics.failed:
        return Bundle([])
    made += exposures.files(names, dialect, plans, diagnostics)
    if diagnostics.failed:
        return Bundle([])
    if names.target.layout and release.migrations:
        made += layout.repeatable(names.target.layout, made[0].text)
    made.append(manifest.file(names, dialect, made, parts.programs, {n: p.tasks for n, p in plans.items()}, release.identity))
    return Bundle(made, tuple(s for s, _ in sections), plans)


@dataclass(frozen=True)
class _Parts:
    """What a target's files are made of: the plans of its nodes in the words of its engine."""

    dialect: Dialect
    names: Names
    diagnostics: Diagnostics
    plans: Mapping[str, Artefacts]

    @property
    def scripted(self) -> bool:
        return self.dialect.scripted(self.names)

    @property
    def programs(self) -> dict[str, Program]:
        return {name: plan.program for name, plan in self.plans.items() if plan.program}

    @property
    def jobs(self) -> list[Job]:
        """Procedures that call others; a script is called by a runner, which needs none."""
        return [] if self.scripted else jobs(self.names.project)

    def all(self) -> list[_Part]:
        """In the order of deploy.sql: what is read stands before what reads it, and rights behind what they are about."""
        watched = freshness.view(self.names.project)
        parts = [_Part("control.sql", "control tables: run log, state, releases", tuple(self.dialect.control(self.names)))]
        parts += self._objects()
        if watched is not None:
            pieces = tuple(self.dialect.freshness(watched, self.names))
            parts.append(_Part("views/source_freshness.sql", "how fresh the sources are", pieces))
        parts += [*self._runs(), *self._jobs()]
        if rights := self._rights():
            parts.append(_Part("grants.sql", "who may do what", tuple(self.dialect.grants(r) for r in rights), role="grants"))
        self._tell_apart(parts)
        return sorted(parts, key=lambda part: not part.deployed)

    def roles(self) -> list[_Part]:
        """Created once, by an administrator; no part of deploy.sql."""
        roles = tuple(self.dialect.roles(self.names))
        return [_Part("roles.sql", "roles, to be created once by an administrator", roles, deployed=False)] if roles else []

    def sections(self, parts: Iterable[_Part]) -> list[tuple[Section, str | None]]:
        """Their texts, each with the spec that it comes from."""
        texts = [(part, self._text(part)) for part in parts]
        return [(Section(p.path, p.title, text, p.deployed, p.node, p.role, p.schedule), p.origin) for p, text in texts if text is not None]

    def _tell_apart(self, parts: Iterable[_Part]) -> None:
        """A node may be called as if it were something of the control schema's own: its freshness, its log."""
        taken: dict[str, _Part] = {}
        for part in parts:
            other = taken.setdefault(part.path.casefold(), part)
            if other is not part:
                blamed = next((n for n in (part.node, other.node) if n is not None), None)
                message = f"{other.title} and {part.title} would both be written to {part.path}"
                span = self.names.project.nodes[blamed].span if blamed else None
                self.diagnostics.error("C207", message, span, "rename the node")

    def _objects(self) -> Iterator[_Part]:
        """Tables and views in dependency order; helpers right after their node, so that views below may read them."""
        for name, plan in self.plans.items():
            kind = self.names.project.nodes[name].kind
            if plan.objects:
                make = partial(self._lowered, plan.objects, plan.program)
                folder = "views" if kind == "view" else "tables"
                yield self._of(name, f"{folder}/{name}.sql", f"{kind} {self._label(name)}", make, role="objects")
            if plan.objects and plan.helpers:
                make = partial(self._lowered, plan.helpers)
                yield self._of(name, f"views/{name}.sql", f"views of {self._label(name)}", make, role="helpers")
        for name, plan in self.plans.items():
            if plan.views:
                title, make = f"{self._label(name)} with history", partial(self._lowered, plan.views)
                yield self._of(name, f"views/{name}_point_in_time.sql", title, make, role="beside")

    def _runs(self) -> Iterator[_Part]:
        folder, project = "scripts" if self.scripted else "procedures", self.names.project
        for name, program in self.programs.items():
            meaning = identity.meaning(project.nodes[name], project, self.dialect.name)
            make = partial(self.dialect.procedure, program, self.names, meaning)
            yield self._of(name, f"{folder}/run_{name}.sql", f"run of {self._label(name)}", make, deployed=not self.scripted)
        for name, plan in self.plans.items():
            for task in plan.tasks:
                make = partial(self.dialect.task, task, self.names, identity.meaning(project.nodes[name], project, self.dialect.name))
                title = f"{task.action} of {self._label(name)}"
                yield self._of(name, f"{folder}/{task.name}.sql", title, make, deployed=not self.scripted)

    def _jobs(self) -> Iterator[_Part]:
        """What is of no single node."""
        deployed, project = not self.scripted, self.names.project
        for job in self.jobs:
            if calls := self.dialect.job(job, self.names, self.programs):
                origin = next((s.span.origin for s in project.schedules if s.spec.name == job.schedule), None)
                yield _Part(f"jobs/run_job_{job.schedule}.sql", f"job {job.schedule}", tuple(calls), None, origin, schedule=job.schedule)
        if freshness.view(project) is not None:
            task = freshness.check()
            pieces = tuple(self.dialect.task(task, self.names, identity.watched(project)))
            folder = "scripts" if self.scripted else "procedures"
            yield _Part(f"{folder}/{task.name}.sql", "check of the sources' freshness", pieces, deployed=deployed)
        pruned = f"{'scripts' if self.scripted else 'jobs'}/prune_run_log.sql"
        yield _Part(pruned, "retention of the run log", tuple(self.dialect.prune(self.names)), deployed=deployed)

    def _rights(self) -> list[Rights]:
        rights = self.dialect.rights(self.names, {} if self.scripted else self.programs, self.jobs)
        for role, nodes in self.names.readers.items():
            try:
                rights += self.dialect.reading(role, nodes, self.names)
            except Unsupported as error:
                self.diagnostics.error("C402", f"{self.dialect.name} cannot say this: {error}", nodes[0].span)
        return rights

    def _of(
        self, name: str, path: str, title: str, make: Callable[[], Iterable[Piece]], *, deployed: bool = True, role: Role = "other"
    ) -> _Part:
        """A part of a node; what the dialect cannot say is a diagnostic there, and the part is empty."""
        node = self.names.project.nodes[name]
        try:
            pieces = tuple(make())
        except Unsupported as error:
            self.diagnostics.error("C402", f"{self.dialect.name} cannot say this: {error}", node.span)
            pieces = ()
        return _Part(path, title, pieces, name, node.span.origin, deployed, role)

    def _lowered(self, objects: Iterable[SchemaOp], program: Program | None = None) -> Iterator[Piece]:
        for op in objects:
            yield from _lowered(self.dialect, op, self.names)
        if program:
            yield from self.dialect.register(program, self.names)

    def _text(self, part: _Part) -> str | None:
        try:
            return joined(part.pieces, self.dialect)
        except (Forbidden, Unsupported) as error:
            span = self.names.project.nodes[part.node].span if part.node else None
            help = f"give {self.dialect.name} its own text with sql: {{{self.dialect.name}: …}}"
            self.diagnostics.error("C402", f"{self.dialect.name} cannot say this: {error}", span, help)
            return None

    def _label(self, name: str) -> str:
        return self.dialect.label(self.names.node(name))


def _lowered(dialect: Dialect, op: SchemaOp, names: Names) -> list[Piece]:
    if isinstance(op, CreateTable | CreateView | CreateTableFunction) and len(op.columns) > (dialect.most_columns or len(op.columns)):
        raise Unsupported(f"{op.name} has {len(op.columns):,} columns, and {dialect.most_columns:,} are the most")
    match op:
        case CreateTable():
            return dialect.create_table(op, names)
        case CreateIndex():
            return dialect.create_index(op, names)
        case CreateView():
            return dialect.create_view(op, names)
        case CreateTableFunction():
            return dialect.create_table_function(op, names)
        case LoadSeed():
            return dialect.load_seed(op, names)
    raise AssertionError(f"{type(op).__name__} is not an operation on objects")


def _deploy(parts: Iterable[Section], dialect: Dialect, names: Names, release: Release) -> File:
    """Guard, everything in order, released state. It runs as it is in the engine's own client."""
    sections = [joined(dialect.preamble(names, release.identity), dialect)]
    sections += [f"-- {'=' * 20} {part.path}: {one_line(part.title)}\n\n{part.text}" for part in parts]
    if retired := [piece for one in release.retired for piece in dialect.changes.retired(one, names)]:
        sections.append("-- What they have retired, where a database never had it: later migrations, approvals and rollbacks find it.\n\n"
                        + joined(retired, dialect))  # fmt: skip
    if release.migrations:
        pieces = [*dialect.changes.ledger(names), *dialect.changes.contained(names, release)]
        sections.append("-- The migrations that this state contains: nothing of them is left to do.\n\n"
                        + joined(pieces, dialect))  # fmt: skip
    sections.append(joined(dialect.postamble(names, release.identity), dialect))
    title = f"deploy of {names.project.project.name} to target {names.target_name}, safe to run again"
    return sql_file("deploy.sql", "\n\n\n".join(sections), dialect=dialect.name, title=title, origin=None)


def _schedules(names: Names, dialect: Dialect, diagnostics: Diagnostics) -> Iterable[File]:
    """The schedules in the words of the target's schedulers: never part of deploy.sql."""
    project = names.project
    try:
        schedulers = schedules.chosen(names.target, scripted=dialect.scripted(names))
    except schedules.CannotSay as error:
        at = project.targets_at[names.target_name].span("schedulers")
        diagnostics.error("C402", f"target {names.target_name}: {error}", at, error.help)
        return
    for schedule in project.schedules:
        chosen = set(schedule.nodes)
        nodes = tuple(
            schedules.NodeCall(
                n, dialect.call(names.own(f"run_{n}"), project.nodes[n].kind == "incremental"), _before(project, n, chosen),
                project.nodes[n].description,
            )
            for n in schedule.nodes
        )  # fmt: skip
        timed = schedules.Timed(
            schedule.spec, project.project.name, dialect.schema_path(names), dialect.call(names.own(f"run_job_{schedule.spec.name}"), None),
            nodes, names.target_name, names.target,
        )  # fmt: skip
        for scheduler in schedulers:
            try:
                file = scheduler.plan(timed)
            except schedules.CannotSay as error:
                diagnostics.error("C402", f"schedule {schedule.spec.name}: {error}", schedule.at.get(error.key, schedule.span), error.help)
                continue
            text, origin = text_of(file.shell, dialect), schedule.span.origin
            about = f"schedule:{schedule.spec.name}"
            yield sql_file(file.path, text, dialect=dialect.name, title=file.title, origin=origin, marker=file.marker, about=about)


def _before(project: Resolved, name: str, chosen: set[str]) -> tuple[str, ...]:
    """The nearest nodes of the schedule that `name` reads, through views and whatever else is not in it."""
    read = project.upstream(project.nodes[name], lambda node: node.name not in chosen)
    return tuple(sorted({found.name for found in read if isinstance(found, Node) and found.name in chosen}))
