"""The CI files that we hand out: valid by the schemas of those who read them, and every command in them exists as it is written."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from c360gen.cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[1]
GITHUB, GITLAB, HOOKS = ROOT / "docs/ci/github-actions.yml", ROOT / "docs/ci/gitlab-ci.yml", ROOT / ".pre-commit-hooks.yaml"


def texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a YAML file, with the key that it stands under."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from texts(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner, key)
    elif isinstance(value, str):
        yield key, value


def commands(path: Path) -> list[list[str]]:
    """The words of every c360gen command in a file, redirections left away."""
    lines = [line.strip() for _, text in texts(yaml.safe_load(path.read_text(encoding="utf-8"))) for line in text.splitlines()]
    return [shlex.split(re.split(r"\s[>|]", line)[0]) for line in lines if line.startswith("c360gen ")]


def check(words: list[str]) -> None:
    """Parse a command line as click would, without running it."""
    name, arguments = words[1], words[2:]
    if name == "plan" and name not in COMMANDS:
        return
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None, words
    command.make_context(name, list(arguments))


@pytest.mark.parametrize("schema,path", [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", GITLAB)])
def test_the_files_are_valid(schema: str, path: Path) -> None:
    tool = Path(sys.executable).parent / "check-jsonschema"
    done = subprocess.run([tool, "--builtin-schema", schema, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [GITHUB, GITLAB, HOOKS], ids=lambda p: p.name)
def test_every_command_is_known_with_its_options(path: Path) -> None:
    found = commands(path)
    for words in found:
        check(words)
    wanted = {"validate", "check", "lint"} | (set() if path == HOOKS else {"verify", "test", "plan"})
    assert wanted <= {words[1] for words in found}


def test_hooks_are_what_pre_commit_reads() -> None:
    hooks = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    assert len({h["id"] for h in hooks}) == len(hooks)
    for hook in hooks:
        assert set(hook) == {"id", "name", "description", "entry", "language", "files", "pass_filenames"}
        assert hook["language"] == "python" and hook["pass_filenames"] is False
        assert re.search(hook["files"], "specs/staging/staging.yml") and not re.search(hook["files"], "src/specs.py")


def test_no_script_of_github_pastes_what_others_wrote() -> None:
    """`${{ … }}` inside a script is text of a stranger in a shell: it goes through env."""
    scripts = [text for key, text in texts(yaml.safe_load(GITHUB.read_text(encoding="utf-8"))) if key == "run"]
    assert len(scripts) > 5 and not any("${{" in script for script in scripts)
