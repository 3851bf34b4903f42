"""Specs as written → the project as meant. Every mistake is reported; nothing is guessed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import cast

from c360gen.diagnostics import Diagnostics, Span, nearest_or_list
from c360gen.project import adoption, constraints, environment, graph, models, past, point_in_time, seeds, snapshots, texts
from c360gen.project.columns import declared_columns, fold
from c360gen.project.freshness import freshness, given_twice
from c360gen.project.nodes import Node, Snapshot, Source
from c360gen.project.query import Catalog
from c360gen.project.references import Known, parse_reference
from c360gen.project.resolved import Resolved, ResolvedExposure, ResolvedSchedule
from c360gen.project.scenarios import Scenarios
from c360gen.project.select import BadSelection, Selectable, select, selectables
from c360gen.project.tests import Tests
from c360gen.spec import models as spec
from c360gen.spec.load import Located, Specs
from c360gen.terms import symbols

NAME = re.compile(r"[a-z_][a-z0-9_]*")


def resolve(specs: Specs, diagnostics: Diagnostics) -> Resolved:
    """Raise SpecError with everything found when any of it is an error."""
    _names(specs, diagnostics)
    _source_names(specs, diagnostics)
    sources = _sources(specs, diagnostics)
    nodes = _nodes(specs, sources, diagnostics)
    declared = {item.spec.name for item in specs.nodes if item.spec.config.enabled}
    exposures = tuple(_exposure(e, sources, nodes, declared, diagnostics) for e in specs.exposures if e.spec.enabled)
    items = selectables(sources, nodes, exposures)
    blame = not diagnostics.failed  # a node with a mistake is not among the items: do not blame the selection for it
    schedules = tuple(_schedule(s, nodes, items, diagnostics, blame) for s in specs.schedules)
    told = Scenarios(sources, nodes, items, diagnostics)
    scenarios = tuple(s for located in specs.scenarios if blame and (s := told.resolve(located)))
    _collisions(nodes, schedules, diagnostics)
    _control(nodes, specs, diagnostics)
    past.of_sources(specs, diagnostics)
    approvals = past.approvals(specs, diagnostics)
    diagnostics.raise_if_failed()
    targets = {name: located.spec for name, located in specs.targets.items()}
    return Resolved(specs.project.spec, targets, sources, nodes, exposures, schedules, scenarios, specs.targets, approvals)


def check_name(name: str, what: str, at: Span, diagnostics: Diagnostics) -> None:
    """Names of nodes, schemas and schedules become names of procedures, tasks and files: plain words only."""
    if not NAME.fullmatch(name):
        help = "use lower-case letters, digits and underscores, not starting with a digit"
        suggestion = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
        if NAME.fullmatch(suggestion):
            help += f", such as '{suggestion[:40]}'"
        diagnostics.error("C204", f"{what} '{_short(name)}' cannot be used as a name", at, help)
    elif len(name) > symbols.LONGEST:
        help = "choose a shorter one; Postgres would cut it"
        diagnostics.error("C204", f"{what} '{_short(name)}' is {len(name)} characters long; {symbols.LONGEST} is the most", at, help)


def _source_names(specs: Specs, diagnostics: Diagnostics) -> None:
    """They are written into references, and become names of files: they are not ours, and may be more than plain words.

    Raise SpecError where one is bad: no reference could be read that names it."""
    named = [(s.spec.name, "source", "schema", s.span("name")) for s in specs.sources]
    named += [
        (t.name, "source table", "identifier", s.span("tables", n, "name")) for s in specs.sources for n, t in enumerate(s.spec.tables)
    ]
    bad = [n for n in named if re.search(r"""[/\\"']""", n[0]) or not n[0].isprintable() or not n[0].strip(" .")]
    for name, what, key, at in bad:
        help = f"choose another name, and say {key}: for what it is called in the database"
        diagnostics.error("C204", f"{what} '{_short(name)}' cannot be used as a name", at, help)
    if bad:
        diagnostics.raise_if_failed()


def _short(name: str) -> str:
    shown = name if len(name) <= 40 else name[:37] + "…"
    return shown.encode("unicode_escape").decode() if not shown.isprintable() else shown


