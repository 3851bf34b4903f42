"""Lineage and impact: the edges of every kind of SQL, and that what impact says is what happens when the column changes."""

from __future__ import annotations

import gc
import json
import re
import shutil
import time
from pathlib import Path

import pytest
import sqlglot
import yaml
from click.testing import CliRunner
from sqlglot import exp

from c360gen.cli.main import cli
from c360gen.diagnostics import Span, SpecError
from c360gen.pipeline import LoadedProject, load_project
from c360gen.project.impact import impact
from c360gen.project.lineage import Lineage, Unknown, place
from c360gen.project.nodes import Column, Node, Query
from c360gen.project.origins import VALUES, Place
from c360gen.project.resolved import Resolved
from c360gen.spec.models import Project
from tests.conftest import CASES

ROOT = Path(__file__).parents[2]
GOOD = sorted(c.name for c in CASES.iterdir() if c.name != "bad" and (c / "specs").is_dir())

SPECS = """
targets: {duckdb: {dialect: duckdb}}
sources:
  - name: raw
    tables:
      - name: orders
        columns:
          - {name: id, data_type: bigint}
          - {name: customer_id, data_type: bigint}
          - {name: status, data_type: text}
          - {name: amount, data_type: "numeric(12,2)"}
          - {name: placed_at, data_type: timestamptz}
          - {name: note, data_type: text}
      - name: customers
        columns: [{name: id, data_type: bigint}, {name: email, data_type: text}]
models:
  - name: m
    sql: |
SQL
"""


def edges(sql: str, tmp_path: Path) -> set[str]:
    """`x: as is orders.id` for every edge of a model."""
    text = SPECS.replace("SQL", "\n".join(f"      {line}" for line in sql.splitlines()))
    (tmp_path / "p.yml").write_text(text, encoding="utf-8")
    lineage = Lineage(load_project(tmp_path).resolved)
    return {f"{e.to[1] or 'rows'}: {e.how} {e.origin[0].removeprefix('source:raw.')}.{e.origin[1]}" for e in lineage.into("ref:m")}


ORDERS, CUSTOMERS = "{{ source('raw', 'orders') }}", "{{ source('raw', 'customers') }}"


@pytest.mark.parametrize(
    "sql,expected",
    [
        (f"select id as x from {ORDERS}", {"x: as is orders.id"}),
        (f"select cast(id as text) as x from {ORDERS}", {"x: cast orders.id"}),
        (f"select amount * 2 as x from {ORDERS}", {"x: computed orders.amount"}),
        (f"select case when status = 'a' then amount end as x from {ORDERS}", {"x: computed orders.status", "x: computed orders.amount"}),
        (f"select count(*) as x from {ORDERS} where note is not null", {"rows: filter orders.note"}),
        (
            f"select o.id as x from {ORDERS} as o join {CUSTOMERS} as c on c.id = o.customer_id",
            {"x: as is orders.id", "rows: join customers.id", "rows: join orders.customer_id"},
        ),
        (
            f"select status as x, sum(amount) as y from {ORDERS} group by status having max(placed_at) > min(placed_at)",
            {"x: as is orders.status", "y: computed orders.amount", "rows: group orders.status", "rows: filter orders.placed_at"},
        ),
        (f"with a as (select id as b from {ORDERS}), c as (select b as d from a) select cast(d as text) x from c", {"x: cast orders.id"}),
        (
            f"select s.y as x from (select upper(note) as y, id from {ORDERS}) as s where s.id > 1",
            {"x: computed orders.note", "rows: filter orders.id"},
        ),
        (f"select note as x from {ORDERS} union all select email from {CUSTOMERS}", {"x: as is orders.note", "x: as is customers.email"}),
        (f"select cast(id as text) as x from {ORDERS} union all select note from {ORDERS}", {"x: cast orders.id", "x: as is orders.note"}),
        (
            f"select o.id as x from {ORDERS} as o where exists (select 1 from {CUSTOMERS} as c where c.id = o.customer_id)",
            {"x: as is orders.id", "rows: filter customers.id", "rows: filter orders.customer_id"},
        ),
        (
            f"select o.id as x, (select max(c.email) from {CUSTOMERS} as c where c.id = o.customer_id) as y from {ORDERS} as o",
            {"x: as is orders.id", "y: computed customers.email", "y: computed customers.id", "y: computed orders.customer_id",
             "rows: filter customers.id", "rows: filter orders.customer_id"},
        ),
        (
            f"select row_number() over (partition by status order by placed_at) as x from {ORDERS}",
            {"x: computed orders.status", "x: computed orders.placed_at"},
        ),
        (f"select id as x from {ORDERS} order by placed_at limit 10", {"x: as is orders.id", "rows: filter orders.placed_at"}),
        (f"select id as x from {ORDERS} where customer_id in (select id from {CUSTOMERS})",
         {"x: as is orders.id", "rows: filter orders.customer_id", "rows: filter customers.id"}),
    ],
)  # fmt: skip
def test_edges_of_sql(sql: str, expected: set[str], tmp_path: Path) -> None:
    assert edges(sql, tmp_path) == expected


