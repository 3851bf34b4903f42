"""The pages of sources, exposures and schedules, and the index."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from c360gen.docs import columns
from c360gen.docs.material import KINDS, Material
from c360gen.docs.pages import Facts, Page, Part, Picture, Row, Section, Table, facts, mail, outside, sections, words
from c360gen.project.nodes import Source
from c360gen.project.resolved import ResolvedExposure, ResolvedSchedule
from c360gen.spec import models as spec


def source(found: Source, material: Material) -> Page:
    group, written = _written(found, material)
    meta = {**group.meta, **group.config.meta, **written.meta, **written.config.meta}
    after = material.after(found.id)
    return Page(
        material.path(found.id), found.name, "source", KINDS["source"], found.description,
        facts(
            ("Table", words(".".join(p for p in (found.database, found.schema, found.identifier) if p), code=True)),
            ("Tags", words(*dict.fromkeys(found.tags))),
            ("Written in", words(f"{found.span.origin}:{found.span.line}", code=True)),
            *((str(key), words(columns.value(value))) for key, value in meta.items()),
        ),
        sections(
            Section("graph", "Around it", picture=material.around(found.id)),
            Section("columns", "Columns", table=columns.table(found, written.columns, material)),
            Section("tests", "Tests of the whole", items=columns.of_whole(found, material)),
            Section("freshness", "Freshness", facts=_freshness(found, material)),
            Section("read-by", "Read by", items=tuple(map(material.link, material.readers.get(found.id, ())))),
            Section("after", "Everything that depends on it", items=tuple(map(material.link, after))),
            Section("targets", "In each target", table=Table.of(("Target", "Dialect", "Relation"), tuple(
                Row((words(b.target_name), words(b.target.dialect), words(entry["relation"], code=True)))
                for b, entry in material.addresses(found.id)
            ))),
            Section("files", "Generated files", groups=material.generated(found.id)),
        ),
    )  # fmt: skip


def _written(found: Source, material: Material) -> tuple[spec.Source, spec.SourceTable]:
    """The source and the table as they are written."""
    return next(
        (s.spec, t) for s in material.loaded.specs.sources for t in s.spec.tables if f"{s.spec.name}.{t.name}" == found.name
    )  # fmt: skip


def _freshness(found: Source, material: Material) -> Facts:
    if found.freshness is None:
        return ()
    query = found.freshness.query
    where = query.find(exp.Where)
    times = [columns.condition(s.unalias(), material) for s in query.selects]
    return facts(
        ("Loaded at", words(*times, code=True)),
        ("Only rows where", words(columns.condition(where.this.unnest(), material) if where else None, code=True)),
        *((said, words(columns.duration(age))) for said, age in
          (("A warning after", found.freshness.warn_after), ("Fails after", found.freshness.error_after)) if age is not None),
    )  # fmt: skip


def exposure(found: ResolvedExposure, material: Material) -> Page:
    item = found.spec
    id_ = f"exposure:{item.name}"
    owner = [Part(item.owner.name)] if item.owner.name else []
    owner += [Part(item.owner.email, url=mail(item.owner.email))] if item.owner.email else []
    far = {i: "directly" if steps == 1 else f"{steps} steps" for i, steps in material.distances(id_).items()}
    rows = [Row(((material.link(i),), words(KINDS[material.kind(i)]), words(said))) for i, said in far.items()]
    return Page(
        material.path(id_), material.label(id_), "exposure", KINDS["exposure"], item.description.strip(),
        facts(
            ("Name", words(item.name, code=True)),
            ("Type", words(item.type)),
            ("Maturity", words(item.maturity)),
            ("Formats", words(*item.formats)),
            ("Address", [Part(item.url, url=outside(item.url))] if item.url else ()),
            ("Owner", owner),
            ("Tags", words(*dict.fromkeys(item.tags))),
            ("Written in", words(f"{found.span.origin}:{found.span.line}", code=True)),
            *((str(key), words(columns.value(value))) for key, value in item.meta.items()),
        ),
        sections(
            Section("graph", "What it is made of", picture=_ancestors(id_, material)),
            Section("depends-on", "Depends on", table=Table.of(("Name", "Kind", "How far"), rows)),
        ),
    )  # fmt: skip


def _ancestors(id_: str, material: Material) -> Picture | None:
    chosen = {id_, *material.distances(id_)}
    title = f"Everything that {material.label(id_)} depends on"
    return material.picture([i for i in material.ids if i in chosen], title, here=id_) if len(chosen) > 1 else None


def schedule(found: ResolvedSchedule, material: Material) -> Page:
    item = found.spec
    id_ = f"schedule:{item.name}"
    nodes = [material.project.nodes[n] for n in found.nodes]
    rows = [Row((words(str(n)), (material.link(o.id),), words(KINDS[o.kind]), words(o.description))) for n, o in enumerate(nodes, 1)]
    return Page(
        material.path(id_), item.name, "schedule", KINDS["schedule"], item.description.strip(),
        facts(
            ("Cron", words(item.cron, code=True)),
            ("Time zone", words(item.timezone)),
            ("Selects", words(item.select, code=True)),
            ("Without", words(item.exclude, code=True)),
            ("Written in", words(f"{found.span.origin}:{found.span.line}", code=True)),
        ),
        sections(
            Section("nodes", "What it runs, in this order", table=Table.of(("Step", "Node", "Kind", "Description"), rows)),
            Section("files", "Generated files", groups=material.generated(id_)),
        ),
    )  # fmt: skip


# --- the index --------------------------------------------------------------------------------------------------------


def index(material: Material) -> Page:
    project = material.project
    counted = [(kind, [i for i in material.ids if material.kind(i) == kind]) for kind in KINDS if kind != "schedule"]
    targets = [Part(b.target_name, note="" if b.target_name == b.target.dialect else str(b.target.dialect)) for b in material.builds]
    return Page(
        "index.html", project.project.name, "project", "Project", "",
        facts(
            *((f"{KINDS[kind]}s", (Part(str(len(ids)), to=f"index.html#{kind}"),)) for kind, ids in counted if ids),
            ("Schedules", (Part(str(len(material.schedules)), to="index.html#schedule"),) if material.schedules else ()),
            ("Targets", targets),
        ),
        sections(
            Section("graph", "Lineage", picture=material.picture(material.ids, f"The lineage of {project.project.name}")),
            *(Section(kind, f"{KINDS[kind]}s", table=Table.of(("Name", "Description", "About"), _listed(ids, material)))
              for kind, ids in counted),
            Section("schedule", "Schedules", table=_schedules(material)),
        ),
    )  # fmt: skip


def _listed(ids: list[str], material: Material) -> Iterator[Row]:
    for id_ in ids:
        if id_ in material.exposures:
            spec_ = material.exposures[id_].spec
            about = (*words(spec_.type), *(Part(t, note="tag") for t in dict.fromkeys(spec_.tags)))
            yield Row(((material.link(id_),), words(spec_.description.strip()), about))
            continue
        relation = material.project.relation(id_)
        tags = [Part(t, note="tag") for t in dict.fromkeys(relation.tags)]
        runs = [material.link(s, "runs in") for s, found in material.schedules.items() if relation.name in found.nodes]
        yield Row(((material.link(id_),), words(relation.description), (*runs, *tags)))


def _schedules(material: Material) -> Table:
    rows = [
        Row(((material.link(id_),), words(s.spec.description.strip()), words(s.spec.cron, code=True), words(s.spec.timezone),
             words(str(len(s.nodes)))))
        for id_, s in material.schedules.items()
    ]  # fmt: skip
    return Table.of(("Name", "Description", "Cron", "Time zone", "Nodes"), rows)
