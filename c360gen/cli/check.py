"""`c360gen check`: is what lies below generated/ what the specs say?"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import click

from c360gen.cli import console, options, report
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import Diagnostic, Span
from c360gen.emit.writer import Difference, compare


@click.command("check", cls=report.Reporting, help="Exit 1 when generated files are stale, missing, orphaned or edited by hand.")
@options.targets
@options.specs_and_out
def command(dialects: tuple[str, ...], target_names: tuple[str, ...], specs: Path, out: Path) -> None:
    from c360gen.migrate import releases

    loaded = options.project(specs)
    released = [(out / name, options.released(out / name)) for name in options.names(loaded, target_names, dialects)]
    states = [(root, state) for root, state in released if state is not None]
    if altered := [d for root, state in states for d in (*releases.altered(root, state), *releases.strays(root, state))]:
        console.diagnostics(altered, {})
        raise click.exceptions.Exit(FINDINGS)
    made = options.builds(loaded, target_names, dialects, out)
    found = [(one.target_name, d) for one in made for d in compare(out / one.target_name, one.files)]
    for name in sorted({one.target_name for one in made} - {name for name, _ in found}):
        console.passed(name)
    if not found:
        console.say(f"{sum(len(b.files) for b in made)} files, all as the specs say")
        return
    given = [("--dialect", d) for d in dialects] + [("--target", t) for t in target_names]
    mend = options.to_type("build", *itertools.chain(*given))
    if report.gathered() is None:
        _show(out, found)
    else:
        console.diagnostics([_diagnostic(out / name, d, mend) for name, d in found], {})
    console.say(f"{len(found)} {'file differs' if len(found) == 1 else 'files differ'}; mend with: {mend}")
    if any(d.state == "orphaned" for _, d in found):
        console.say("an orphaned file was not written by c360gen: move it away")
    raise click.exceptions.Exit(FINDINGS)


def _show(out: Path, found: Sequence[tuple[str, Difference]]) -> None:
    for name, difference in found:
        console.answer(f"{difference.state}: {(out / name / difference.path).as_posix()}")
        if difference.diff:
            console.answer(difference.diff)


def _diagnostic(root: Path, difference: Difference, mend: str) -> Diagnostic:
    """The difference without its lines, at the first line that differs."""
    path = (root / difference.path).as_posix()
    help = "move it away: c360gen did not write it" if difference.state == "orphaned" else f"mend with: {mend}"
    return Diagnostic("C501", f"{difference.state}: {path}", Span(path, difference.line), help)
