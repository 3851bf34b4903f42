"""`c360gen migrate`: the next migration of each target, as files, and the released state that it leads to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c360gen.cli import console, options
from c360gen.cli.exits import FINDINGS
from c360gen.emit import layout
from c360gen.emit.files import File
from c360gen.emit.writer import write

if TYPE_CHECKING:
    from c360gen.pipeline import Build, LoadedProject


@click.command(
    "migrate", help="Write the migration from the released state to the specs. The first one, the baseline, begins the releases."
)
@click.option("--name", required=True, metavar="NAME", help="What the migration is called: lower-case letters, digits, underscores.")
@options.targets
@options.specs_and_out
def command(name: str, dialects: tuple[str, ...], target_names: tuple[str, ...], specs: Path, out: Path) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", name):
        raise click.BadParameter(f"'{name}' must be lower-case letters, digits and underscores, 50 at most", param_hint="--name")
    loaded = options.project(specs)
    chosen = options.names(loaded, target_names, dialects)
    written = [w for target in chosen if (w := _next(loaded, target, name, out)) is not None]
    for made, files in written:  # nothing is written before all targets are sound
        root = out / made.target_name
        for file in files:
            at = root / file.path
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(file.text, encoding="utf-8", newline="\n")
        write(root, made.files)
        console.say(f"{made.target_name}: {_said(files)} written")
    if not written:
        console.say("nothing changed since the last migration")


def _said(files: list[File]) -> str:
    """What was written, in one place: the folder of a migration, or the file of a baseline."""
    first = files[0].path
    return Path(first).parent.as_posix() if first.startswith("migrations/") else files[-1].path


def _next(loaded: LoadedProject, target: str, name: str, out: Path) -> tuple[Build, list[File]] | None:
    from c360gen.migrate import releases, report, state
    from c360gen.pipeline import build, migration, plan, state_of

    root = out / target
    released = options.released(root)
    made = options.built(loaded, target)
    if released is None:
        first = state_of(loaded, made)
        first = state.with_migrations(first, (releases.baseline(name, first.shape),))
        begun = build(loaded, target, first.release)
        deploy = next(f.text for f in begun.files if f.path == "deploy.sql")
        return begun, [*_copies(begun, 1, name, deploy), File(state.FILE, state.text(first))]
    planned = plan(loaded, made, released)
    unsound = releases.unsound(root, released, planned.wanted) if planned.needed else []
    if problems := report.problems([*releases.altered(root, released), *unsound, *planned.problems]):
        console.diagnostics(problems, loaded.texts)
        raise click.exceptions.Exit(FINDINGS)
    if not planned.needed:
        return None
    done = migration(loaded, made, planned, name, root)
    apply = next(f.text for f in done.files if f.path.endswith("/apply.sql"))
    again = build(loaded, target, done.state.release)
    return again, [*done.files, *_copies(again, planned.number, name, apply), File(state.FILE, state.text(done.state))]


def _copies(made: Build, number: int, name: str, text: str) -> list[File]:
    """Where the target's layout wants the migration as well."""
    return layout.versioned(made.target.layout, number, name, text) if made.target.layout else []
