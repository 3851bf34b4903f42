"""The house itself: floors, shells, determinism, what is imported when, and the committed output."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from c360gen import dialects, strategies
from c360gen.cli.main import COMMANDS, cli
from c360gen.dialects.base import Dialect
from c360gen.emit.writer import compare
from c360gen.ops import change, schema
from c360gen.pipeline import LoadedProject, build, load_project
from tests.conftest import built
from tests.worlds import manifest_of, text_of

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "c360gen"
CONTROL = {"run_log", "windows", "window_log", "state", "release", "watermark", "ledger", "lock"}
"""What a shell may write to, as `{{ name }}` or `{{ control }}.name`."""
LOOPS = {
    "arguments", "calls", "checks", "codes", "counted", "counters", "grants", "names", "replaced", "roles", "rows", "rules", "schemas",
    "settings", "source_schemas", "sources", "statements", "steps", "tasks", "variables",
}  # fmt: skip
"""What a shell may go through: finished statements, what a procedure takes and counts, who may do what; `names` are those of counts."""


def test_help_imports_neither_sqlglot_nor_pydantic() -> None:
    code = "import sys; from c360gen.cli.main import cli; cli.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("sqlglot", "pydantic", "jinja2", "duckdb", "yaml"):
        assert f"'{name}'" not in shown


def test_every_command_is_there_and_has_help() -> None:
    from click.testing import CliRunner

    for name in COMMANDS:
        result = CliRunner().invoke(cli, [name, "--help"])
        assert result.exit_code == 0 and "Usage" in result.output


def test_a_hash_seed_does_not_matter() -> None:
    """Two processes, two orders of every set: the same bytes."""
    code = (
        "import hashlib, sys; from c360gen.pipeline import *\n"
        "p = load_project('specs')\n"
        "print(hashlib.sha256(''.join(f.path + f.text for t in p.default_targets for f in build(p, t).files).encode()).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "4242")
    }
    assert len(said) == 1


@pytest.mark.parametrize("target", ["duckdb", "postgres", "snowflake", "bigquery"])
def test_the_committed_output_is_fresh(target: str, project: Callable[[Path], LoadedProject], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    loaded = load_project(Path("specs"))
    assert target in loaded.default_targets and len(loaded.default_targets) == 4
    made = build(loaded, target)
    assert compare(ROOT / "generated" / target, made.files) == []


WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|TRUNCATE TABLE)\s+(\{\{.*?\}\}[\w.]*|\S+)")
NO_WRITES = {"UPDATE SKIP", "UPDATE OF", "UPDATE SET"}
"""FOR UPDATE and ON CONFLICT DO UPDATE."""


def strange_writes(text: str) -> list[str]:
    """The statements of a shell that change something else than a control table."""
    code = re.sub(r"--[^\n]*|'[^'\n]*'", "", text)
    own = re.compile(rf"\{{\{{ ({'|'.join(CONTROL)}) \}}\}}|\{{\{{ control \}}\}}\.({'|'.join(CONTROL)})")
    return [f"{m[1]} {m[2]}" for m in WRITES.finditer(code) if f"{m[1]} {m[2]}" not in NO_WRITES and not own.fullmatch(m[2])]


def strange_loops(text: str) -> list[str]:
    """The loops of a shell over something that a spec has any number of, such as columns."""
    return [m[0] for m in re.finditer(r"\{%-?\s*for\s+(.+?)\s+in\s+(.+?)\s*-?%\}", text) if m[2] not in LOOPS]


def test_shells_hold_no_statement_over_a_users_table() -> None:
    """What depends on a spec's columns or SQL is a tree: a shell only touches control tables."""
    for path in PACKAGE.rglob("*.sql.j2"):
        text = path.read_text(encoding="utf-8")
        assert "if dialect" not in text, path
        assert strange_writes(text) == [], path
        assert strange_loops(text) == [], path


def test_what_would_be_found_in_a_shell() -> None:
    """Names that only contain the name of a control table are a user's, and so is what a loop over columns makes."""
    for wrong in ("UPDATE {{ statement }}", "DELETE FROM {{ states }}", "INSERT INTO {{ target }} (a)", "MERGE INTO snap.state",
                  "INSERT INTO {{ control }}.statement", "DELETE FROM {{ state }}_of"):  # fmt: skip
        assert strange_writes(f"BEGIN\n  {wrong} x;"), wrong
    assert strange_loops("SELECT {% for c in columns %}{{ c }}{% endfor %}")
    assert strange_loops("{%- for name, type in node.columns -%}")


@pytest.mark.parametrize("name", ["duckdb", "postgres", "snowflake", "bigquery"])
def test_every_operation_is_said_by_every_dialect(name: str) -> None:
    """Found by the operation's name, as a method: rendered, or declared as nothing by the base."""
    dialect = dialects.get(name)
    for op in get_args(schema.SchemaOp):
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", op.__name__).lower()
        shared = ("create_index", "create_table_function", "load_seed")
        assert getattr(type(dialect), method) is not getattr(Dialect, method) or method in shared, (name, method)
    for op in get_args(change.ChangeOp):
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", op.__name__).lower()
        assert callable(getattr(dialect.changes, method)), (name, method)


def test_what_a_dialect_must_say_itself_is_abstract() -> None:
    """So that one without it cannot be made, instead of failing when it is asked."""
    assert [p for p in PACKAGE.rglob("*.py") if "NotImplementedError" in p.read_text(encoding="utf-8")] == []


