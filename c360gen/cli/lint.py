"""`c360gen lint`: where the specs would lose history or data in silence."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.cli.exits import FINDINGS
from c360gen.cli.report import Reporting


@click.command("lint", cls=Reporting, help="Exit 1 where the specs would lose history or data in silence. noqa excuses, with a reason.")
@options.specs
def command(specs: Path) -> None:
    from c360gen.pipeline import lint

    loaded = options.project(specs)
    found = lint(loaded, dt.datetime.now(dt.UTC).date())
    console.diagnostics(found, loaded.texts, "")
    if not found:
        console.passed("lint")
        console.say(f"{console.counted(len(loaded.resolved.nodes), 'node')}: nothing to say")
        return
    errors = sum(d.severity == "error" for d in found)
    if not errors:
        console.say(f"\n{console.counted(len(found), 'warning')}; c360gen explain {found[0].code} says more")
    raise click.exceptions.Exit(FINDINGS)
