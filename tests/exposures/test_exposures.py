"""What Looker and Tableau are told: golden files, their own words, and their SQL executed where the nodes are."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, get_args

import pytest

from c360gen import exposures
from c360gen.diagnostics import SpecError
from c360gen.emit.files import edited
from c360gen.emit.writer import compare, write
from c360gen.judges import googlesql, sqlfluff
from c360gen.pipeline import Build, LoadedProject, build, load_project
from c360gen.spec.models.words import FormatName
from tests.exposures import looker
from tests.worlds import Embedded, manifest_of, text_of

HERE = Path(__file__).parent
ENGINES = ("postgres", "snowflake", "bigquery")
SPECS = (HERE / "specs/shop.yml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shop() -> LoadedProject:
    return load_project(HERE / "specs")


def told(made: Build, suffix: str) -> dict[str, str]:
    """name of the file → its text."""
    return {Path(f.path).name.split(".")[0]: f.text for f in made.files if f.path.startswith("exposures/") and f.path.endswith(suffix)}


def views(made: Build) -> dict[str, looker.View]:
    return {name: looker.view(text) for name, text in told(made, ".view.lkml").items()}


def test_every_format_is_a_file_and_a_word() -> None:
    assert tuple(exposures.formats()) == get_args(FormatName)


@pytest.mark.parametrize("target", ENGINES)
def test_golden(target: str, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    made = [f for f in build(load_project(Path("specs")), target).files if f.path.startswith("exposures/")]
    expected = HERE / "expected" / target
    if update:
        shutil.rmtree(expected, ignore_errors=True)
        write(expected, made)
    assert compare(expected, made) == []


def test_duckdb_has_no_looker(shop: LoadedProject) -> None:
    assert not [f for f in build(shop, "duckdb").files if f.path.startswith("exposures/")]


# --- LookML ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ENGINES)
def test_looker_finds_every_view_and_field_that_is_named(shop: LoadedProject, target: str) -> None:
    made = build(shop, target)
    known = views(made)
    joined = 0
    for text in told(made, ".model.lkml").values():
        model = looker.read(text)
        included = [i.removeprefix("views/").removesuffix(".view.lkml") for i in model["includes"]]
        assert included == [e["name"] for e in model["explores"]] and {*included} <= {*known}
        for explore in model["explores"]:
            there = {explore["name"]: explore["name"]} | {j["name"]: j.get("from", j["name"]) for j in explore.get("joins", ())}
            assert len(there) == 1 + len(explore.get("joins", ())) and {*there.values()} <= {*included}
            for join in explore.get("joins", ()):
                joined += 1
                for alias, name in re.findall(r"\$\{(\w+)\.(\w+)\}", join["sql_on"]):
                    assert name in known[there[alias]].fields
    assert joined == 5, "orders point twice to customers, and so do their rows in time; people point to their boss"
    for view in known.values():
        for measure in view.said["measures"]:
            assert {*measure.get("drill_fields", ())} <= {*view.fields}


def test_looker_is_told_what_columns_are(shop: LoadedProject) -> None:
    known = views(build(shop, "postgres"))
    people, ages, orders = known["people"], known["ages"], known["orders"]
    assert people.types["old"] == "yesno" and ages.types["vip"] == "string", "a yesno calls NULL No"
    assert ages.types["born_date"] == "date" and people.types["seen_time"] == "datetime" and orders.types["placed_at_raw"] == "timestamp"
    zones = {g["name"]: g.get("convert_tz") for v in known.values() for g in v.said.get("dimension_groups", ())}
    assert (zones["born"], zones["seen"], zones["placed_at"]) == ("no", "no", None), "an instant alone has a time zone to be shown in"
    assert {v.name: v.key for v in known.values()} == {
        "people": "id", "ages": None, "orders": "row_key", "orders_point_in_time": "row_key", "raw_customers": "id",
        "customers_history": "row_key", "customers_history_current": "id", "customers_history_as_of": "id",
    }  # fmt: skip
    labels = {d["name"]: d["label"] for d in people.said["dimensions"] if "label" in d}
    assert labels == {"voll_name": "Voll Name", "c_2nd": "2nd", "seen_date_2": "seen_date", "stra_e_2": "straße"}
    (said,) = (d["description"] for d in people.said["dimensions"] if d["name"] == "voll_name")
    assert said == 'Says \\"hello\\" \\\\ { { liquid }} and { % more %} ;; of several lines'


ROWS = (
    "INSERT INTO raw.customers VALUES (1, 'a', true, 1.5, '1980-01-01', '2026-01-01 00:00:00+00'), "
    "(2, 'b', NULL, 2.5, NULL, '2026-01-01 00:00:00+00'), (3, 'c', false, NULL, NULL, '2026-01-01 00:00:00+00')",
    "INSERT INTO raw.orders VALUES (1, 1, 1, 2, 10, '2026-01-01 06:00:00+00'), (1, 2, 1, NULL, 10, '2026-01-01 06:00:00+00'), "
    "(11, 2, 9, 3, 5, '2026-01-02 06:00:00+00')",
    "INSERT INTO raw.people VALUES (1, NULL, 'One', 'x', 7, 'g', '2026-01-01 00:00:00', 's', 't', 'u'), (2, 1, NULL, NULL, NULL, NULL, "
    "NULL, NULL, NULL, NULL)",
)  # fmt: skip
LATER = (
    "UPDATE raw.customers SET rating = 9, updated_at = '2026-01-03 00:00:00+00' WHERE id = 1",
    "DELETE FROM raw.customers WHERE id = 3",
)


@pytest.fixture
def world(shop: LoadedProject, database: str) -> Any:
    found = Embedded(build(shop, "postgres"), database)
    found.deploy()
    for statement in ROWS:
        found.sql(statement)
    assert [found.run(n, "2026-01-02 12:00:00") for n in ("customers_history", "orders", "people")] == [""] * 3
    for statement in LATER:
        found.sql(statement)
    assert found.run("customers_history", "2026-01-04 12:00:00") == ""
    yield found
    found.close()


def test_every_view_of_looker_is_executed(world: Embedded) -> None:
    """All its fields, over rows; a key tells them apart."""
    for view in views(world.build).values():
        found = world.rows(view.select("TIMESTAMP '2026-01-03 00:00:00'"))
        assert found, view.name
        if view.key:
            keys = [row[[*view.fields].index(view.key)] for row in found]
            assert len({*keys}) == len(keys) and None not in keys, view.name
    vip = [*views(world.build)["ages"].fields].index("vip")
    assert sorted(str(row[vip]) for row in world.rows(views(world.build)["ages"].select())) == ["None", "Yes"]


@pytest.mark.parametrize("at", ["2026-01-01 00:00:00", "2026-01-02 12:00:00", "2026-01-02 23:00:00", "2026-01-03 00:00:00", None])
def test_a_history_is_seen_as_it_was(world: Embedded, at: str | None) -> None:
    view = views(world.build)["customers_history_as_of"]
    shown = world.rows(f"SELECT id, rating FROM {view.rows_of(at and f'TIMESTAMP {at!r}')} AS t ORDER BY id")
    instant = f"TIMESTAMPTZ '{at}+00'" if at else "now()"
    assert shown == world.rows(f"SELECT id, rating FROM snap.customers_history_as_of({instant}) ORDER BY id")
    assert {row[0] for row in shown} == ({1, 2} if at is None else {1, 2, 3} if at >= "2026-01-01" else {*()})


def test_no_join_repeats_a_row(world: Embedded) -> None:
    """What is said to be many_to_one is."""
    known = views(world.build)
    for text in told(world.build, ".model.lkml").values():
        for explore in looker.read(text)["explores"]:
            there = {explore["name"]: known[explore["name"]]}
            query = f"SELECT count(*) FROM {there[explore['name']].rows_of()} AS {explore['name']}"
            (alone,) = world.rows(query)
            for join in explore.get("joins", ()):
                there[join["name"]] = known[join.get("from", join["name"])]
                on = join["sql_on"]
                for said, alias, field in re.findall(r"(\$\{(\w+)\.(\w+)\})", on):
                    on = on.replace(said, there[alias].fields[field].replace("${TABLE}", alias))
                query += f" LEFT JOIN {there[join['name']].rows_of()} AS {join['name']} ON {on}"
            assert world.rows(query) == [alone], query


@pytest.mark.parametrize("target", ["snowflake", "bigquery"])
def test_the_warehouses_take_what_looker_asks(shop: LoadedProject, target: str) -> None:
    made = build(shop, target)
    at = "TIMESTAMP('2026-01-03 00:00:00')" if target == "bigquery" else "TO_TIMESTAMP('2026-01-03 00:00:00')"
    asked = ";\n".join(view.select(at) for view in views(made).values()) + ";\n"
    if target == "snowflake":
        assert [*sqlfluff.check(asked)] == []
        return
    catalog = googlesql.Catalog(googlesql.library())
    for source in manifest_of(made)["sources"]:
        columns = ", ".join(f"`{c['name']}` {c['type']}" for c in source["columns"])
        catalog.add_table(f"CREATE TABLE {source['relation']} ({columns})")
        catalog.add_information_schema(source["database"], source["schema"])
    for schema in manifest_of(made)["schemas"]:
        catalog.add_information_schema(manifest_of(made)["database"], schema)
    assert catalog.check(text_of(made, "deploy.sql")) == []
    (argument,) = re.findall(r"\.customers_history_as_of\((.*)\) AS h", asked)
    plain = asked.replace(f"customers_history_as_of({argument})", "customers_history")  # the analyzer is told of tables and views alone
    assert catalog.check(f"{plain}SELECT {argument};\n") == []


# --- Tableau -----------------------------------------------------------------------------------------------------------

ORDER = ("connection", "aliases", "column")
"""Of the elements of a data source that we write, as Tableau's schema has it; `make tableau` asks the schema itself."""