def _names(specs: Specs, diagnostics: Diagnostics) -> None:
    project = specs.project
    check_name(project.spec.control_schema, "control schema", project.span("control_schema"), diagnostics)
    check_name(project.spec.schema_, "schema", project.span("schema"), diagnostics)
    for node in specs.nodes:
        what = type(node.spec).__name__.lower()
        check_name(node.spec.name, what, node.span("name"), diagnostics)
        for key, value in (("schema", node.spec.config.schema_), ("alias", node.spec.config.alias)):
            if value is not None:
                check_name(value, key, node.span("config", key), diagnostics)
    for exposure in specs.exposures:
        check_name(exposure.spec.name, "exposure", exposure.span("name"), diagnostics)
    for schedule in specs.schedules:
        check_name(schedule.spec.name, "schedule", schedule.span("name"), diagnostics)
    for name, target in specs.targets.items():
        if (target.spec.default or name == target.spec.dialect) and (read := environment.variables(target.spec)):
            message = f"target {name} is built by default, and its output would depend on {', '.join(read)} of whoever builds it"
            diagnostics.error("C403", message, target.key_span(), "give it another name than its dialect, and omit default:")
        if target.spec.settings and target.spec.dialect != "postgres":
            message = f"target {name} is not Postgres, and these are settings of its sessions"
            diagnostics.error("C401", message, target.key_span("settings"), "omit settings:")
        if target.spec.schema_prefix and not environment.variables(target.spec):
            check_name(target.spec.schema_prefix, "schema prefix", target.span("schema_prefix"), diagnostics)


def _sources(specs: Specs, diagnostics: Diagnostics) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for located in specs.sources:
        source = located.spec
        given_twice(located, diagnostics)
        for index, table in enumerate(source.tables):
            if not (source.config.enabled and table.config.enabled):
                continue
            loc = ("tables", index)
            name = f"{source.name}.{table.name}"
            if name in found:
                diagnostics.error("C108", f"source table {name} is declared twice", located.span(*loc, "name"))
                continue
            constraints.refuse(located, table.columns, loc, f"{name} is written by others", diagnostics)
            columns = declared_columns(located, table.columns, (*loc, "columns"), diagnostics, need_types=True)
            found[name] = Source(
                name, source.database, source.schema_ or source.name, table.identifier or table.name, columns,
                (), located.span(*loc, "name"), table.description or source.description,
                (*source.tags, *source.config.tags, *table.tags, *table.config.tags),
            )  # fmt: skip
            found[name] = dataclasses.replace(found[name], freshness=freshness(located, index, found[name], specs, diagnostics))
    return found


def _nodes(specs: Specs, sources: dict[str, Source], diagnostics: Diagnostics) -> dict[str, Node]:
    """Resolve nodes in dependency order, so that each finds the columns of those before it."""
    located: dict[str, Located[spec.Snapshot | spec.Model | spec.Seed]] = {}
    for item in specs.nodes:
        if item.spec.config.enabled:
            located[item.spec.name] = item
    known = Known(specs, sources, frozenset(located))
    parents: dict[str, tuple[str, ...] | None] = {}
    for name, item in located.items():
        if isinstance(item.spec, spec.Snapshot):
            parents[name] = snapshots.reads(cast("Located[spec.Snapshot]", item), known, diagnostics)
        elif isinstance(item.spec, spec.Seed):
            parents[name] = ()
        else:
            parents[name] = texts.reads(item, known, diagnostics)
        if (read := parents[name]) is not None:
            parents[name] = (*read, *sorted(i for i in constraints.reads(item) - set(read) if known.check(i) is None))
    try:
        names = graph.order({n: [p.removeprefix("ref:") for p in ps or ()] for n, ps in parents.items()})
    except graph.Cycle as cycle:
        first = located[cycle.names[0]]
        diagnostics.error("C203", f"these read each other: {cycle}", first.span("name"), "break the circle: one must read a source")
        diagnostics.raise_if_failed()
        raise AssertionError from None
    nodes: dict[str, Node] = {}
    columns = {s.id: s.columns for s in sources.values()}
    for name in names:
        ids = parents[name]
        if ids is None or any(i not in columns for i in ids):
            continue  # its own mistake, or that of a node before it, is reported already
        item = located[name]
        node: Node | None
        if isinstance(item.spec, spec.Snapshot):
            node = snapshots.resolve(cast("Located[spec.Snapshot]", item), ids, Catalog(columns), known, diagnostics)
        elif isinstance(item.spec, spec.Seed):
            node = seeds.resolve(cast("Located[spec.Seed]", item), specs.project.spec, diagnostics)
        else:
            node = models.resolve(cast("Located[spec.Model]", item), ids, Catalog(columns), known, diagnostics)
        if node is not None:
            if isinstance(node, Snapshot):
                node = adoption.adopting(cast("Located[spec.Snapshot]", item), node, known, diagnostics)
            nodes[name] = node = past.past(item, node, specs, diagnostics)
            columns[node.id] = node.columns
    point_in_time.declare(specs.models, nodes, {s.spec.name for s in specs.snapshots}, diagnostics)
    tests, holds = Tests(known, columns, diagnostics), constraints.Constraints(known, columns, diagnostics)
    for name, node in nodes.items():
        nodes[name] = dataclasses.replace(node, tests=tests.of(node.id, located[name]), constraints=holds.of(node, located[name]))
    for source in specs.sources:
        for index, table in enumerate(source.spec.tables):
            if found := sources.get(f"{source.spec.name}.{table.name}"):
                sources[found.name] = dataclasses.replace(found, tests=tests.of(found.id, source, ("tables", index)))
    return nodes


