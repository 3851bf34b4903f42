"""`c360gen docs`: the project and what is generated of it, as pages for people."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.cli.report import Reporting


@click.command("docs", cls=Reporting, help="Write the documentation of a project as a folder of HTML pages; index.html is the first.")
@click.option("--site", type=click.Path(path_type=Path), default=Path("site"), show_default=True, help="Folder of the pages.")
@options.targets
@options.specs_and_out
def command(site: Path, dialects: tuple[str, ...], target_names: tuple[str, ...], specs: Path, out: Path) -> None:
    loaded = options.project(specs)
    made = options.builds(loaded, target_names, dialects, out)
    from c360gen.docs import site as docs
    from c360gen.emit.writer import write

    files = docs.files(loaded, made)
    if foreign := docs.foreign(site, files):
        message = f"{site.as_posix()} holds what c360gen docs did not write, such as {', '.join(foreign[:3])}"
        console.fail("C504", message, "name another folder with --site, or move that away; nothing is ever overwritten")
    changed, removed = write(site, files, docs.RECORD, docs.ours)
    if kept := docs.kept(site):
        console.say(f"left alone: {console.counted(len(kept), 'file')} that c360gen docs did not write, such as {kept[0]}")
    console.say(f"{console.counted(len(files), 'file')}, {changed} changed" + (f", {removed} removed" if removed else ""))
    console.say(f"open {(site / 'index.html').as_posix()}")
