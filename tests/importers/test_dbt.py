"""A dbt project as specs: the whole of one, byte for byte, and what single settings, types and texts of others become.

`make dbt` lets real dbt write the artifacts of the same project, and compares what both tools then make of three days of data.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from c360gen.importers import Imported
from c360gen.importers.dbt import BadArtifact, read_catalog, read_manifest, take
from c360gen.pipeline import build, load_project
from c360gen.spec.schema import FILE as SCHEMA_FILE
from tests.importers.trim import SHOP

EXPECTED = Path(__file__).parent / "expected"
MANIFEST, CATALOG = SHOP / "target" / "manifest.json", SHOP / "target" / "catalog.json"


def of_shop(manifest: Path = MANIFEST, catalog: Path | None = CATALOG) -> Imported:
    return take(SHOP, read_manifest(manifest), read_catalog(catalog) if catalog else None)


def written(found: Imported, folder: Path) -> Path:
    for path, content in found.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def shown(found: Imported) -> list[str]:
    return [f"{n.verdict} | {n.where} | {n.what} | {n.why}" for n in found.notes]


def test_a_whole_project(update: bool) -> None:
    found = of_shop()
    if update:
        shutil.rmtree(EXPECTED, ignore_errors=True)
        written(found, EXPECTED)
        (EXPECTED / "notes.txt").write_text("\n".join(shown(found)) + "\n", encoding="utf-8")
    there = {p.relative_to(EXPECTED).as_posix(): p.read_bytes() for p in EXPECTED.rglob("*") if p.is_file()}
    assert "\n".join(shown(found)) + "\n" == there.pop("notes.txt").decode()
    assert dict(found.files) == there


@pytest.mark.parametrize("target", ["duckdb", "postgres", "snowflake", "bigquery"])
def test_every_engine_builds_it(target: str, tmp_path: Path) -> None:
    written(of_shop(), tmp_path)
    (tmp_path / "specs" / "targets.yml").write_text(
        "version: 2\ntargets:\n  postgres: {dialect: postgres}\n  snowflake: {dialect: snowflake}\n"
        "  bigquery: {dialect: bigquery, roles: {analyst: 'group:analysts@example.com'}}\n"
    )
    assert "manifest.json" in {f.path for f in build(load_project(tmp_path / "specs"), target).files}


def test_its_schema_is_found_by_editors() -> None:
    for path, content in of_shop().files.items():
        if path.endswith(".yml"):
            named = content.decode().splitlines()[0].partition("$schema=")[2]
            assert (Path("/") / path).parent.joinpath(named).resolve() == Path("/specs") / SCHEMA_FILE


# --- other projects -----------------------------------------------------------------------------------------------------


class Project:
    """Artifacts of an invented project, as dbt would write them."""

    def __init__(self, adapter: str = "postgres"):
        schema = "https://schemas.getdbt.com/dbt/manifest/v12.json"
        self.manifest: dict[str, Any] = {
            "metadata": {"dbt_schema_version": schema, "adapter_type": adapter, "project_name": "p"}, "nodes": {}, "sources": {},
        }  # fmt: skip
        self.catalog: dict[str, Any] = {"nodes": {"model.p.nobody": {"columns": {}}}, "sources": {}}

    def node(self, name: str, raw: str = "select 1 as id", kind: str = "model", **more: Any) -> Project:
        config = {"materialized": "view", **more.pop("config", {})}
        id_ = str(more.pop("unique_id", f"{kind}.p.{name}"))
        self.manifest["nodes"][id_] = {
            "unique_id": id_, "name": name, "resource_type": kind, "package_name": "p", "original_file_path": f"{kind}s/{name}.sql",
            "schema": "analytics", "alias": name, "raw_code": raw, "config": config,
            "unrendered_config": {k: v for k, v in config.items() if k != "materialized"}, **more,
        }  # fmt: skip
        return self

    def source(self, name: str, columns: Mapping[str, str] = {}, **more: Any) -> Project:
        id_ = f"source.p.raw.{name}"
        self.manifest["sources"][id_] = {
            "unique_id": id_, "name": name, "source_name": "raw", "schema": "raw", "identifier": name, "package_name": "p",
            "original_file_path": "models/sources.yml", "relation_name": f'"db"."raw"."{name}"', **more,
        }  # fmt: skip
        found = {n: {"name": n, "type": t, "index": i} for i, (n, t) in enumerate(columns.items())}
        self.catalog["sources"][id_] = {"columns": found}
        return self

    def read(self, folder: Path) -> Any:
        folder.mkdir(exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps(self.manifest), encoding="utf-8")
        return read_manifest(folder / "manifest.json")

    def take(self, folder: Path, *, catalog: bool = True, full_refresh: Project | None = None) -> Imported:
        first = full_refresh.read(folder / "full_refresh") if full_refresh else None
        made = self.read(folder)
        (folder / "catalog.json").write_text(json.dumps(self.catalog), encoding="utf-8")
        return take(folder, made, read_catalog(folder / "catalog.json") if catalog else None, first)


def section(found: Imported, path: str, name: str) -> Any:
    return yaml.safe_load(found.files[f"specs/{path}"])[name]


def whys(found: Imported) -> list[str]:
    return [n.why for n in found.notes]


CONFIGS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("postgres", {"unique_key": "id"}, {"incremental_strategy": "delete+insert", "unique_key": "id"}, "is what dbt does on postgres"),
    ("snowflake", {"unique_key": ["id"]}, {"incremental_strategy": "merge", "unique_key": "id"}, "is what dbt does on snowflake"),
    ("snowflake", {"incremental_strategy": "merge"}, {"incremental_strategy": "append"}, "without a unique_key only adds rows"),
    ("postgres", {}, {"incremental_strategy": "append"}, ""),
    ("snowflake", {"incremental_strategy": "ours", "unique_key": "id"},
     {"incremental_strategy": "merge", "unique_key": "id"}, "choose one of"),
    ("postgres", {"unique_key": "id || '-' || line"},
     {"incremental_strategy": "delete+insert", "unique_key": "id || '-' || line"}, "is an expression"),
    ("postgres", {"on_schema_change": "sync_all_columns"}, {"incremental_strategy": "append"}, "drops columns with all they hold"),
    ("postgres", {"on_schema_change": "fail"}, {"incremental_strategy": "append", "on_schema_change": "fail"}, ""),
    (
        "postgres", {"incremental_strategy": "microbatch", "event_time": "at", "batch_size": "day", "begin": "2026-01-01"},
        {"incremental_strategy": "microbatch", "event_time": "at", "batch_size": "day", "begin": "2026-01-01", "lookback": 1}, "",
    ),
    ("postgres", {"lookback": 3, "event_time": "at"}, {"incremental_strategy": "append"}, ""),
    ("postgres", {"post-hook": [{"sql": "analyze x"}]}, {"incremental_strategy": "append"}, "it would run inside of the transaction"),
    ("postgres", {"pre_hook": "lock x"}, {"incremental_strategy": "append"}, "pre_hook (lock x)"),
    ("snowflake", {"our_own_key": 1}, {"incremental_strategy": "append"}, "our_own_key: no key of c360gen or of dbt"),
    ("snowflake", {"transient": False}, {"incremental_strategy": "append"}, ""),
    ("snowflake", {"transient": True}, {"incremental_strategy": "append"}, "has no fail-safe"),
    ("postgres", {"grants": {"select": ["a"], "insert": ["b"]}},
     {"incremental_strategy": "append", "grants": {"select": ["a"]}}, "only procedures write"),
    ("postgres", {"persist_docs": {"relation": True, "columns": False}},
     {"incremental_strategy": "append", "persist_docs": {"columns": False}}, ""),
    ("postgres", {"contract": {"enforced": True, "alias_types": True}},
     {"incremental_strategy": "append", "contract": {"enforced": True}}, ""),
    ("bigquery", {"partition_by": {"field": "d", "data_type": "date", "granularity": "day"}, "cluster_by": ["a", "b"]},
     {"incremental_strategy": "append", "partition_by": {"field": "d", "data_type": "date", "granularity": "day"},
      "cluster_by": ["a", "b"]}, ""),
    ("bigquery", {"partition_by": {"field": "n", "data_type": "int64", "range": {"start": 0}}},
     {"incremental_strategy": "append", "partition_by": {"field": "n", "data_type": "int64"}}, "cluster_by sorts by numbers"),
    ("postgres", {"indexes": [{"columns": ["a"], "unique": True}, {"columns": ["b"], "type": "hash"}]},
     {"incremental_strategy": "append", "indexes": [{"columns": ["a"], "unique": True}]}, "an index is a btree"),
    ("postgres", {"incremental_strategy": "merge", "unique_key": "id", "merge_update_columns": ["a"]},
     {"incremental_strategy": "merge", "unique_key": "id", "merge_update_columns": ["a"]}, ""),
]  # fmt: skip


@pytest.mark.parametrize("adapter, given, wanted, why", CONFIGS, ids=[str(n) for n in range(len(CONFIGS))])
def test_settings_of_an_incremental(adapter: str, given: dict[str, Any], wanted: dict[str, Any], why: str, tmp_path: Path) -> None:
    found = Project(adapter).node("m", config={"materialized": "incremental", **given}).take(tmp_path)
    assert section(found, "models.yml", "models")[0]["config"] == {"materialized": "incremental", **wanted}
    assert [w for w in whys(found) if why and why in w] or (not why and not found.notes)


@pytest.mark.parametrize("given, wanted, why", [
    ({"strategy": "timestamp", "updated_at": "at", "unique_key": "id", "invalidate_hard_deletes": True},
     {"strategy": "timestamp", "updated_at": "at", "unique_key": "id", "hard_deletes": "invalidate"}, "is hard_deletes: invalidate"),
    ({"strategy": "check", "check_cols": "all", "unique_key": "id", "dbt_valid_to_current": "to_date('9999-12-31')"},
     {"strategy": "check", "check_cols": "all", "unique_key": "id", "dbt_valid_to_current": "9999-12-31"}, ""),
    ({"strategy": "check", "check_cols": ["a"], "unique_key": "id", "dbt_valid_to_current": "{{ far() }}"},
     {"strategy": "check", "check_cols": ["a"], "unique_key": "id"}, "write the date that it gives"),
    ({"strategy": "check", "check_cols": ["a"], "unique_key": "id", "target_schema": "x", "target_database": "y"},
     {"strategy": "check", "check_cols": ["a"], "unique_key": "id"}, "a target has one database"),
])  # fmt: skip
def test_settings_of_a_snapshot(given: dict[str, Any], wanted: dict[str, Any], why: str, tmp_path: Path) -> None:
    found = Project().node("s", "select * from {{ source('raw', 't') }}", "snapshot", schema="snapshots", config=given).take(tmp_path)
    (item,) = section(found, "snapshots/snapshots.yml", "snapshots")
    assert item == {"name": "s", "relation": "source('raw', 't')", "config": {"compat": "dbt", **wanted}}
    assert [w for w in whys(found) if why and why in w] or (not why and not found.notes)


@pytest.mark.parametrize("raw, wanted", [
    ("{{ config(materialized='table', meta={'a': [1]}) }}\n\nselect 1 as id", "select 1 as id\n"),
    ("{{- config(\n  tags=['x']) -}}\nselect 1 as id\n\n\n", "select 1 as id\n"),
    ("{# a note #}\nselect {{ var('a', 1) }} as id", "{# a note #}\nselect {{ var('a', 1) }} as id\n"),
    ("select 1 as id {% if is_incremental() %}where x > (select max(x) from {{ this }}){% endif %}",
     "select 1 as id {% if is_incremental() %}where x > (select max(x) from {{ this }}){% endif %}\n"),
    ("{% set columns = ['a', 'b'] %}select {% for c in columns %}{{ c }}, {% endfor %} 1 as id",
     "{% set columns = ['a', 'b'] %}select {% for c in columns %}{{ c }}, {% endfor %} 1 as id\n"),
])  # fmt: skip
def test_sql_that_stays(raw: str, wanted: str, tmp_path: Path) -> None:
    found = Project().node("m", raw, compiled_code="what dbt has compiled").take(tmp_path)
    assert found.files["specs/m.sql"].decode() == wanted


@pytest.mark.parametrize("raw, compiled, wanted, said", [
    ("select {{ our.macro() }} as id from {{ ref('n') }}", 'select 7 as id from "db"."a"."n"',
     "select 7 as id from {{ ref('n') }}\n", "our"),
    ("select '{{ this.schema }}' as id", "select 'a' as id", "select 'a' as id\n", "a part of this"),
    ("{% snapshot x %}select 1 as id{% endsnapshot %}", "select 1 as id", "select 1 as id\n", "unknown tag 'snapshot'"),
    ("{{ m() }}", 'select 1 as id from "db"."a"."n", "db"."a"."m"', "select 1 as id from {{ ref('n') }}, {{ this }}\n", "m"),
])  # fmt: skip
def test_sql_that_dbt_has_compiled(raw: str, compiled: str, wanted: str, said: str, tmp_path: Path) -> None:
    project = Project().node("n", relation_name='"db"."a"."n"')
    depends = {"nodes": ["model.p.n"]}
    found = project.node("m", raw, compiled_code=compiled, depends_on=depends, relation_name='"db"."a"."m"').take(tmp_path)
    assert found.files["specs/m.sql"].decode() == wanted
    assert any(said in why for why in whys(found))


def test_ephemeral_models_of_compiled_sql_are_refs_again(tmp_path: Path) -> None:
    first, second = " __dbt__cte__a as (\nselect 1 as id\n)", " __dbt__cte__ab as (\nselect 1 as id from __dbt__cte__a\n)"
    extra = [{"id": "model.p.a", "sql": first}, {"id": "model.p.ab", "sql": second}]
    project = Project().node("a").node("ab")
    project.node("m", "{{ x() }}", compiled_code=f"with {first}, {second}\nselect id from __dbt__cte__ab", extra_ctes=extra)
    project.node(
        "k", "{{ x() }}", compiled_code=f"with {first}, {second}, z as (select 1) select id from __dbt__cte__a, z", extra_ctes=extra
    )
    project.node("w", "{{ x() }}", compiled_code="select id from __dbt__cte__a", extra_ctes=extra)
    found = project.take(tmp_path)
    assert found.files["specs/m.sql"].decode() == "select id from {{ ref('ab') }}\n"
    assert found.files["specs/k.sql"].decode() == "with z as (select 1) select id from {{ ref('a') }}, z\n"
    assert "its compiled SQL holds the text of ephemeral models: ref() them instead" in whys(found)


def test_what_was_not_compiled_is_told(tmp_path: Path) -> None:
    project = Project().node("m", "select {{ our() }} as id").node("b", "{{ our() }}", compiled_code="select '{{' as id")
    found = project.take(tmp_path)
    assert "it says our: run dbt compile, and import once more" in whys(found)
    assert "its compiled SQL has braces that would be taken for a template" in whys(found)
    assert found.files["specs/m.sql"].decode() == "select {{ our() }} as id\n"


INCREMENTAL = "select {{ x() }} as id {% if is_incremental() %}where 1 > (select max(id) from {{ this }}){% endif %}"


def test_both_branches_of_an_incremental_whose_sql_was_compiled(tmp_path: Path) -> None:
    later = Project().node("m", INCREMENTAL, config={"materialized": "incremental"}, relation_name='"db"."a"."m"')
    begun = Project().node("m", INCREMENTAL, config={"materialized": "incremental"}, relation_name='"db"."a"."m"')
    later.manifest["nodes"]["model.p.m"]["compiled_code"] = 'select 1 as id where 1 > (select max(id) from "db"."a"."m")'
    begun.manifest["nodes"]["model.p.m"]["compiled_code"] = "select 1 as id"
    both = later.take(tmp_path, full_refresh=begun)
    assert both.files["specs/m.sql"].decode() == (
        "{% if is_incremental() %}\nselect 1 as id where 1 > (select max(id) from {{ this }})\n{% else %}\nselect 1 as id\n{% endif %}\n"
    )
    assert [n.verdict for n in both.notes] == ["compiled"]
    for one, why in ((later.take(tmp_path), "one branch alone is known"), (begun.take(tmp_path, full_refresh=begun), "of a first load")):
        assert [(n.verdict, why in n.why) for n in one.notes] == [("decide", True), ("compiled", True)][:1]


@pytest.mark.parametrize("raw, words", [
    ("select '{{ run_started_at }}' as at", "run_started_at"), ("{% if target.name == 'dev' %}select 1 as id{% endif %}", "target"),
    ("select {{ listed() }} as id", "run_query"),
])  # fmt: skip
def test_what_is_frozen_by_a_compilation_is_a_decision(raw: str, words: str, tmp_path: Path) -> None:
    project = Project().node("m", raw, compiled_code="select 1 as id", depends_on={"macros": ["macro.p.listed"]})
    project.manifest["macros"] = {
        "macro.p.listed": {
            "package_name": "p",
            "macro_sql": "{% set x = run_query('…') %}",
            "depends_on": {"macros": ["macro.dbt.run_query"]},
        },
        "macro.dbt.run_query": {"package_name": "dbt", "macro_sql": "{{ statement() }}"},
    }
    (note,) = project.take(tmp_path).notes
    assert note.verdict == "decide" and words in note.why


@pytest.mark.parametrize("raw", [
    "{% do x.append(1) %}select 1 as id", "{% set n = namespace(a=1) %}select 1 as id", "select {{ range(3) }} as id",
    '{{ "1" | as_number }}',
    "select 1 as id from {{ ref(name) }}", "select '{{ ref('n').identifier }}' as id", "{% set t = this %}select '{{ t.schema }}' as id",
    "{% if var.has_var('x') %}{% endif %}select 1 as id", "select {{ var('missing', none) }} as id",
])  # fmt: skip
def test_what_the_build_could_not_render_is_taken_compiled(raw: str, tmp_path: Path) -> None:
    project = Project().node("n").node("m", raw, compiled_code="select 2 as id", depends_on={"nodes": ["model.p.n"]})
    assert project.take(tmp_path).files["specs/m.sql"].decode() == "select 2 as id\n"


def test_relations_are_found_by_their_whole_names(tmp_path: Path) -> None:
    project = Project("duckdb").source("orders", {"id": "BIGINT"}, relation_name="db.raw.orders")
    compiled = "select 'db.raw.orders  ' || $$ as id -- db.raw.orders\nfrom db.raw.orders, db.raw.orders_hard, x.db.raw.orders"
    project.node("m", "{{ x() }}", compiled_code=compiled, depends_on={"nodes": ["source.p.raw.orders"]})
    said = project.take(tmp_path).files["specs/m.sql"].decode()
    assert said == (
        "select 'db.raw.orders  ' || $$ as id -- db.raw.orders\nfrom {{ source('raw', 'orders') }}, db.raw.orders_hard, x.db.raw.orders\n"
    )


def test_versions_and_packages_have_names_of_their_own(tmp_path: Path) -> None:
    project = Project().node("dim", version=1, latest_version=2, unique_id="model.p.dim.v1", original_file_path="models/dim_v1.sql")
    project.node("dim", "select 2 as id", version=2, latest_version=2, unique_id="model.p.dim.v2", original_file_path="models/dim_v2.sql")
    project.node("Customers").node("customers", package_name="lib", unique_id="model.lib.customers", original_file_path="models/c.sql")
    depends = {"nodes": ["model.p.dim.v1", "model.p.dim.v2", "model.p.Customers", "model.lib.customers"]}
    sql = "select 1 as id from {{ ref('dim') }}, {{ ref('dim', v=1) }}, {{ ref('lib', 'customers') }}, {{ ref('Customers') }}"
    found = project.node("m", sql, depends_on=depends).take(tmp_path)
    wanted = "{{ ref('dim_v2') }}, {{ ref('dim_v1') }}, {{ ref('lib_customers') }}, {{ ref('customers') }}"
    assert found.files["specs/m.sql"].decode() == f"select 1 as id from {wanted}\n"
    assert {"specs/dim_v1.sql", "specs/dim_v2.sql", "specs/customers.sql", "specs/packages/lib/lib_customers.sql"} <= set(found.files)


def test_sources_of_one_name_in_two_places(tmp_path: Path) -> None:
    project = Project("duckdb").source("t", {"id": "BIGINT"}, schema="raw_a")
    project.source("u", {"id": "BIGINT"}, schema="raw_b", package_name="lib")
    found = project.node("m", "select id from {{ source('raw', 'u') }}", package_name="lib", original_file_path="models/m.sql").take(
        tmp_path
    )
    assert found.files["specs/packages/lib/m.sql"].decode() == "select id from {{ source('raw_raw_b', 'u') }}\n"
    assert section(found, "packages/lib/sources.yml", "sources")[0]["schema"] == "raw_b"
    assert section(found, "sources.yml", "sources")[0]["schema"] == "raw_a"


def test_a_var_with_two_values_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: p\nvars: {a: 1, lib: {a: 2}, m: {x: 1}}\n", encoding="utf-8")
    project = Project().node("a", "select {{ var('a') }} as id", compiled_code="select 1 as id")
    project.node("b", "select {{ var('a') }} as id", compiled_code="select 2 as id", package_name="lib")
    project.node("c", "select {{ var('m') }} as id", compiled_code="select 3 as id")
    found = project.take(tmp_path)
    texts = [next(c.decode() for p, c in found.files.items() if p.endswith(f"/{n}.sql")) for n in "abc"]
    assert texts == ["select {{ var('a') }} as id\n", "select 2 as id\n", "select 3 as id\n"]
    assert section(found, "project.yml", "project")["vars"] == {"a": 1}


def test_a_file_called_project(tmp_path: Path) -> None:
    found = Project().node("overview", patch_path="p://models/project.yml", original_file_path="models/overview.sql").take(tmp_path)
    assert set(yaml.safe_load(found.files["specs/project.yml"])) == {"version", "project", "targets", "models"}


def of_kind(kind: str, *, model: str = "model.p.m", column: str | None = "id", **more: Any) -> dict[str, Any]:
    macros = {"macros": more.pop("macros", [f"macro.dbt.test_{kind}"]), "nodes": [model]}
    arguments = {"column_name": column, **more.pop("arguments", {})}
    return {
        "kind": "test", "attached_node": model, "column_name": more.pop("column_name", column), "depends_on": macros,
        "test_metadata": {"name": kind, "kwargs": arguments}, "original_file_path": "models/s.yml",
        "compiled_code": "select 1 as id", **more,
    }  # fmt: skip


def test_tests_that_are_not_the_built_in_ones_are_queries(tmp_path: Path) -> None:
    project = Project().node("m").node("own", **of_kind("not_null", macros=["macro.p.test_not_null"]))
    project.node("pasted", **of_kind("unique", column="a || '-' || b", column_name=None))
    project.node("id_is_there", **of_kind("not_null", column_name=None, description="Always.", tags=["x"]))
    found = project.take(tmp_path)
    assert {m["name"] for m in section(found, "tests/tests.yml", "models")} == {"own", "pasted"}
    (model,) = section(found, "models.yml", "models")
    written_ = {"not_null": {"name": "id_is_there", "description": "Always.", "config": {"tags": ["x"]}}}
    assert model["columns"] == [{"name": "id", "data_tests": [written_]}]


def test_a_test_that_counts_otherwise(tmp_path: Path) -> None:
    project = Project().node("m").node("sums", **of_kind("sums", config={"fail_calc": "sum(n)"}))
    text = project.take(tmp_path).files["specs/tests/sums.sql"].decode()
    assert "select sum(n) as failures" in text and text.endswith("where counted.failures <> 0\n")


def test_a_test_whose_columns_have_no_names(tmp_path: Path) -> None:
    project = (
        Project("duckdb")
        .node("m")
        .node("twice", "select count(*), count(*) from {{ ref('m') }}", kind="test", depends_on={"nodes": ["model.p.m"]})
    )
    project.node("fine", "select id from {{ ref('m') }}", kind="test", depends_on={"nodes": ["model.p.m"]})
    found = project.take(tmp_path)
    assert found.files["specs/tests/twice.sql"].decode().startswith("select 1 as failure from (\n")
    assert found.files["specs/tests/fine.sql"].decode() == "select id from {{ ref('m') }}\n"
    assert found.problems == ()


def test_two_tests_of_one_name(tmp_path: Path) -> None:
    project = Project().node("m").node("x", **of_kind("own", unique_id="test.p.x.0123456789"))
    project.node("x", kind="test", unique_id="test.p.x", original_file_path="tests/x.sql").node("m", kind="test", unique_id="test.p.m")
    found = project.take(tmp_path)
    assert {m["name"] for m in section(found, "tests/tests.yml", "models")} == {"x", "test_x", "test_m"}
    assert len([p for p in found.files if p.startswith("specs/tests/")]) == 4


def test_constraints_and_keys_that_dbt_does_not_make(tmp_path: Path) -> None:
    columns = {
        "id": {
            "name": "id",
            "data_type": "int",
            "constraints": [{"type": "not_null"}, {"type": "check", "columns": ["id"], "expression": "id > 0"}],
        }
    }
    project = Project().node("free", config={"materialized": "table", "unique_key": "id"}, columns=columns)
    held = {"materialized": "table", "contract": {"enforced": True}}
    foreign = [{"type": "foreign_key", "columns": ["id"], "expression": "shop.x (id)"}]
    found = project.node("held", config=held, columns=columns, constraints=foreign).take(tmp_path)
    models = {m["name"]: m for m in section(found, "models.yml", "models")}
    assert models["free"] == {
        "name": "free", "config": {"materialized": "table"}, "sql_file": "free.sql", "columns": [{"name": "id", "data_type": "integer"}],
    }  # fmt: skip
    assert models["held"]["columns"][0]["constraints"] == [{"type": "not_null"}, {"type": "check", "expression": "id > 0"}]
    assert "constraints" not in models["held"]
    assert any("unique_key means nothing" in w for w in whys(found)) and any("dbt makes none" in w for w in whys(found))


def test_types_that_the_build_asks_for_come_from_the_catalog(tmp_path: Path) -> None:
    project = Project("duckdb").source("t", {"id": "BIGINT"})
    sql = "select id, count(*) as n, count(*) as m from {{ source('raw', 't') }} group by id"
    project.node("v", sql, depends_on={"nodes": ["source.p.raw.t"]})
    project.node("w", "select n as k, id from {{ ref('v') }}", config={"materialized": "table"}, depends_on={"nodes": ["model.p.v"]})
    for name, columns in (("v", ("id", "n", "m")), ("w", ("k", "id"))):
        made = {c: {"name": c, "type": "BIGINT", "index": i} for i, c in enumerate(columns)}
        project.catalog["nodes"][f"model.p.{name}"] = {"columns": made}
    found = project.take(tmp_path)
    models = {m["name"]: m.get("columns") for m in section(found, "models.yml", "models")}
    assert models == {"v": None, "w": [{"name": "k", "data_type": "bigint"}]}
    assert found.problems == ()


def test_databases_beside_that_of_the_target(tmp_path: Path) -> None:
    project = Project("snowflake").node("m", database="PROD").node("n", database="PROD").node("o", database="OTHER")
    found = project.source("t", {"ID": "TEXT"}, database="OTHER").take(tmp_path)
    assert section(found, "project.yml", "targets")["snowflake"]["database"] == "prod"
    assert section(found, "sources.yml", "sources")[0]["database"] == "other"
    assert [n.what for n in found.notes] == ["o"] and "a target has one database" in found.notes[0].why


def test_what_has_no_place_is_told(tmp_path: Path) -> None:
    project = Project().node("a", kind="analysis").node("p-on-run-end-0", "grant x", kind="operation")
    project.manifest |= {
        "groups": {"group.p.g": {"unique_id": "group.p.g", "name": "g", "description": None, "original_file_path": "x.yml"}}
    }
    found = project.source("t", {"id": "bigint"}, config={"loaded_at_query": "select 1"}, loaded_at_field="id",
                           freshness={"warn_after": {"count": 1, "period": "day"}}).take(tmp_path)  # fmt: skip
    assert {(n.what, n.verdict) for n in found.notes} == {("a", "left out"), ("on-run-end", "left out"), ("g", "left out"), ("t", "decide")}
    assert "loaded_at_field" not in section(found, "sources.yml", "sources")[0]["tables"][0]


def test_notes_stand_where_they_belong(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    lines = ["models:", "  # a: post_hook", "  - name: b", "    description: a unique a", "  - name: a", "    config: {post_hook: x}",
             "    columns:", "      - name: id", "        data_tests:", "          - own: {limit: 1}"]  # fmt: skip
    (tmp_path / "models" / "s.yml").write_text("\n".join(lines), encoding="utf-8")
    project = Project().node("a", config={"post-hook": "x"}, patch_path="p://models/s.yml").node("b")
    project.node("own_a_id", **of_kind("own", model="model.p.a", config={"limit": 1, "store_failures": False}))
    found = project.take(tmp_path)
    assert {(n.what, n.where) for n in found.notes} == {("a", "models/s.yml:6"), ("own_a_id", "models/s.yml:10")}


@pytest.mark.parametrize("adapter, name, word, wanted", [
    ("snowflake", "ID", "NUMBER(38,0)", {"name": "id", "data_type": "numeric(38,0)"}),
    ("snowflake", "Mixed", "TEXT", {"name": "Mixed", "data_type": "text", "quote": True}),
    ("snowflake", "AT", "TIMESTAMP_LTZ", {"name": "at", "data_type": "timestamptz"}),
    ("bigquery", "At", "TIMESTAMP", {"name": "at", "data_type": "timestamptz"}),
    ("bigquery", "at", "DATETIME", {"name": "at", "data_type": "timestamp"}),
    ("bigquery", "n", "INT64", {"name": "n", "data_type": "bigint"}),
    ("postgres", "Mixed", "character varying(20)", {"name": "Mixed", "data_type": "varchar(20)", "quote": True}),
    ("postgres", "at", "timestamp without time zone", {"name": "at", "data_type": "timestamp"}),
    ("postgres", "two words", "numeric(12,2)", {"name": "two words", "data_type": "numeric(12,2)"}),
    ("postgres", "f", "real", {"name": "f", "data_type": "double"}),
    ("duckdb", "N", "HUGEINT", {"name": "n", "data_type": "numeric(38,0)"}),
])  # fmt: skip
def test_columns_of_a_source(adapter: str, name: str, word: str, wanted: dict[str, Any], tmp_path: Path) -> None:
    found = Project(adapter).source("t", {name: word}).take(tmp_path)
    assert section(found, "sources.yml", "sources")[0]["tables"][0]["columns"] == [wanted]
    assert not found.notes


def test_a_type_that_is_not_carried_leaves_its_column_out(tmp_path: Path) -> None:
    found = Project("snowflake").source("t", {"ID": "NUMBER(38,0)", "V": "VARIANT"}).take(tmp_path)
    assert [c["name"] for c in section(found, "sources.yml", "sources")[0]["tables"][0]["columns"]] == ["id"]
    assert whys(found) == ["column V is VARIANT, which is not carried: CAST it in a view where it is needed"]


def test_numbers_without_digits_are_a_decision(tmp_path: Path) -> None:
    found = Project("snowflake").source("t", {"ID": "NUMBER", "AMOUNT": "NUMBER(12,2)", "N": "NUMBER"}).take(tmp_path)
    assert whys(found) == ["the catalog does not say how many digits id, n have: numeric(38,9) was written; ids are bigint"]
    assert [n.verdict for n in found.notes] == ["decide"]


def test_names_of_snowflake_are_those_of_unquoted_ones(tmp_path: Path) -> None:
    project = Project("snowflake").source("t", {"ID": "TEXT"}, schema="RAW", identifier="Customers", database="LAKE", quoting={})
    project.source("q", {"ID": "TEXT"}, schema="RAW", identifier="Quoted", database="LAKE", quoting={"identifier": True})
    project.node("m", schema="ANALYTICS", database="PROD", alias="M_1")
    found = project.take(tmp_path)
    (source,) = section(found, "sources.yml", "sources")
    assert (source["database"], source.get("schema"), source["tables"][0]["identifier"]) == ("lake", None, "Quoted")
    assert source["tables"][1]["identifier"] == "customers"
    assert section(found, "project.yml", "project")["schema"] == "analytics"
    assert section(found, "models.yml", "models")[0]["config"] == {"alias": "m_1"}


def test_without_a_catalog_every_missing_type_is_told(tmp_path: Path) -> None:
    project = Project().source("t", {})
    project.manifest["sources"]["source.p.raw.t"]["columns"] = {"id": {"name": "id"}, "n": {"name": "n", "data_type": "int"}}
    found = project.take(tmp_path, catalog=False)
    assert section(found, "sources.yml", "sources")[0]["tables"][0]["columns"] == [{"name": "id"}, {"name": "n", "data_type": "integer"}]
    assert {n.what for n in found.notes} == {"types", "t"}


def test_seeds(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds" / "codes.csv").write_text('Code;n\nDE;1\nnull;2\n"";3\n', encoding="utf-8")
    config = {"column_types": {"code": "varchar(2)"}, "delimiter": ";", "quote_columns": True}
    project = Project().node("codes", kind="seed", config=config, original_file_path="seeds/codes.csv")
    project.catalog["nodes"]["seed.p.codes"] = {"columns": {"n": {"name": "n", "type": "integer", "index": 1}}}
    found = project.take(tmp_path)
    (item,) = section(found, "seeds/seeds.yml", "seeds")
    assert item["config"] == {"delimiter": ";"}
    assert item["columns"] == [{"name": "code", "data_type": "varchar(2)"}, {"name": "n", "data_type": "integer"}]
    assert found.files["specs/seeds/codes.csv"] == b"Code;n\nDE;1\n;2\n;3\n"


def test_vars_come_from_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: p\nvars:\n  a: 1\n  p: {b: [x, y], c: '{{ env_var(1) }}'}\n", encoding="utf-8")
    project = Project().node("m", "select {{ var('a') }}, {{ var('b') }}, {{ var('e', 5) }} as id")
    found = project.node("n", "select {{ var('c') }} as id").node("o", "select {{ var('d') }} as id").take(tmp_path)
    assert section(found, "project.yml", "project")["vars"] == {"a": 1, "b": ["x", "y"]}
    told = [n.why for n in found.notes if n.verdict == "decide"]
    assert ["var 'c' is not set" in told[0], "var 'd' is not set" in told[1]] == [True, True]


def test_nodes_of_packages_have_folders_of_their_own(tmp_path: Path) -> None:
    found = Project().node("m", package_name="fivetran", original_file_path="models/a/m.sql").take(tmp_path)
    assert {p for p in found.files if p.endswith("m.sql")} == {"specs/packages/fivetran/a/m.sql"}


def test_adapters_that_are_no_target(tmp_path: Path) -> None:
    found = Project("databricks").node("m").take(tmp_path)
    assert section(found, "project.yml", "targets") == {"postgres": {"dialect": "postgres", "default": True}}
    assert whys(found) == ["databricks is no target here: the SQL is read as that of postgres"]


def test_python_models_versions_and_other_materializations(tmp_path: Path) -> None:
    project = Project().node("p", language="python").node("v", version=2).node("w", config={"materialized": "materialized_view"})
    found = project.node("x", config={"materialized": "their_own"}, deprecation_date="2027-01-01").take(tmp_path)
    models = {m["name"]: m for m in section(found, "models.yml", "models")}
    assert set(models) == {"v_v2", "w", "x"}
    assert models["w"]["config"] == models["x"]["config"] == {"materialized": "table"}
    assert {(n.what, n.verdict) for n in found.notes} == {
        ("p", "left out"),
        ("v", "said otherwise"),
        ("w", "decide"),
        ("x", "decide"),
        ("x", "left out"),
    }


def test_long_names_of_tests_fit_into_a_name(tmp_path: Path) -> None:
    name = "a_test_with_a_name_" * 5
    project = Project().node(name, "select 1 as id where 1 = 2", kind="test", unique_id=f"test.p.{name}.0123456789")
    (made,) = section(project.take(tmp_path), "tests/tests.yml", "models")
    assert len(made["name"]) <= 50 and made["name"].endswith("_0123456789")


# --- what is no project -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../../etc/x.sql", "/etc/x.sql", "a/\n/x.sql"])
def test_nothing_is_written_outside(path: str, tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="outside of the project"):
        Project().node("x", original_file_path=path).take(tmp_path)


def test_a_name_is_no_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="outside of the project"):
        Project().node("../../x").take(tmp_path)


@pytest.mark.parametrize("text, message", [
    ("", "is no manifest of dbt: the file: invalid json"),
    ("[]", "is no manifest of dbt: the file: input should be an object"),
    ("{}", "is no manifest of dbt: metadata: field required"),
    ('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v9.json"}, "nodes": {}}', "of version 9, not 12"),
    ('{"metadata": {}, "nodes": {}}', "of version unknown, not 12"),
    ('{"metadata": {"dbt_schema_version": "/v12.json"}, "nodes": {"a": {"unique_id": "a"}}}', "nodes.a.name: field required"),
])  # fmt: skip
def test_what_is_no_manifest(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadArtifact, match=message):
        read_manifest(tmp_path / "manifest.json")


def test_an_empty_project(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="no node and no source"):
        Project().take(tmp_path)