def _exposure(
    located: Located[spec.Exposure], sources: Mapping[str, Source], nodes: Mapping[str, Node], declared: set[str],
    diagnostics: Diagnostics,
) -> ResolvedExposure:  # fmt: skip
    ids = []
    if located.spec.formats and not located.spec.depends_on:
        message = f"exposure {located.spec.name} has formats, and reads nothing"
        diagnostics.error("C401", message, located.span("formats"), "name what it reads under depends_on:")
    for index, text in enumerate(located.spec.depends_on):
        id_ = parse_reference(text)
        at = located.span("depends_on", index)
        if id_ is None:
            diagnostics.error("C104", f"depends_on: {text} is not a reference", at, "write ref('model') or source('source', 'table')")
        elif id_.startswith("source:") and id_[7:] not in sources:
            diagnostics.error("C202", f"source {id_[7:]} is not known", at, nearest_or_list(id_[7:], sources, "sources"))
        elif id_.startswith("ref:") and id_[4:] not in nodes:
            if id_[4:] not in declared:  # a node with a mistake of its own is reported already
                diagnostics.error("C201", f"{id_[4:]} is not known", at, nearest_or_list(id_[4:], declared, "nodes"))
        elif id_.startswith("ref:") and not nodes[id_[4:]].exists:
            message = f"depends_on: {id_[4:]} is ephemeral: the database has nothing of this name to read"
            diagnostics.error("C401", message, at, "name what reads it, or materialize it as a view")
        else:
            ids.append(id_)
    return ResolvedExposure(located.spec, tuple(ids), located.span("name"))


def _schedule(
    located: Located[spec.Schedule], nodes: Mapping[str, Node], items: Mapping[str, Selectable], diagnostics: Diagnostics, blame: bool
) -> ResolvedSchedule:
    chosen: set[str] = set()
    try:
        chosen = select(located.spec.select, items, located.spec.exclude)
    except BadSelection as bad:
        if blame:
            diagnostics.error("C206", f"{bad}", located.span("select"), bad.help)
    names = tuple(n for n in nodes if f"ref:{n}" in chosen and nodes[n].runs)
    if not names and blame and chosen:
        help = "views and ephemeral models are not run: select snapshots, incrementals or tables"
        diagnostics.error("C206", f"schedule {located.spec.name} selects nothing that runs", located.span("select"), help)
    at = {key: located.span(key) for key in ("cron", "timezone")}
    return ResolvedSchedule(located.spec, names, located.span("name"), at)


def _control(nodes: Mapping[str, Node], specs: Specs, diagnostics: Diagnostics) -> None:
    """A node called state, run_log or lock_… would be written over what runs are kept right by."""
    control = specs.project.spec.control_schema
    for node in nodes.values():
        if node.exists and node.schema == control:
            help = "give it a schema: of its own, or the project another control_schema:"
            diagnostics.error("C207", f"{node.name} is in the schema {control}, where the control tables are", node.span, help)


def _collisions(nodes: Mapping[str, Node], schedules: tuple[ResolvedSchedule, ...], diagnostics: Diagnostics) -> None:
    """Two objects of one name in one schema, and run_<node> against run_job_<schedule>."""
    taken: dict[tuple[str, str], str] = {}
    for node in nodes.values():
        for name in node.objects:
            if (other := taken.setdefault((node.schema, fold(name, False)), node.name)) != node.name:
                message = f"{node.name} and {other} would both create {node.schema}.{name}"
                diagnostics.error("C207", message, node.span, "rename one, or give it an alias: or a schema:")
    jobs = {f"job_{s.spec.name}": s for s in schedules}
    for name in nodes.keys() & jobs.keys():
        message = f"node {name} and schedule {jobs[name].spec.name} would both create procedure run_{name}"
        diagnostics.error("C207", message, nodes[name].span, "rename one")
