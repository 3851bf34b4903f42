"""`c360gen migrate`: the next migration of each target, as files, and the released state that it leads to."""

from __future__ import annotations

import re
from pathlib import Path

import click

from c360gen.cli import console, options
from c360gen.cli.main import FINDINGS
from c360gen.emit.files import File
from c360gen.emit.writer import write
from c360gen.migrate import releases, report, state
from c360gen.pipeline import Build, LoadedProject, build, migration, plan, state_of


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
        console.say(f"{made.target_name}: {files[-1].path if len(files) == 1 else Path(files[0].path).parent.as_posix()} written")
    if not written:
        console.say("nothing changed since the last migration")


def _next(loaded: LoadedProject, target: str, name: str, out: Path) -> tuple[Build, list[File]] | None:
    root = out / target
    released = options.released(root)
    made = options.built(loaded, target)
    if released is None:
        first = state_of(loaded, made)
        first = state.with_migrations(first, (releases.baseline(name, first.shape),))
        return build(loaded, target, first.release), [File(state.FILE, state.text(first))]
    planned = plan(loaded, made, released)
    if problems := report.problems([*releases.altered(root, released), *planned.problems]):
        console.diagnostics(problems, loaded.texts)
        raise click.exceptions.Exit(FINDINGS)
    if not planned.needed:
        return None
    done = migration(loaded, made, planned, name, root)
    return build(loaded, target, done.state.release), [*done.files, File(state.FILE, state.text(done.state))]
