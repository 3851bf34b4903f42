"""What TAB offers, in the protocol of each shell and in bash itself, and that names of commands need no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from c360gen import explanations
from c360gen.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
HEAVY = ("sqlglot", "pydantic", "jinja2", "duckdb")


def offered(line: str, shell: str = "zsh", cwd: Path = ROOT) -> tuple[list[str], str]:
    """The words that are offered at the end of a line, and the log of what was imported for it."""
    words = line.split(" ")
    given = {"zsh": {"COMP_CWORD": str(len(words) - 1)}, "bash": {"COMP_CWORD": str(len(words) - 1)}, "fish": {"COMP_CWORD": words[-1]}}[
        shell
    ]
    env = {**os.environ, "COMP_WORDS": line, "_C360GEN_COMPLETE": f"{shell}_complete", **given}
    code = "import sys; sys.argv[0] = 'c360gen'; from c360gen.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, env=env, cwd=cwd, check=True)
    lines = done.stdout.splitlines()
    if shell == "zsh":
        return [word.replace("\\:", ":") for word in lines[1::3]], done.stderr
    return [entry.partition(",")[2].partition("\t")[0] for entry in lines], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_in_every_shell(shell: str) -> None:
    assert offered("c360gen li", shell)[0] == [c for c in sorted(COMMANDS) if c.startswith("li")]
    assert offered("c360gen ", shell)[0] == sorted(COMMANDS)


@pytest.mark.parametrize(
    "line,expected",
    [
        ("c360gen lineage int_", ["int_customer_orders", "int_interactions", "int_payments"]),
        ("c360gen impact raw_data.orders", ["raw_data.orders"]),
        ("c360gen impact raw_data.orders.s", ["raw_data.orders.status"]),
        ("c360gen impact mart_customer_360.la", ["mart_customer_360.last_channel"]),
        ("c360gen explain ZC00", [f"ZC00{i}" for i in range(1, 10)]),
        ("c360gen build --target snow", ["snowflake", "snowflake_dev"]),
        ("c360gen run --job inc", ["incrementals"]),
        ("c360gen ls --select +mart", ["+mart_customer_360"]),
        ("c360gen ls --select stg_orders,resource_type:m", ["stg_orders,resource_type:model"]),
        ("c360gen ls --select source:raw_data.c", ["source:raw_data.customers"]),
        ("c360gen ls --output p", ["path"]),
        ("c360gen build --di", ["--dialect"]),
    ],
)
def test_names(line: str, expected: list[str]) -> None:
    assert offered(line)[0] == expected


def test_every_code_is_offered() -> None:
    assert set(offered("c360gen explain ")[0]) == set(explanations.codes())


@pytest.mark.parametrize(
    "line", ["c360gen b", "c360gen build --ta", "c360gen lineage stg", "c360gen explain C", "c360gen ls --select tag:"]
)
def test_it_needs_no_compiler(line: str) -> None:
    imported = offered(line)[1]
    assert "click" in imported
    assert not any(f" {name}\n" in imported or f" {name}." in imported for name in HEAVY)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_needs_no_compiler(command: str) -> None:
    call = f"from c360gen.cli.main import cli; cli.main(['{command}', '--help'], standalone_mode=False)"
    code = f"import sys; {call}; print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in shown for name in HEAVY)


def test_broken_specs_are_met_with_silence(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yml").write_text("models: [{name: good}, 7, {nme: x}]\nsources: 3\n", encoding="utf-8")
    (tmp_path / "specs" / "b.yml").write_text("models: [", encoding="utf-8")
    (tmp_path / "specs" / "c.yml").write_bytes(b"\xff\xfe")
    assert offered("c360gen lineage ", cwd=tmp_path)[0] == ["good"]
    assert offered("c360gen lineage good.", cwd=tmp_path)[0] == []
    assert offered("c360gen lineage ", cwd=tmp_path / "specs")[0] == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_in_bash_itself() -> None:
    typed = "COMP_WORDS=(c360gen explain C10); COMP_CWORD=2; _c360gen_completion c360gen"
    script = f'eval "$(c360gen completion bash)"; {typed}; echo "${{COMPREPLY[@]}}"'
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split() == [f"C10{i}" for i in range(1, 9)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_c360gen(shell: str) -> None:
    done = subprocess.run([sys.executable, "-m", "c360gen.cli.main", "completion", shell], capture_output=True, text=True, check=True)
    assert "_C360GEN_COMPLETE" in done.stdout and "c360gen" in done.stdout