def sources(made: Build) -> dict[str, ET.Element]:
    return {name: ET.fromstring(text.encode()) for name, text in told(made, ".tds").items()}


@pytest.mark.parametrize("target", ENGINES)
def test_tableau_reads_one_table_per_data_source(shop: LoadedProject, target: str) -> None:
    found = sources(build(shop, target))
    assert {*found} == {"orders", "orders_point_in_time", "customers_history", "customers_history_current", "raw_customers", "people"}
    for root in found.values():
        assert [e.tag for e in root] == sorted((e.tag for e in root), key=ORDER.index)
        (named,) = root.iter("named-connection")
        (relation,) = root.iter("relation")
        assert relation.get("connection") == named.get("name") and named[0].get("class") == target
        assert not {*named[0].attrib} & {"password", "token"}
        for column in root.iter("column"):
            assert column.get("datatype") in ("string", "integer", "real", "boolean", "date", "datetime")
            shape = (column.get("role"), column.get("type"))
            assert shape in (("measure", "quantitative"), ("dimension", "ordinal"), ("dimension", "nominal"))


def test_tableau_finds_its_columns(world: Embedded) -> None:
    for name, root in sources(world.build).items():
        (relation,) = root.iter("relation")
        schema, table = str(relation.get("table"))[1:-1].split("].[")
        there = world.rows(f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{table}'")
        named = {str(c.get("name"))[1:-1] for c in root.iter("column")}
        assert named and named <= {c for (c,) in there}, name


def test_tableau_sums_up_what_can_be(shop: LoadedProject) -> None:
    found = sources(build(shop, "snowflake"))
    roles = {str(c.get("name")): c.get("role") for c in found["orders"].iter("column")}
    assert roles == {
        "[ID]": "dimension", "[LINE]": "dimension", "[CUSTOMER_ID]": "dimension", "[PAYER_ID]": "dimension", "[AMOUNT]": "measure",
        "[PLACED_AT]": "dimension",
    }  # fmt: skip
    people = {str(c.get("name")): c for c in found["people"].iter("column")}
    assert "[Voll Name]" in people and "[GROUP]" in people and "[COUNT]" in people, "as Snowflake keeps them"
    assert people["[GROUP]"].findtext(".//run") == "<b>bold</b> & a control character --"
    (relation,) = found["people"].iter("relation")
    assert relation.get("table") == "[MART].[PEOPLE]"


def test_headers_are_comments_of_the_format(shop: LoadedProject) -> None:
    """XML's declaration comes before them, and an edited file is known as one."""
    for path, text in ((f.path, f.text) for f in build(shop, "postgres").files if f.path.startswith("exposures/")):
        assert "c360gen | postgres | " in "".join(text.splitlines()[:2]) and not edited(text) and edited(text + "x"), path


# --- what cannot be said -----------------------------------------------------------------------------------------------


def mistakes(specs: str, tmp_path: Path, target: str = "postgres") -> list[str]:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/shop.yml").write_text(specs, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        build(load_project(tmp_path / "specs"), target)
    return [f"{d.code} {d.message} | {d.help}" for d in raised.value.diagnostics]


def test_an_unknown_format_is_a_mistake(tmp_path: Path) -> None:
    (said,) = mistakes(SPECS.replace("formats: [lookml, tableau]", "formats: [lookml, tableu]"), tmp_path)
    assert "tableu" in said and "tableau" in said, said


@pytest.mark.parametrize("name", ["a;;b", "a${b}", "a{{b", "a{%b", "${TABLE}", "{% date_start as_of %}"])
def test_a_name_that_looker_would_read_as_its_own_is_refused(name: str, tmp_path: Path) -> None:
    born = "          - {name: born, data_type: date}\n"
    specs = SPECS.replace(born, f"{born}          - {{name: '{name}', data_type: text, quote: true}}\n")
    (said,) = mistakes(specs, tmp_path)
    assert said.startswith("C402 lookml: Looker would read ") and said.endswith("give it another name in a view"), said


def test_an_exposure_that_reads_nothing_has_no_formats(tmp_path: Path) -> None:
    specs = SPECS.replace("    depends_on: [ref('people'), ref('ages')]\n", "")
    assert mistakes(specs, tmp_path) == ["C401 exposure staff has formats, and reads nothing | name what it reads under depends_on:"]


def test_a_source_may_be_called_anything(tmp_path: Path) -> None:
    """What its view and its file are called is a word all the same."""
    (tmp_path / "specs").mkdir()
    specs = SPECS.replace("  - name: raw\n", "  - name: raw-Data 1\n    schema: raw\n").replace("source('raw',", "source('raw-Data 1',")
    (tmp_path / "specs/shop.yml").write_text(specs, encoding="utf-8")
    made = build(load_project(tmp_path / "specs"), "postgres")
    assert views(made)["raw_data_1_customers"].table == "raw.customers" and "raw_data_1_customers" in sources(made)


def test_no_two_keys_are_one_text(tmp_path: Path, database: str) -> None:
    """Looker counts rows by it: texts that hold the sign between them, NULL and the empty text, a day alone."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/shop.yml").write_text(
        """
version: 2
project: {name: shop, schema: mart}
targets: {postgres: {dialect: postgres}}
sources:
  - name: raw
    tables:
      - name: pairs
        columns: [{name: a, data_type: text}, {name: b, data_type: text}, {name: at, data_type: timestamptz}]
snapshots:
  - name: pairs
    relation: source('raw', 'pairs')
    config: {schema: mart, unique_key: [a, b], nullable_keys: [a, b], strategy: check, check_cols: [at], updated_at: at}
models:
  - name: days
    config: {materialized: table, unique_key: day}
    sql: select distinct cast(at as date) as day from {{ source('raw', 'pairs') }}
    columns: [{name: day, data_type: date}]
exposures:
  - {name: board, type: dashboard, owner: {name: X}, formats: lookml, depends_on: [ref('pairs'), ref('days')]}
""",
        encoding="utf-8",
    )
    world = Embedded(build(load_project(tmp_path / "specs"), "postgres"), database)
    world.deploy()
    keys = [("a|b", "c"), ("a", "b|c"), ("", "x"), (None, "x"), ("x", None), ("x", ""), ("1:a", "b"), ("1", ":a|b")]
    said = ", ".join(f"({', '.join('NULL' if v is None else repr(v) for v in key)}, '2026-01-01 00:00:00+00')" for key in keys)
    world.sql(f"INSERT INTO raw.pairs VALUES {said}")
    assert [world.run(n, "2026-01-02 00:00:00") for n in ("pairs", "days")] == ["", ""]
    known = views(world.build)
    for name in ("pairs", "pairs_current"):
        found = [row[[*known[name].fields].index("row_key")] for row in world.rows(known[name].select())]
        assert len({*found}) == len(keys) and None not in found
    assert known["days"].key == "row_key" and world.rows(known["days"].select())[0][0] == "2026-01-01"
    world.close()


def test_two_relations_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """A source's table and a node."""
    specs = SPECS.replace("  - name: ages\n", "  - name: raw_customers\n").replace(
        "[ref('people'), ref('ages')]", "[ref('people'), ref('raw_customers')]"
    )
    found = mistakes(specs.replace("depends_on: [ref('ages')]", "depends_on: [ref('people')]"), tmp_path)
    assert [m.partition(" | ")[0] for m in found] == ["C207 raw_customers would be the name of two relations that exposures read"]
