"""DAG files without Airflow: their text, the graph that they build, and that no text of the specs becomes code or a template.

`make airflow` loads and runs them in real Airflows (tests/airflow).
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from c360gen import dialects
from c360gen.emit.files import File
from c360gen.emit.shell import text_of
from c360gen.pipeline import build, load_project
from c360gen.schedules import NodeCall, Timed
from c360gen.schedules.airflow import plan, prose, text
from c360gen.spec.models import Schedule, Target
from tests.worlds import manifest_of

HERE = Path(__file__).parent / "airflow"
TARGETS = ("postgres", "postgres_test", "snowflake", "bigquery")


@dataclass
class Task:
    """What an operator was given, and what comes after it."""

    given: dict[str, Any]
    after: list[str] = field(default_factory=list)

    def __rshift__(self, other: Task) -> Task:
        self.after.append(other.given["task_id"])
        return other

    def __rrshift__(self, others: list[Task]) -> Task:
        for other in others:
            other >> self
        return self


@dataclass
class Loaded:
    """One DAG file, run with stand-ins for Airflow's classes."""

    dag: dict[str, Any]
    tasks: dict[str, Task]

    @property
    def edges(self) -> set[tuple[str, str]]:
        return {(name, after) for name, task in self.tasks.items() for after in task.after}


def load(source: str) -> Loaded:
    """Run a DAG file in an Airflow 3 that only writes down what it is told."""
    found = Loaded({}, {})

    class Dag:
        def __init__(self, **given: Any):
            found.dag = given

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None: ...

    def operator(**given: Any) -> Task:
        found.tasks[given["task_id"]] = Task(given)
        return found.tasks[given["task_id"]]

    stands = {
        "pendulum": {"datetime": lambda *at, tz: (*at, tz)}, "airflow": {}, "airflow.sdk": {"DAG": Dag, "Asset": str},
        "airflow.providers.common.sql.operators.sql": {"SQLExecuteQueryOperator": operator},
        "airflow.providers.google.cloud.operators.bigquery": {"BigQueryInsertJobOperator": operator},
    }  # fmt: skip
    modules = {}
    for name, content in stands.items():
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            modules.setdefault(".".join(parts[:depth]), types.ModuleType(".".join(parts[:depth])))
        vars(modules[name]).update(content)
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        exec(compile(source, "dag.py", "exec"), {"__name__": "dag"})
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    return found


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(HERE)
    return str(request.param)


def files(target: str) -> dict[str, File]:
    """The DAG files of a target by the name of their schedule."""
    made = build(load_project(Path("specs")), target)
    found = {f.path: f for f in made.files if f.path.startswith("schedules/")}
    return {p.removesuffix(".py").rpartition("__")[2]: f for p, f in found.items()}


def edges(manifest: Mapping[str, Any], chosen: list[str]) -> set[tuple[str, str]]:
    """(before, after) of the nodes of a schedule, through whatever is not in it: the definition, walked node by node."""
    parents = {n["name"]: [i.removeprefix("ref:") for i in n["depends_on"] if i.startswith("ref:")] for n in manifest["nodes"]}

    def nearest(name: str) -> Iterator[str]:
        for parent in parents[name]:
            yield from [parent] if parent in chosen else nearest(parent)

    return {(before, after) for after in chosen for before in nearest(after)}


def test_golden(target: str, update: bool) -> None:
    expected = HERE / "expected" / target
    if update:
        shutil.rmtree(expected, ignore_errors=True)
        expected.mkdir(parents=True)
        for file in files(target).values():
            (expected / Path(file.path).name).write_text(file.text, encoding="utf-8")
    found = {Path(f.path).name: f.text for f in files(target).values()}
    assert found == {p.name: p.read_text(encoding="utf-8") for p in expected.iterdir()}
    assert len(found) == 2


def test_tasks_and_edges_are_those_of_the_manifest(target: str) -> None:
    manifest = manifest_of(build(load_project(Path("specs")), target))
    for schedule in manifest["schedules"]:
        loaded = load(files(target)[schedule["name"]].text)
        assert list(loaded.tasks) == schedule["nodes"]
        assert loaded.edges == edges(manifest, schedule["nodes"])
        assert loaded.dag["schedule"] == schedule["cron"]
        assert loaded.dag["start_date"] == (2000, 1, 1, schedule["timezone"])
        assert (loaded.dag["catchup"], loaded.dag["max_active_runs"], loaded.dag["is_paused_upon_creation"]) == (False, 1, True)
        assert loaded.dag["default_args"]["retries"] == 0
    assert edges(manifest, ["pendulum", "mart"]) == {("pendulum", "mart")}, "the part of a graph keeps its edges"


