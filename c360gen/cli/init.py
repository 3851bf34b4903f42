"""`c360gen init`: a small project that builds and runs."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path

import click

from c360gen.cli import console

GITATTRIBUTES = """\
# What is generated has the same bytes everywhere: with core.autocrlf `c360gen check` would call every file stale.
generated/** -text
"""


@click.command("init", help="Write a small project into a new or empty folder.")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    empty(folder)
    from c360gen.spec import schema

    scaffold = files("c360gen.cli") / "scaffold"
    (folder / "specs").mkdir(parents=True)
    (folder / ".gitattributes").write_text(GITATTRIBUTES, encoding="utf-8", newline="\n")
    count = 1
    for entry in sorted(scaffold.iterdir(), key=lambda e: e.name):
        at = folder / "specs" / entry.name
        at.write_text(entry.read_text(encoding="utf-8"), encoding="utf-8")
        count += 1
    (folder / "specs" / schema.FILE).write_text(schema.text(), encoding="utf-8")
    count += 1
    console.say(f"{count} files in {folder.as_posix()}; next: cd {shlex.quote(folder.as_posix())} && c360gen build")


def empty(folder: Path) -> None:
    """Refuse a folder that holds something, or a file."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        console.fail("C504", f"{folder.as_posix()} is not an empty folder", "name a new one; nothing is ever overwritten")
