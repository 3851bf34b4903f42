"""`c360gen build`: specs → files below generated/<target>/."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.cli.report import Reporting
from c360gen.emit.writer import write


@click.command("build", cls=Reporting, help="Generate the SQL of targets: by default those that are named as their dialect.")
@options.targets
@options.specs_and_out
def command(dialects: tuple[str, ...], target_names: tuple[str, ...], specs: Path, out: Path) -> None:
    made = options.builds(options.project(specs), target_names, dialects, out)
    files = changed = removed = 0
    for one in made:
        differing, gone = write(out / one.target_name, one.files)
        files, changed, removed = files + len(one.files), changed + differing, removed + gone
    console.say(f"{files} files, {changed} changed" + (f", {removed} removed" if removed else ""))
