"""`c360gen plan`: what changed since the released state, why, at what risk, and how it would be undone."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c360gen.cli import console, options
from c360gen.cli.exits import CHANGES, FINDINGS
from c360gen.cli.ledger import pending
from c360gen.cli.report import Answering, begin
from c360gen.diagnostics import SpecError

if TYPE_CHECKING:
    from c360gen.migrate.plan import Plan
    from c360gen.pipeline import LoadedProject

FORMATS = ("text", "json", "github", "sarif", "markdown")
"""github and sarif are renderers of findings; the others migrate/report.py has, which --help must not import."""


@click.command(
    "plan", cls=Answering, help="Show what changed since the released state, or since --against: objects, reasons, risks, how it is undone."
)
@click.option("--against", default=None, metavar="REF_OR_DIR", help="Compare with the specs of a git commit, or of another folder.")
@click.option("--fail-on", type=click.Choice(["destructive", "breaking"]), default=None, help="Exit 1 when a change is that dangerous.")
@click.option("--exit-code", is_flag=True, help="Exit 3 when anything changes.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", help="For people, or for machines.")
@click.option(
    "--database", metavar="FILE_OR_DSN", default=None, help="Also say which migrations are pending in a database; with one --target."
)
@options.targets
@options.specs_and_out
def command(
    against: str | None, fail_on: str | None, exit_code: bool, style: str, database: str | None, dialects: tuple[str, ...],
    target_names: tuple[str, ...], specs: Path, out: Path,
) -> None:  # fmt: skip
    from c360gen.migrate import report
    from c360gen.migrate.findings import findings

    gathered = begin(style) if style not in report.FORMATS else None
    loaded = options.project(specs)
    chosen = options.names(loaded, target_names, dialects)
    if database is not None and len(chosen) != 1:
        raise click.UsageError("--database needs one --target")
    plans = _against(loaded, chosen, against, specs) if against else _released(loaded, chosen, out)
    if problems := report.problems([p for one in plans for p in one.problems]):
        console.diagnostics(problems, loaded.texts)
        raise click.exceptions.Exit(FINDINGS)
    if gathered is None:
        console.answer(report.FORMATS[style](plans))
    else:
        gathered.found += findings(plans)
        gathered.texts.update(loaded.texts)
    if database is not None:
        _pending(plans[0], loaded, chosen[0], database)
    kinds = {"destructive": ("destructive",), "breaking": ("destructive", "breaking")}.get(fail_on or "", ())
    if any(p.with_hazard(*kinds) for p in plans):
        raise click.exceptions.Exit(FINDINGS)
    if exit_code and any(p.needed for p in plans):
        raise click.exceptions.Exit(CHANGES)


def _released(loaded: LoadedProject, chosen: list[str], out: Path) -> list[Plan]:
    from c360gen.pipeline import plan

    plans = []
    for name in chosen:
        found = options.released(out / name)
        if found is None:
            begin = options.to_type("migrate", "--name", "baseline")
            console.say(f"{name}: nothing is released yet, so nothing needs a migration; {begin} begins")
            continue
        plans.append(plan(loaded, options.built(loaded, name), found))
    return plans


def _against(loaded: LoadedProject, chosen: list[str], against: str, specs: Path) -> list[Plan]:
    """The released state of another folder of output, or what its specs would build, or those of a commit."""
    from c360gen.pipeline import plan

    folder = Path(against)
    if folder.is_dir():
        found = {name: options.released(folder / name) for name in chosen}
        if all(found.values()):
            return [plan(loaded, options.built(loaded, name), state) for name, state in found.items() if state is not None]
        return _of_specs(loaded, chosen, folder)
    with tempfile.TemporaryDirectory() as temporary:
        _checkout(against, specs, Path(temporary))
        return _of_specs(loaded, chosen, Path(temporary))


def _of_specs(loaded: LoadedProject, chosen: list[str], folder: Path) -> list[Plan]:
    from c360gen.pipeline import load_project, plan, state_of

    try:
        other = load_project(folder)
        if given := options.given_vars():  # a var that the other side does not declare is none of its mistakes
            other = load_project(folder, {name: value for name, value in given.items() if name in other.specs.project.spec.vars})
    except SpecError as error:
        console.spec_error(error)
        console.say("the specs that it is compared with are not sound")
        raise click.exceptions.Exit(FINDINGS) from None
    missing = [n for n in chosen if n not in other.resolved.targets]
    if missing:
        console.say(f"new since then, and not compared: target {', '.join(missing)}")
    return [plan(loaded, options.built(loaded, n), state_of(other, options.built(other, n))) for n in chosen if n not in missing]


def _checkout(ref: str, specs: Path, into: Path) -> None:
    """The specs as a commit has them, below a folder of their own."""
    at = specs if specs.is_dir() else Path(".")
    try:
        prefix = subprocess.run(["git", "rev-parse", "--show-prefix"], cwd=at, capture_output=True, text=True, check=True).stdout.strip()
        top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=at, capture_output=True, text=True, check=True).stdout.strip()
        inside = [prefix.rstrip("/")] if prefix else []
        raw = subprocess.run(["git", "archive", "--format=tar", ref, *inside], cwd=top, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise click.UsageError("--against a commit needs git") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr if isinstance(error.stderr, str) else (error.stderr or b"").decode(errors="replace")
        raise click.UsageError(f"--against {ref} is neither a folder nor a commit: {said.strip().rpartition(chr(10))[2]}") from None
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for member in archive.getmembers():
            if member.isfile() and member.name.startswith(prefix):
                member.name = member.name[len(prefix) :]
                archive.extract(member, into, filter="data")


def _pending(planned: Plan, loaded: LoadedProject, target_name: str, database: str) -> None:
    """What deploy would apply."""
    dialect = planned.wanted.dialect
    control = loaded.resolved.targets[target_name].schema_prefix + planned.wanted.control
    with options.session(dialect, options.database_of(database, dialect), control) as session:
        ledger = session.ledger()
    if ledger.identity is None:
        console.say("the database is empty: deploy.sql makes everything")
        return
    waiting = pending(ledger, planned.released) if planned.released.migrations else []
    said = ", ".join(f"{m.number:04} {m.name}" for m in waiting)
    console.say(f"pending in the database: {said}" if waiting else "the database has every released migration")
