"""The README's own commands, in an empty folder, as a newcomer would type them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[1]


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_every_command_works(tmp_path: Path) -> None:
    folder = tmp_path
    ran = 0
    for command in commands():
        words = shlex.split(command)
        if words[0] == "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
            continue
        if words[0] == "cd":
            folder = folder / words[1]
            continue
        if words[1] == "run":
            with duckdb.connect(str(folder / "shop.duckdb")) as connection:
                connection.execute("INSERT INTO raw_data.customers VALUES (1, 'a@example.com', TIMESTAMPTZ '2026-01-01 00:00:00+00')")
        if words[1] == "deploy":  # the source belongs to somebody else, who has loaded it
            with duckdb.connect(str(folder / "shop.duckdb")) as connection:
                connection.execute("CREATE SCHEMA raw_data")
                connection.execute("CREATE TABLE raw_data.customers (customer_id BIGINT, email TEXT, updated_at TIMESTAMPTZ)")
        subprocess.run([sys.executable, "-m", "c360gen.cli.main", *words[1:]], cwd=folder, check=True, capture_output=True)
        ran += 1
    assert ran >= 6
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        assert connection.execute("SELECT customer_id, version_count FROM marts.mart_customers").fetchall() == [(1, 1)]


def test_the_python_example(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert re.search(r"^deploy\.sql [0-9a-f]{64}$", shown, re.M)


def test_the_demo_shows_history(tmp_path: Path) -> None:
    """The rows that the demo ends with: changed, changed without a timestamp, deleted and back."""
    shown = subprocess.run([sys.executable, "demo/demo.py"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for row in (
        r"1 +Ada@example\.com +\+44 20 1 +Sun 01 08:00 +Mon 02 15:30",
        r"2 +grace@example\.com +\+1 212 22 +Tue 03 00:00 +now",
        r"4 +hedy@example\.com +\+43 1 4 +Wed 04 00:00 +now",
        r"1 +Ada Lovelace +520\.05 +260\.03 +5 +0\.0000 +card +phone +2 +gold",
    ):
        assert re.search(row, shown), row


def test_what_must_be_installed_by_hand_is_said() -> None:
    """`make demo` leaves `c360gen` in a virtual environment, without a driver for Postgres."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for page in ("README.md", "docs/tutorial.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert "source .venv/bin/activate" in text and ".venv" in (ROOT / "Makefile").read_text(encoding="utf-8"), page
        named = re.findall(r"pip install -e '\.\[(\w+)\]'", text)
        assert named and set(named) <= set(extras), page