def test_every_strategy_is_a_word_of_the_specs() -> None:
    assert set(strategies.names()) == {
        "timestamp", "check", "changelog", "daily_copies", "merge", "append", "delete_insert", "insert_overwrite", "microbatch",
        "view", "table", "ephemeral", "seed",
    }  # fmt: skip


def test_no_file_of_the_output_tells_when_or_where_it_was_made(project: Callable[[Path], LoadedProject]) -> None:
    for target in ("postgres", "snowflake"):
        for file in built(project(ROOT / "specs"), target).files:
            if file.path != "manifest.json":
                assert "c360gen 0." not in file.text and str(ROOT) not in re.sub(r"from \S+", "", file.text.split("\n")[0])


def test_a_header_carries_the_hash_of_its_file(project: Callable[[Path], LoadedProject]) -> None:
    import hashlib

    for target in ("postgres", "bigquery", "snowflake", "duckdb"):
        for file in built(project(ROOT / "specs"), target).files:
            if file.path.endswith((".sql", ".py")):
                header, body = file.text.split("\n\n", 1)
                assert hashlib.sha256(body.encode()).hexdigest() in header, file.path


def test_editing_a_description_changes_comments_only(tmp_path: Path) -> None:
    """One description: its COMMENT, the header above it, deploy.sql which holds both, and the manifest."""
    source = (ROOT / "tests/cases/hostile_names/specs/p.yml").read_text(encoding="utf-8")
    (tmp_path / "p.yml").write_text(source, encoding="utf-8")
    for target in ("postgres", "snowflake", "bigquery", "duckdb"):
        (tmp_path / "p.yml").write_text(source, encoding="utf-8")
        before = {f.path: f.text for f in build(load_project(tmp_path), target).files}
        (tmp_path / "p.yml").write_text(source.replace('description: "Quotes', 'description: "Other quotes'), encoding="utf-8")
        after = {f.path: f.text for f in build(load_project(tmp_path), target).files}
        changed = {path for path in before if before[path] != after[path]}
        assert changed == {"tables/user.sql", "deploy.sql", "manifest.json"}, target
        lines = set(after["tables/user.sql"].split("\n")) - set(before["tables/user.sql"].split("\n"))
        assert all("sha256" in line or "Other quotes" in line for line in lines), lines
        assert json.loads(before["manifest.json"])["shape"] == json.loads(after["manifest.json"])["shape"]


def test_long_names_are_cut_with_a_hash(tmp_path: Path) -> None:
    name = "a_customer_snapshot_with_a_name_as_long_as_postgres_allows_123456"[:63]
    spec = (ROOT / "tests/cases/guards/specs/p.yml").read_text(encoding="utf-8").replace("name: history", f"name: {name}")
    (tmp_path / "p.yml").write_text(spec, encoding="utf-8")
    for target in ("postgres", "snowflake", "bigquery", "duckdb"):
        made = build(load_project(tmp_path), target)
        text = re.sub(r"--[^\n]*|'[^'\n]*'", "", text_of(made, "deploy.sql"))
        for found in re.findall(r"\w{60,}", text):
            assert len(found.encode()) <= 63, found
        assert len(manifest_of(made)["nodes"][0]["run"].rpartition(".")[2]) <= 63


def test_check_tells_stale_missing_orphaned_and_hand_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    run = CliRunner().invoke
    monkeypatch.chdir(tmp_path)
    run(cli, ["init", "."])
    run(cli, ["build"])
    root = tmp_path / "generated" / "postgres"
    edited = root / "control.sql"
    edited.write_text(edited.read_text(encoding="utf-8") + "-- mine\n", encoding="utf-8")
    (root / "tables" / "mart_customers.sql").unlink()
    (root / "mine.sql").write_text("SELECT 1;\n", encoding="utf-8")
    result = run(cli, ["check"])
    assert result.exit_code == 1
    for said in ("hand-edited: generated/postgres/control.sql", "missing: generated/postgres/tables/mart_customers.sql",
                 "orphaned: generated/postgres/mine.sql", "-- mine", "c360gen build"):  # fmt: skip
        assert said in result.output
    assert run(cli, ["build"]).exit_code == 0
    (root / "mine.sql").unlink()
    assert run(cli, ["check"]).exit_code == 0
    spec = tmp_path / "specs" / "project.yml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("hard_deletes: invalidate", "hard_deletes: ignore"), encoding="utf-8")
    result = run(cli, ["check", "--dialect", "postgres"])
    assert result.exit_code == 1 and "stale: generated/postgres/procedures/run_customer_snapshot.sql" in result.output
    assert "mend with: c360gen build --dialect postgres" in result.output


def test_build_prunes_only_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    run = CliRunner().invoke
    monkeypatch.chdir(tmp_path)
    run(cli, ["init", "."])
    run(cli, ["build"])
    (tmp_path / "generated" / "duckdb" / "notes.md").write_text("mine", encoding="utf-8")
    spec = tmp_path / "specs" / "project.yml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text[: text.index("models:")] + text[text.index("schedules:") :], encoding="utf-8")
    result = run(cli, ["build"])
    assert "removed" in result.output
    assert not (tmp_path / "generated" / "duckdb" / "scripts" / "run_mart_customers.sql").exists()
    assert (tmp_path / "generated" / "duckdb" / "notes.md").exists()