@pytest.mark.parametrize("case", GOOD)
def test_values_come_from_where_the_manifest_says(case: str) -> None:
    """The same origins as every Column carries, for every node of every case."""
    project = load_project(CASES / case / "specs").resolved
    lineage = Lineage(project)
    for node in project.nodes.values():
        for column in node.columns:
            found = {e.origin for e in lineage.into(node.id) if e.to[1] == column.name and e.how in VALUES}
            assert found >= {o for o in column.origins if o[0] != node.id}, (node.name, column.name)


def source_columns() -> list[str]:
    project = load_project(ROOT / "specs").resolved
    return [f"{s.name}.{c.name}" for s in project.sources.values() for c in s.columns]


def changed(tmp_path: Path, name: str, how: str) -> LoadedProject | None:
    """The shipped specs with one column of a source removed or retyped; None where they cannot be loaded any more."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    at = tmp_path / "specs" / "sources.yml"
    table, column = name.split(".")[1:]
    head, found, tail = at.read_text(encoding="utf-8").partition(f"\n      - name: {table}\n")
    body, after, rest = tail.partition("\n      - name: ")
    entry = re.search(rf"^          - (?:\{{)?name: {column}\b.*\n?(?:            .*\n?)*", body, re.M)
    assert entry and found
    new = "" if how == "removed" else re.sub(r"data_type: (?:\"[^\"]*\"|\w+)", "data_type: double", entry[0], count=1)
    at.write_text(head + found + body[: entry.start()] + new + body[entry.end() :] + after + rest, encoding="utf-8")
    try:
        return load_project(tmp_path / "specs")
    except SpecError:
        return None


@pytest.mark.parametrize("name", source_columns())
def test_removing_a_column_breaks_what_impact_says(name: str, tmp_path: Path) -> None:
    """The specs fail to load, or lose exactly those columns, which only a snapshot can, since it has no SQL that names them."""
    before = load_project(ROOT / "specs").resolved
    reached = impact(Lineage(before), place(before, name))
    after = changed(tmp_path, name, "removed")
    told = {(c.node, c.column) for c in reached.columns}
    if after is None:
        assert told or reached.rows or reached.settings or reached.tests
        return
    lost = {(n.name, c.name) for n in before.nodes.values() for c in n.columns}
    lost -= {(n.name, c.name) for n in after.resolved.nodes.values() for c in n.columns}
    assert lost == told


@pytest.mark.parametrize("name", source_columns())
def test_retyping_a_column_retypes_what_impact_says(name: str, tmp_path: Path) -> None:
    before = load_project(ROOT / "specs").resolved
    after = changed(tmp_path, name, "retyped")
    if after is None:  # a key of another type, a time that is none: refused, and rightly
        return
    reached = impact(Lineage(before), place(before, name))
    types = {(n.name, c.name): c.type for n in before.nodes.values() for c in n.columns}
    other = {(n.name, c.name) for n in after.resolved.nodes.values() for c in n.columns if types[n.name, c.name] != c.type}
    told = {(c.node, c.column) for c in reached.columns if c.retyped == "type"}
    models = [m for path in (ROOT / "specs").rglob("*.yml") for m in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", ())]
    declared = {(m["name"], c["name"]) for m in models for c in m.get("columns", ()) if "data_type" in c}
    assert told - declared <= other <= told


def big(count: int, wide: bool) -> Resolved:
    """A chain of views, or as many readers of one; every node has two columns and a filter."""
    nodes: dict[str, Node] = {}
    for i in range(count):
        parent = "n0" if wide else f"n{max(0, i - 1)}"
        sql = f'SELECT "t"."a" AS "a", "t"."a" + "t"."b" AS "b" FROM "ref"."{parent}" AS "t" WHERE "t"."b" > 1'
        tree = sqlglot.parse_one(sql if i else 'SELECT 1 AS "a", 2 AS "b"')
        assert isinstance(tree, exp.Query)
        columns = (Column("a", None), Column("b", None))
        parents = (f"ref:{parent}",) if i else ()
        nodes[f"n{i}"] = Node(f"n{i}", "view", "s", f"n{i}", columns, parents, Span("x"), queries={"": Query(tree)})
    return Resolved(Project(), {}, {}, nodes, (), ())


@pytest.mark.slow
@pytest.mark.parametrize("wide", [False, True])
def test_five_thousand_nodes_take_twice_as_long_as_half_of_them(wide: bool) -> None:
    def seconds(count: int) -> float:
        project = big(count, wide)
        gc.collect()
        started = time.process_time()
        lineage = Lineage(project)
        reached = impact(lineage, ("ref:n0", "a"))
        assert len({c.node for c in reached.columns}) == count - 1
        assert len(lineage.up([(f"ref:n{count - 1}", "b")])) >= 2
        return time.process_time() - started

    gc.disable()  # as good as: the command line lets it look for garbage rarely
    try:
        assert min(seconds(5000) for _ in range(2)) < 3 * min(seconds(2500) for _ in range(2))
    finally:
        gc.enable()


def test_only_what_is_asked_for_is_read() -> None:
    lineage = Lineage(big(100, wide=False))
    lineage.up([("ref:n1", "a")])
    assert set(lineage._known) == {"ref:n0", "ref:n1"}


@pytest.mark.parametrize(
    "text,expected",
    [
        ("stg_orders", ("ref:stg_orders", "")),
        ("stg_orders.STATUS", ("ref:stg_orders", "status")),
        ("raw_data.orders", ("source:raw_data.orders", "")),
        ("raw_data.orders.status", ("source:raw_data.orders", "status")),
    ],
)
def test_names(text: str, expected: Place) -> None:
    assert place(load_project(ROOT / "specs").resolved, text) == expected


@pytest.mark.parametrize(
    "text,help", [("stg_orders.statu", "'status'"), ("stg_order", "'stg_orders'"), ("raw_data.order.x", "raw_data.orders")]
)
def test_wrong_names(text: str, help: str) -> None:
    with pytest.raises(Unknown) as found:
        place(load_project(ROOT / "specs").resolved, text)
    assert help in str(found.value.help)


def test_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    run = CliRunner().invoke
    shown = run(cli, ["lineage", "mart_customer_360.segment"])
    assert shown.exit_code == 0 and re.search(r"stg_orders\.status +as is +<- raw_data\.orders\.status", shown.stdout)
    data = json.loads(run(cli, ["lineage", "raw_data.orders.status", "--format", "json"]).stdout)
    assert data["up"] == [] and {"kind": "node", "name": "order_snapshot", "column": None} in [e["to"] for e in data["down"]]
    whole = json.loads(run(cli, ["lineage", "stg_orders", "--format", "json"]).stdout)
    assert {"kind": "exposure", "name": "customer_360_dashboard", "column": None} in [e["to"] for e in whole["down"]]
    broken = run(cli, ["impact", "raw_data.orders.status"])
    assert broken.exit_code == 0 and re.search(r"customer_360_dashboard +reads mart_customer_360 +Data Team", broken.stdout)
    entries = json.loads(run(cli, ["impact", "raw_data.orders.status", "--format", "json"]).stdout)
    assert [s["name"] for s in entries["schedules"]] == ["snapshots_daily", "incrementals"]
    assert {"relation": "raw_data.orders", "test": "accepted_values", "column": "status"} in entries["tests"]
    for command in ("lineage", "impact"):
        chart = run(cli, [command, "raw_data.orders.status", "--format", "mermaid"]).stdout.splitlines()
        assert chart[0] == "flowchart LR"
        boxes = {m[1] for line in chart if (m := re.fullmatch(r'  (n\d+)\["[^"]+"\]', line))}
        arrows = [m for line in chart if (m := re.fullmatch(r'  (n\d+) -->(?:\|"[^"]+"\|)? (n\d+)', line))]
        assert arrows and {side for m in arrows for side in m.groups()} <= boxes
        assert len(chart) == 1 + len(boxes) + len(arrows) + 1
    whole = run(cli, ["impact", "stg_orders"])
    assert whole.exit_code == 0 and re.search(r"int_customer_orders +reads\n +mart_customer_360 +below", whole.stdout)
    assert "exposure customer_360_dashboard" in run(cli, ["impact", "stg_orders", "--format", "mermaid"]).stdout
    assert run(cli, ["impact", "nix.x"]).exit_code == 1


def test_impact_of_relationships_and_settings(tmp_path: Path) -> None:
    before = load_project(ROOT / "specs").resolved
    reached = impact(Lineage(before), place(before, "raw_data.customers.customer_id"))
    assert ("raw_data.orders", "relationships", "customer_id") in {(t.relation, t.test, t.column) for t in reached.tests}
    assert ("customer_snapshot", "unique_key") in {(s.node, s.setting) for s in reached.settings}


def test_impact_of_a_relation(tmp_path: Path) -> None:
    """Who reads it breaks, and be it that no column is read; its own tests and settings go with it."""
    (tmp_path / "p.yml").write_text(
        """
