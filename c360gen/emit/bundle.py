"""Everything of one target: the files a DBA reads, and deploy.sql, which holds them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from c360gen import dialects, schedules, strategies
from c360gen.diagnostics import Diagnostics
from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Names
from c360gen.dialects.words import Unsupported
from c360gen.emit import adoptions, freshness, identity, layout, manifest, tests
from c360gen.emit.files import File, sql_file
from c360gen.emit.shell import text_of
from c360gen.emit.sql import Forbidden
from c360gen.ops.change import Release
from c360gen.ops.program import Job, Program
from c360gen.ops.schema import CreateIndex, CreateTable, CreateTableFunction, CreateView, LoadSeed, SchemaOp
from c360gen.ops.shell import Piece
from c360gen.project.nodes import Node, Resolved
from c360gen.strategies import Artefacts


@dataclass(frozen=True)
class _Part:
    """A file that is also a part of deploy.sql."""

    path: str
    title: str
    pieces: tuple[Piece, ...]
    origin: str | None


@dataclass(frozen=True)
class Section:
    """The text of a part of deploy.sql: what a migration executes again where it changed."""

    path: str
    title: str
    text: str
    deployed: bool = True
    """Whether deploy.sql holds it; a script is for a runner."""


@dataclass(frozen=True)
class Bundle:
    """The files of one target, the sections of its deploy.sql, and the operations that they come from."""

    files: list[File]
    sections: tuple[Section, ...] = ()
    plans: Mapping[str, Artefacts] = field(default_factory=dict)


def files(names: Names, diagnostics: Diagnostics, release: Release | None = None) -> Bundle:
    """The output of one target. What an engine cannot say becomes a diagnostic at the node that asks for it."""
    dialect = dialects.get(str(names.target.dialect))
    project = names.project
    if names.target.form == "procedures" and not dialect.has_procedures:
        diagnostics.error(
            "C402", f"target {names.target_name}: {dialect.name} has no procedures", None, "remove form, or say form: scripts"
        )
    plans: dict[str, Artefacts] = {}
    for node in project.nodes.values():
        plans[node.name] = strategies.artefacts(node, project, dialect.name, dialect.traits)
    programs = {name: plan.program for name, plan in plans.items() if plan.program}
    jobs = [Job(s.spec.name, s.nodes, s.spec.description) for s in project.schedules]
    parts = [_Part("control.sql", "control tables: run log, state, releases", tuple(dialect.control(names)), None)]
    parts += _objects(dialect, names, plans, diagnostics)
    scripted = dialect.scripted(names)
    folder = "scripts" if scripted else "procedures"
    runs = []
    for name, program in programs.items():
        node = project.nodes[name]
        make = partial(dialect.procedure, program, names, identity.meaning(node, project, dialect.name))
        pieces = _said(node, dialect, diagnostics, make)
        runs.append(_Part(f"{folder}/run_{name}.sql", f"run of {_label(names, name)}", pieces, _origin(node)))
    for name, plan in plans.items():
        for task in plan.tasks:
            node = project.nodes[name]
            make = partial(dialect.task, task, names, identity.meaning(node, project, dialect.name))
            path = f"{folder}/{task.name}.sql"
            runs.append(_Part(path, f"{task.action} of {_label(names, name)}", _said(node, dialect, diagnostics, make), _origin(node)))
    runs += [
        _Part(f"jobs/run_job_{job.schedule}.sql", f"job {job.schedule}", tuple(calls), _schedule_origin(names, job.schedule))
        for job in jobs if not scripted and (calls := dialect.job(job, names, programs))
    ]  # fmt: skip
    watched = freshness.view(project)
    if watched is not None:
        parts.append(_Part("views/source_freshness.sql", "how fresh the sources are", tuple(dialect.freshness(watched, names)), None))
        task = freshness.check()
        pieces = tuple(dialect.task(task, names, identity.watched(project)))
        runs.append(_Part(f"{folder}/{task.name}.sql", "check of the sources' freshness", pieces, None))
    pruned = "scripts/prune_run_log.sql" if scripted else "jobs/prune_run_log.sql"
    runs.append(_Part(pruned, "retention of the run log", tuple(dialect.prune(names)), None))
    if not scripted:
        parts += runs
    rights = dialect.rights(names, {} if scripted else programs, [] if scripted else jobs)
    for role, nodes in names.readers.items():
        try:
            rights += dialect.reading(role, nodes, names)
        except Unsupported as error:
            diagnostics.error("C402", f"{dialect.name} cannot say this: {error}", nodes[0].span)
    if rights:
        parts.append(_Part("grants.sql", "who may do what", tuple(dialect.grants(r) for r in rights), None))
    shape = identity.shape(project, names.target)
    release = release or Release(shape)
    texts: list[tuple[_Part, str]] = [(p, t) for p in parts if (t := _text(p, dialect, names, diagnostics)) is not None]
    out = [_file(part, text, dialect) for part, text in texts]
    if scripted:
        out += [_file(p, t, dialect) for p in runs if (t := _text(p, dialect, names, diagnostics)) is not None]
    out.insert(0, _deploy(texts, dialect, names, release))
    if dialect.longest and (size := len(out[0].text.encode())) > dialect.longest:
        message = f"{dialect.name} takes {dialect.longest // 1024} KiB in one query: deploy.sql has {size // 1024}"
        diagnostics.error("C402", message, None, "declare large seeds as sources, or split the project in two")
    if roles := dialect.roles(names):
        part = _Part("roles.sql", "roles, to be created once by an administrator", tuple(roles), None)
        out += [_file(part, t, dialect)] if (t := _text(part, dialect, names, diagnostics)) is not None else []
    try:
        out += tests.files(names, dialect)
        out += adoptions.files(names, dialect, diagnostics)
    except Unsupported as error:
        diagnostics.error("C402", f"{dialect.name} cannot say this: {error}")
    out += _schedules(names, dialect, diagnostics)
    if diagnostics.failed:
        return Bundle([])
    if names.target.layout and release.migrations:
        out += layout.repeatable(names.target.layout, out[0].text)
    out.append(manifest.file(names, dialect, out, programs, {n: p.tasks for n, p in plans.items()}, release.identity))
    sections = [Section(p.path, p.title, t) for p, t in texts]
    if scripted:
        sections += [Section(p.path, p.title, t, False) for p in runs if (t := _text(p, dialect, names, diagnostics)) is not None]
    return Bundle(out, tuple(sections), plans)


def _objects(dialect: Dialect, names: Names, plans: Mapping[str, Artefacts], diagnostics: Diagnostics) -> Iterable[_Part]:
    """Tables and views in dependency order; helpers right after their node, so that views below may read them."""
    for name, plan in plans.items():
        node = names.project.nodes[name]
        if not plan.objects:
            continue
        pieces = _said(node, dialect, diagnostics, partial(_pieces, plan.objects, plan.program, dialect, names))
        folder = "views" if node.kind == "view" else "tables"
        yield _Part(f"{folder}/{name}.sql", f"{node.kind} {_label(names, name)}", pieces, _origin(node))
        if plan.helpers:
            helpers = _said(node, dialect, diagnostics, partial(_pieces, plan.helpers, None, dialect, names))
            yield _Part(f"views/{name}.sql", f"views of {_label(names, name)}", helpers, _origin(node))
    for name, plan in plans.items():
        if plan.views:
            node = names.project.nodes[name]
            pieces = _said(node, dialect, diagnostics, partial(_pieces, plan.views, None, dialect, names))
            yield _Part(f"views/{name}_point_in_time.sql", f"{_label(names, name)} with history", pieces, _origin(node))


def _pieces(objects: Iterable[SchemaOp], program: Program | None, dialect: Dialect, names: Names) -> list[Piece]:
    pieces = [p for op in objects for p in _lowered(dialect, op, names)]
    return pieces + (dialect.register(program, names) if program else [])


def _said(node: Node, dialect: Dialect, diagnostics: Diagnostics, make: Callable[[], list[Piece]]) -> tuple[Piece, ...]:
    """What a dialect says of a node, or nothing and a diagnostic at the node."""
    try:
        return tuple(make())
    except Unsupported as error:
        diagnostics.error("C402", f"{dialect.name} cannot say this: {error}", node.span)
        return ()


def _lowered(dialect: Dialect, op: object, names: Names) -> list[Piece]:
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


def _text(part: _Part, dialect: Dialect, names: Names, diagnostics: Diagnostics) -> str | None:
    try:
        return "\n\n".join(text_of(p, dialect) for p in part.pieces)
    except (Forbidden, Unsupported) as error:
        node = next((n for n in names.project.nodes.values() if part.path.endswith((f"/{n.name}.sql", f"/run_{n.name}.sql"))), None)
        help = f"give {dialect.name} its own text with sql: {{{dialect.name}: …}}"
        diagnostics.error("C402", f"{dialect.name} cannot say this: {error}", node.span if node else None, help)
        return None


def _file(part: _Part, text: str, dialect: Dialect) -> File:
    return sql_file(part.path, text, dialect=dialect.name, title=part.title, origin=part.origin)


def _deploy(parts: list[tuple[_Part, str]], dialect: Dialect, names: Names, release: Release) -> File:
    """Guard, everything in order, released state. It runs as it is in the engine's own client."""
    sections = ["\n\n".join(text_of(p, dialect) for p in dialect.preamble(names, release.identity))]
    for part, text in parts:
        sections.append(f"-- {'=' * 20} {part.path}: {part.title}\n\n{text}")
    if release.migrations:
        pieces = [*dialect.ledger(names), *dialect.contained(names, release)]
        sections.append("-- The migrations that this state contains: nothing of them is left to do.\n\n"
                        + "\n\n".join(text_of(p, dialect) for p in pieces))  # fmt: skip
    sections.append("\n\n".join(text_of(p, dialect) for p in dialect.postamble(names, release.identity)))
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
            text, origin = text_of(file.shell, dialect), schedule.span.path
            yield sql_file(file.path, text, dialect=dialect.name, title=file.title, origin=origin, marker=file.marker)


def _before(project: Resolved, name: str, chosen: set[str]) -> tuple[str, ...]:
    """The nearest nodes of the schedule that `name` reads, through views and whatever else is not in it."""
    found: set[str] = set()
    waiting = [p.removeprefix("ref:") for p in project.nodes[name].depends_on if p.startswith("ref:")]
    seen: set[str] = set()
    while waiting:
        parent = waiting.pop()
        if parent in chosen:
            found.add(parent)
        elif parent not in seen:
            seen.add(parent)
            waiting += [p.removeprefix("ref:") for p in project.nodes[parent].depends_on if p.startswith("ref:")]
    return tuple(sorted(found))


def _label(names: Names, name: str) -> str:
    address = names.node(name)
    return f"{address.schema}.{address.name}"


def _origin(node: Node) -> str:
    return node.span.path


def _schedule_origin(names: Names, schedule: str) -> str | None:
    return next((s.span.path for s in names.project.schedules if s.spec.name == schedule), None)
