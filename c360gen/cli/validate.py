"""`c360gen validate`: every mistake in the specs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.cli.report import Reporting


@click.command("validate", cls=Reporting, help="Check the specs for every target; write nothing.")
@options.specs_and_out
def command(specs: Path, out: Path) -> None:
    loaded = options.project(specs)
    options.builds(loaded, list(loaded.resolved.targets), [])
    found = loaded.resolved
    said = ((found.nodes, "node"), (found.sources, "source"), (found.targets, "target"))
    console.say(f"{', '.join(console.counted(len(things), word) for things, word in said)}: no mistakes")