targets: {duckdb: {dialect: duckdb}}
sources:
  - name: raw
    tables:
      - {name: items, columns: [{name: id, data_type: bigint, data_tests: [unique]}, {name: label, data_type: text}]}
      - {name: sales, columns: [{name: item_id, data_type: bigint}]}
models:
  - {name: how_many, columns: [{name: n, data_type: bigint}], sql: "select count(*) as n from {{ source('raw', 'items') }}"}
  - {name: more, columns: [{name: n, data_type: bigint}], sql: "select n + 1 as n from {{ ref('how_many') }}"}
  - {name: labels, config: {materialized: table, unique_key: id}, sql: "select id, label from {{ source('raw', 'items') }}"}
  - name: sold
    config: {materialized: table}
    constraints: [{type: foreign_key, columns: [item_id], to: ref('labels'), to_columns: [id]}]
    sql: select item_id from {{ source('raw', 'sales') }}
""",
        encoding="utf-8",
    )
    project = load_project(tmp_path).resolved
    items = impact(Lineage(project), place(project, "raw.items"))
    assert [(r.node, r.how) for r in items.rows] == [("how_many", "reads"), ("labels", "reads"), ("more", "below"), ("sold", "below")]
    assert {(c.node, c.column) for c in items.columns} == {("labels", "id"), ("labels", "label")} and not items.tests
    labels = impact(Lineage(project), place(project, "labels"))
    assert [(r.node, r.how) for r in labels.rows] == [("sold", "reads")] and not (labels.settings or labels.columns)


def test_impact_of_freshness_and_scenarios(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        """
targets: {duckdb: {dialect: duckdb}}
sources:
  - name: raw
    freshness: {warn_after: {count: 1, period: day}}
    loaded_at_field: loaded_at
    tables:
      - name: items
        columns: [{name: id, data_type: bigint}, {name: label, data_type: text}, {name: loaded_at, data_type: timestamptz}]
