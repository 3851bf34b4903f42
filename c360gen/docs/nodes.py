"""The page of a node: a snapshot, a model or a seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from c360gen.docs import columns
from c360gen.docs.material import KINDS, Material
from c360gen.docs.pages import Cell, Code, Page, Part, Row, Section, Table, facts, sections, words
from c360gen.ops.schema import CreateTable, CreateTableFunction, CreateView, SchemaOp
from c360gen.project.nodes import Node

WITHOUT_RUN = {
    "view": "Nothing is stored: its SELECT is answered whenever somebody reads it.",
    "ephemeral": "A database has nothing of it: its SELECT becomes a CTE of whatever reads it.",
    "seed": "The rows of a CSV file: a deploy replaces them all where they are not those that it loaded last.",
}
FAILED = "Nothing is written then but a row of the run log."
_ELSEWHERE = {"tags", "meta", "schema", "alias", "enabled"}
"""Settings that a page shows in another place than among the settings."""
_ROWS = 20
"""Of a seed."""


def page(node: Node, material: Material) -> Page:
    spec = material.written[node.id].spec
    meta = {**spec.meta, **spec.config.meta}
    owner = meta.pop("owner", None)
    strategy = node.strategy.replace("delete_insert", "delete+insert")
    return Page(
        material.path(node.id), material.label(node.id), node.kind, KINDS[node.kind], node.description,
        facts(
            ("Name", words(f"ref('{node.name}')", code=True)),
            ("Strategy", words(strategy if strategy != node.kind else None, code=True)),
            ("Unique key", words(*node.key, code=True)),
            ("Owner", words(columns.value(owner) if owner is not None else None)),
            ("Tags", words(*dict.fromkeys(node.tags))),
            ("May read", words(*node.readers, code=True)),
            ("Written in", words(f"{node.span.origin}:{node.span.line}", code=True)),
            *((str(key), words(columns.value(value))) for key, value in meta.items()),
        ),
        sections(
            _meaning(node, material),
            Section("graph", "Around it", picture=material.around(node.id)),
            Section("columns", "Columns", table=columns.table(node, spec.columns, material)),
            Section("rows", "What decides which rows there are", items=_deciding(node, material)),
            Section("tests", "Tests and constraints of the whole", items=columns.of_whole(node, material)),
            Section("reads", "Reads", items=tuple(map(material.link, material.parents[node.id]))),
            Section("read-by", "Read by", items=_readers(node, material)),
            Section("exposures", "Exposures that depend on it", items=_exposures(node, material)),
            Section("beside", "What stands beside it", table=_beside(node, material)),
            Section("runs", "When it runs", table=_runs(node, material)),
            Section("guards", "What a run may fail with", FAILED, table=_guards(node, material)),
            Section("tasks", "What a person may call", table=_tasks(node, material)),
            Section("settings", "Settings", facts=facts(*(
                (str(k), words(columns.value(v), code=True)) for k, v in material.settings(node.id).items() if k not in _ELSEWHERE
            ))),
            Section("sql", "SQL as written", codes=_sql(node, material)),
            _seed(node),
            Section("targets", "In each target", table=_addresses(node, material)),
            Section("files", "Generated files", groups=material.generated(node.id)),
        ),
    )  # fmt: skip


def _meaning(node: Node, material: Material) -> Section:
    """In the words of the procedure's own header."""
    program = material.program(node.name)
    if program is None:
        return Section("meaning", "What it does", WITHOUT_RUN[node.kind])
    return Section("meaning", "What it does", f"{program.summary}.", items=words(*program.rules))


def _deciding(node: Node, material: Material) -> Cell:
    return tuple(material.column_link(*e.origin, note=e.how) for e in material.lineage.into(node.id) if not e.to[1])


def _readers(node: Node, material: Material) -> Cell:
    """The nodes that read it, and those whose rows a view shows beside its versions."""
    found = [material.link(i) for i in material.readers.get(node.id, ()) if i not in material.exposures]
    for other in material.project.nodes.values():
        if node.name in (p.snapshot for p in other.point_in_time):
            found.append(material.link(other.id, f"its view {', '.join(other.views)}"))
    return tuple(found)


def _exposures(node: Node, material: Material) -> Cell:
    """At any distance."""
    direct = material.readers.get(node.id, ())
    return tuple(material.link(i, "directly" if i in direct else "") for i in material.after(node.id) if i in material.exposures)


def _runs(node: Node, material: Material) -> Table:
    found = [(id_, s) for id_, s in material.schedules.items() if node.name in s.nodes]
    rows = [Row(((material.link(id_),), words(s.spec.cron, code=True), words(s.spec.timezone))) for id_, s in found]
    return Table.of(("Schedule", "Cron", "Time zone"), rows)


def _guards(node: Node, material: Material) -> Table:
    return Table.of(("Code", "Meaning"), tuple(Row((words(code, code=True), words(title))) for code, title in material.guards(node.name)))


def _tasks(node: Node, material: Material) -> Table:
    tasks = material.plan(node).tasks
    return Table.of(("Procedure", "What it does"), tuple(Row((words(t.name, code=True), words(f"{t.summary}."))) for t in tasks))


def _beside(node: Node, material: Material) -> Table:
    plan = material.plan(node)
    found = [row for op in (*plan.objects, *plan.helpers, *plan.views) for row in _object(op, node)]
    return Table.of(("Name", "Kind", "Description", "Columns"), found)


def _object(op: SchemaOp, node: Node) -> Iterator[Row]:
    """A view, a table function or a table that a node has besides itself."""
    match op:
        case CreateView() if op.name != node.identifier:
            name, kind = op.name, "view"
        case CreateTableFunction():
            name, kind = f"{op.name}({', '.join(op.parameters)})", "table function"
        case CreateTable() if op.kind != "ref":
            name, kind = f"{node.identifier}_{op.kind}", "table"
        case _:
            return
    listed = ", ".join(c.name for c in op.columns)
    yield Row((words(f"{node.schema}.{name}", code=True), words(kind), words(op.description), words(listed, code=True)))


def _sql(node: Node, material: Material) -> tuple[Code, ...]:
    own = material.project.project.sql_dialect
    return tuple(Code(dialect or own, text.text.strip("\n")) for dialect, text in material.written[node.id].sql.items())


def _seed(node: Node) -> Section:
    headers = tuple(c.name for c in node.columns)
    rows = tuple(Row(tuple((Part("NULL" if v is None else v, code=v is None),) for v in row)) for row in node.rows[:_ROWS])
    more = len(node.rows) - len(rows)
    return Section("content", "Rows", f"The first {_ROWS}; {more} more are in its file." if more else "", table=Table(headers, rows))


def _addresses(node: Node, material: Material) -> Table:
    """What it is called there, and what runs it."""
    rows = []
    for build, entry in material.addresses(node.id):
        called: Sequence[str | None] = (build.target_name, build.target.dialect, entry["relation"], entry["script"] or entry["run"])
        rows.append(Row(tuple(words(text, code=number > 1) for number, text in enumerate(called))))
    return Table.of(("Target", "Dialect", "Relation", "Run"), rows)
