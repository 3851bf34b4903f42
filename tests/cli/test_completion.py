"""What TAB offers, in the protocol of each shell and in bash itself, and that names of commands need no compiler."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class
from click.testing import CliRunner

from c360gen import explanations
from c360gen.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]
HEAVY = ("sqlglot", "pydantic", "jinja2", "duckdb")


def asked(line: str, shell: str) -> dict[str, str]:
    """What a shell says of a line, at whose end somebody pressed TAB."""
    words = line.split(" ")
    return {"COMP_WORDS": line, "COMP_CWORD": words[-1] if shell == "fish" else str(len(words) - 1)}


def words_of(said: str, shell: str) -> list[str]:
    lines = said.splitlines()
    if shell == "zsh":
        return [word.replace("\\:", ":") for word in lines[1::3]]
    return [entry.partition(",")[2].partition("\t")[0] for entry in lines]


def offered(line: str, shell: str = "zsh", cwd: Path = ROOT) -> list[str]:
    """The words that are offered at the end of a line."""
    kind = get_completion_class(shell)
    assert kind is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        for name, value in asked(line, shell).items():
            patch.setenv(name, value)
        return words_of(kind(cli, {}, "c360gen", "_C360GEN_COMPLETE").complete(), shell)


def heavy(done: str) -> dict[str, list[str]]:
    """Of several things that a process does, which of the compiler's libraries each has imported."""
    script = f"import sys\nfound = {{}}\n{done}\nprint({{k: [n for n in {HEAVY} if n in v] for k, v in found.items()}}, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    found: dict[str, list[str]] = ast.literal_eval(ended.stderr.splitlines()[-1])
    return found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_in_every_shell(shell: str) -> None:
    assert offered("c360gen li", shell) == [c for c in sorted(COMMANDS) if c.startswith("li")]
    assert offered("c360gen ", shell) == sorted(COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_process_answers_every_shell(shell: str) -> None:
    env = {**os.environ, "_C360GEN_COMPLETE": f"{shell}_complete", **asked("c360gen lineage int_", shell)}
    code = "import sys; sys.argv[0] = 'c360gen'; from c360gen.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=ROOT, check=True)
    assert words_of(done.stdout, shell) == offered("c360gen lineage int_", shell) != []


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
    assert offered(line) == expected


def test_every_code_is_offered() -> None:
    assert set(offered("c360gen explain ")) == set(explanations.codes())


def test_it_needs_no_compiler() -> None:
    lines = ("c360gen b", "c360gen build --ta", "c360gen lineage stg", "c360gen explain C", "c360gen ls --select tag:")
    done = f"""
import os
from click.shell_completion import get_completion_class
from c360gen.cli.main import cli
for line in {lines}:
    os.environ.update(COMP_WORDS=line, COMP_CWORD=str(line.count(" ")))
    get_completion_class("bash")(cli, {{}}, "c360gen", "_C360GEN_COMPLETE").complete()
    found[line] = set(sys.modules)
"""
    assert heavy(done) == {line: [] for line in lines}


def test_help_needs_no_compiler() -> None:
    """Of no command: what one has imported the next would show too, and the first that shows it is named first."""
    done = f"""
from c360gen.cli.main import cli
for command in {sorted(COMMANDS)}:
    cli.main([command, "--help"], standalone_mode=False)
    found[command] = set(sys.modules)
"""
    assert heavy(done) == {command: [] for command in sorted(COMMANDS)}
    assert heavy("import jinja2\nfound['x'] = set(sys.modules)") == {"x": ["jinja2"]}


def test_broken_specs_are_met_with_silence(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yml").write_text("models: [{name: good}, 7, {nme: x}]\nsources: 3\n", encoding="utf-8")
    (tmp_path / "specs" / "b.yml").write_text("models: [", encoding="utf-8")
    (tmp_path / "specs" / "c.yml").write_bytes(b"\xff\xfe")
    assert offered("c360gen lineage ", cwd=tmp_path) == ["good"]
    assert offered("c360gen lineage good.", cwd=tmp_path) == []
    assert offered("c360gen lineage ", cwd=tmp_path / "specs") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_in_bash_itself() -> None:
    typed = "COMP_WORDS=(c360gen explain C10); COMP_CWORD=2; _c360gen_completion c360gen"
    script = f'eval "$(c360gen completion bash)"; {typed}; echo "${{COMPREPLY[@]}}"'
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split() == [f"C10{i}" for i in range(1, 9)]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_c360gen(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_C360GEN_COMPLETE" in result.output and "c360gen" in result.output