models:
  - {name: m, config: {materialized: table}, sql: "select id, label from {{ source('raw', 'items') }}"}
scenarios:
  - name: one_row
    steps:
      - as_of: 2026-01-01
        given: [{input: "source('raw', 'items')", rows: [{id: 1, label: a}]}]
        expect: [{relation: ref('m'), rows: [{id: 1, label: a}]}]
""",
        encoding="utf-8",
    )
    project = load_project(tmp_path).resolved
    loaded = impact(Lineage(project), place(project, "raw.items.loaded_at"))
    assert [(s.node, s.setting) for s in loaded.settings] == [("raw.items", "freshness")] and not loaded.columns
    label = impact(Lineage(project), place(project, "raw.items.label"))
    assert {(t.relation, t.test) for t in label.tests} == {("raw.items", "scenario one_row"), ("m", "scenario one_row")}


def test_each_query_is_followed_once(tmp_path: Path) -> None:
    """Sixty queries that each read the one before twice: followed along every way there would be 2^60."""
    steps = "".join(f", c{n} as (select a + b as a, a - b as b from c{n - 1})" for n in range(1, 60))
    (tmp_path / "p.yml").write_text(
        "version: 2\nsources:\n  - {name: raw, schema: raw, tables: [{name: t, columns: [{name: id, data_type: bigint}]}]}\nmodels:\n"
        f"  - name: m\n    sql: \"with c0 as (select id as a, id as b from {{{{ source('raw', 't') }}}}){steps} select a, b from c59\"\n",
        encoding="utf-8",
    )
    node = load_project(tmp_path).resolved.nodes["m"]
    assert [c.origins for c in node.columns] == [(("source:raw.t", "id"),)] * 2
