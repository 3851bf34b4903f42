"""`c360gen validate`: every mistake in the specs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.cli.report import Reporting


@click.command("validate", cls=Reporting, help="Check the specs for every target; write nothing.")
@options.specs
def command(specs: Path) -> None:
    from c360gen.project import environment  # here, so that --help needs no compiler

    loaded = options.project(specs)
    open_ends = {name: environment.missing(target, loaded.environ) for name, target in loaded.resolved.targets.items()}
    options.builds(loaded, [name for name, missing in open_ends.items() if not missing], [])
    for name, missing in open_ends.items():
        if missing:
            console.say(f"target {name} is not built: {', '.join(missing)} not set in the environment")
    found = loaded.resolved
    said = ((found.nodes, "node"), (found.sources, "source"), (found.targets, "target"))
    console.say(f"{', '.join(console.counted(len(things), word) for things, word in said)}: no mistakes")