def test_a_task_is_one_call(target: str) -> None:
    """The statement that calls the procedure of the manifest, as each operator wants it."""
    runs = {n["name"]: n["run"] for n in manifest_of(build(load_project(Path("specs")), target))["nodes"]}
    loaded = load(files(target)["all_of_it"].text)
    shared = loaded.dag["default_args"]
    for name, task in loaded.tasks.items():
        if target == "bigquery":
            query = task.given["configuration"]["query"]
            assert query["useLegacySql"] is False
            call = query["query"]
        else:
            assert shared["autocommit"] is True
            call = task.given["sql"]
        assert call.startswith(f"CALL {runs[name]}(") and call.endswith(");") and call.count(";") == 1
    key = "gcp_conn_id" if target == "bigquery" else "conn_id"
    assert shared[key] == ("dwh.test-1" if target == "postgres_test" else f"shop_{target}")
    settings = {"warehouse": "ETL", "session_parameters": {"LOCK_TIMEOUT": 600, "TIMEZONE": "UTC"}}
    assert shared.get("hook_params") == (settings if target == "snowflake" else None)
    assert (shared.get("project_id"), shared.get("location")) == (("acme-analytics", "EU") if target == "bigquery" else (None, None))


def test_what_the_specs_say_stays_text(target: str) -> None:
    """Descriptions arrive as they are, and nowhere else than in doc_md, which Airflow neither renders nor runs."""
    resolved = load_project(Path("specs")).resolved
    loaded = load(files(target)["all_of_it"].text)
    for name, task in loaded.tasks.items():
        assert task.given.get("doc_md", "") == resolved.nodes[name].description.strip()
    said = resolved.schedules[0].spec.description.strip()
    assert loaded.dag["doc_md"].startswith(said + "\n\n") and not loaded.dag["doc_md"].endswith(".md")
    rendered = [t.given.get("sql") or t.given["configuration"] for t in loaded.tasks.values()] + [loaded.dag["default_args"]]
    assert "{{" not in str(rendered) and "{%" not in str(rendered) and "{#" not in str(rendered)


def test_a_file_holds_literals_only(target: str) -> None:
    """No loop, no function, no string that is put together when Airflow reads the file: the graph is there to be read."""
    for file in files(target).values():
        tree = ast.parse(file.text)
        kinds = {type(node).__name__ for node in ast.walk(tree)}
        assert not kinds & {"For", "While", "FunctionDef", "Lambda", "ListComp", "DictComp", "JoinedStr"}
        called = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
        operator = "BigQueryInsertJobOperator" if target == "bigquery" else "SQLExecuteQueryOperator"
        assert called == {"DAG", "pendulum.datetime", operator, "Asset"}
        assert all(c.isprintable() for c in file.text.replace("\n", ""))


def test_the_files_are_clean_python(target: str, tmp_path: Path) -> None:
    for file in files(target).values():
        (tmp_path / Path(file.path).name).write_text(file.text, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "py_compile", *map(str, tmp_path.glob("*.py"))], check=True)
    subprocess.run([sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", str(tmp_path)], check=True)


def test_a_text_with_templates_stays_text() -> None:
    """The spec language refuses {{ in descriptions; a file would not care."""
    said = "{{ macros.ds }} {% raw %} {# x #}"
    schedule = Schedule.model_construct(name="nightly", cron="0 0 * * *", timezone="UTC", description=said)
    node = NodeCall("a", "CALL c.run_a();", (), said)
    target = Target.model_validate({"dialect": "postgres"})
    timed = Timed(schedule, "shop", "c", "CALL c.run_job_nightly();", (node,), "postgres", target)
    found = load(text_of(plan(timed).shell, dialects.get("postgres")))
    assert found.tasks["a"].given["doc_md"] == said and found.dag["doc_md"].startswith(said + "\n")


def test_settings_that_a_target_does_not_have_are_left_to_the_connection(tmp_path: Path) -> None:
    """Neither a place nor a project nor a warehouse is made up."""
    specs = (HERE / "specs" / "p.yml").read_text(encoding="utf-8")
    specs = specs.replace(", database: acme-analytics, location: EU", "").replace(", warehouse: ETL", "")
    (tmp_path / "p.yml").write_text(specs, encoding="utf-8")
    shared = {}
    for target in ("bigquery", "snowflake"):
        made = build(load_project(tmp_path), target)
        shared[target] = load(next(f.text for f in made.files if f.path.endswith("__tail.py"))).dag["default_args"]
    assert shared["bigquery"] == {"gcp_conn_id": "shop_bigquery", "retries": 0}
    assert shared["snowflake"]["hook_params"] == {"session_parameters": {"LOCK_TIMEOUT": 600, "TIMEZONE": "UTC"}}


HOSTILE = (
    "", "plain", 'a "quote"', "back\\slash \\n \\N{BULLET}", '"""', "'", "{{ x }}", "tab\t", "\x00\x7f\u202e\u2028", "ß€😀", "a\nb\n\nc",
)  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_literals(value: str) -> None:
    for literal in (text(value), prose(value, 4)):
        assert ast.literal_eval(literal) == value
        assert all(c.isprintable() for c in literal.replace("\n", ""))
    assert "\n" not in text(value)
