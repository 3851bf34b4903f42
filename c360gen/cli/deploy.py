"""`c360gen deploy`: a database is brought to the released state: pending migrations in order, then deploy.sql."""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from c360gen import engines
from c360gen.cli import console, ledger, options
from c360gen.cli.exits import FINDINGS

if TYPE_CHECKING:
    from c360gen.ops.change import Migration
    from c360gen.pipeline import LoadedProject

T = TypeVar("T")


@click.command(
    "deploy",
    help="Bring a database to the released state: pending migrations in order, each in one transaction, then deploy.sql. It refuses a "
    "database in a state that is not known, and is safe to run again.",
)
@click.option("--retries", type=click.IntRange(0, 100), default=10, show_default=True, help="How often a lock is asked for again.")
@click.option("--dry-run", is_flag=True, help="Execute the first pending migration, count, and roll it back.")
@options.one_target
@options.specs_and_out
def command(retries: int, dry_run: bool, target_name: str, database: str | None, specs: Path, out: Path) -> None:
    from c360gen.migrate import releases

    loaded = options.project(specs)
    (made,) = options.builds(loaded, [target_name], [], out)
    root = out / target_name
    options.as_built(made, out)
    dialect, control = str(made.target.dialect), options.control_schema(made)
    released = options.released(root)
    if released is not None and (altered := releases.altered(root, released)):
        console.diagnostics(altered, {}, "")
        raise click.exceptions.Exit(FINDINGS)
    where = options.database_of(database, dialect, create=not dry_run)
    try:
        with contextlib.closing(_again(retries, lambda: engines.connect(dialect, where, control))) as session:
            _again(retries, session.lock)
            pending = ledger.pending(session.ledger(), released) if released is not None else []
            if dry_run:
                return _dry_run(session, root, pending)
            for migration in pending:
                _again(retries, functools.partial(_apply, session, root, migration))
                console.say(f"migration {migration.number:04} {migration.name} applied")
            _again(retries, lambda: session.deploy((root / "deploy.sql").read_text(encoding="utf-8")))
    except engines.EngineError as error:
        options.refused(error, _no_role(error, root / "roles.sql") or _no_source(error, loaded, target_name))
    console.say(f"{target_name} deployed")


def _no_role(error: engines.EngineError, roles: Path) -> str | None:
    missing = re.search(r'role "[^"]*" does not exist', str(error)) and roles.exists()
    return f"{roles.as_posix()} creates it; an administrator runs it once" if missing else None


def _no_source(error: engines.EngineError, loaded: LoadedProject, target_name: str) -> str | None:
    """DuckDB names a table without its schema where that one is there."""
    from c360gen.pipeline import names_of

    missing = re.search(r'(?:Table with name|relation) "?(.+?)"? does not exist', str(error))
    if not missing:
        return None
    names = names_of(loaded, target_name)
    for source in loaded.resolved.sources:
        at = names.symbol("source", source)
        if missing[1] in (at.name, f"{at.schema}.{at.name}"):
            return f"source {source} is not in this database; c360gen reads sources and never creates them: load it first"
    return None


def _again(retries: int, what: Callable[[], T]) -> T:
    """Once more while somebody else holds a lock: after half a second, then longer, ten seconds at most."""
    for attempt in range(retries + 1):
        try:
            return what()
        except engines.EngineBusy:
            if attempt == retries:
                raise
            time.sleep(min(10.0, 0.5 * 2**attempt))
    raise AssertionError


def _apply(session: engines.Session, root: Path, migration: Migration) -> None:
    """Unless another deploy has done it meanwhile."""
    from c360gen.migrate import releases

    if migration.number not in session.ledger().applied:
        session.deploy((root / releases.apply_path(migration)).read_text(encoding="utf-8"))


def _dry_run(session: engines.Session, root: Path, pending: list[Migration]) -> None:
    if not pending:
        console.say("nothing is pending")
        return
    from c360gen.migrate import releases

    first = pending[0]
    text = (root / releases.apply_path(first)).with_name("dry_run.sql").read_text(encoding="utf-8")
    for what, found in session.rehearse(text):
        console.answer(f"{what}: {found}")
    console.say(f"migration {first.number:04} {first.name} went through, and was rolled back")
