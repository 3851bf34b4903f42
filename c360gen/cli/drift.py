"""`c360gen drift`: is a database still what was released?"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from c360gen import engines
from c360gen.cli import console, options
from c360gen.cli.exits import FINDINGS

if TYPE_CHECKING:
    from c360gen.dialects.base import Dialect
    from c360gen.migrate.specimens import Printed
    from c360gen.migrate.wanted import Wanted


@click.command(
    "drift", help="Compare a database, or a dump of its catalog, with the released state. Exits 1 when somebody changed it by hand."
)
@click.option(
    "--catalog", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None, help="A CSV file: the rows of --query."
)
@click.option("--query", "show_query", is_flag=True, help="Print the SELECT whose rows are such a file, and nothing else.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="For people, or for machines.")
@options.one_target
@options.specs_and_out
def command(
    catalog: Path | None, show_query: bool, style: str, target_name: str, database: str | None, specs: Path, out: Path
) -> None:  # fmt: skip
    from c360gen import dialects
    from c360gen.emit.sql import print_sql
    from c360gen.migrate import catalog as catalogs
    from c360gen.migrate import drift
    from c360gen.pipeline import names_of, wanted

    loaded = options.project(specs)
    if target_name not in loaded.resolved.targets:
        options.built(loaded, target_name)  # says so
    names = names_of(loaded, target_name)
    dialect = dialects.get(str(names.target.dialect))
    inspector = dialect.inspector
    state = options.released(out / target_name)
    left = tuple(sorted({t.schema for t in state.retired_tables})) if state is not None else ()
    query = print_sql(inspector.query(dataclasses.replace(names, left=left)), dialect)
    if show_query:
        console.answer(query)
        return
    if state is None:
        begin = options.to_type("migrate", "--name", "baseline")
        console.fail("C607", f"{target_name} has no released state to compare with", f"{begin} begins")
    (made,) = options.builds(loaded, [target_name], [], out)
    options.as_built(made, out)
    ours = wanted(loaded, made)
    printed, ledger = None, None
    if catalog is not None:
        try:
            known = catalogs.of_dump(catalog.read_text(encoding="utf-8-sig"), inspector)
        except (catalogs.BadDump, UnicodeDecodeError) as error:
            console.fail("C807", f"{catalog.as_posix()}: {error}", "it holds the rows of the SELECT that --query prints, as CSV in UTF-8")
    else:
        with options.session(dialect.name, options.database_of(database, dialect.name), names.control) as session:
            known = catalogs.of_rows(session.look([], query), inspector, inspector.kinds)
            printed = _printed(session, ours, dialect)
            ledger = session.ledger()
    found = drift.compare(state, ours, known, names, dialect, printed)
    if ledger is not None and ledger.identity != state.identity:
        shown = "nothing of ours" if ledger.identity is None else f"the state {ledger.identity[:12]}"
        deploy = options.to_type("deploy", "--target", target_name)
        found.insert(0, drift.Drift(names.control, f"holds {shown}, not {state.identity[:12]}: {deploy} brings it there"))
    if style == "json":
        console.answer(json.dumps([{"object": d.object, "what": d.what} for d in found], indent=2))
    else:
        for one in found:
            console.answer(f"{one.object}: {one.what}")
    if unasked := [f"{k}s" for k in inspector.kinds if k not in known.asked]:
        console.say(f"{catalog} has no {', no '.join(unasked)}: they are not compared; the rows of --query have them")
    if hidden := sum(at in known.views and not known.views[at] for at in ours.views):
        console.say(f"the catalog hides the text of {console.counted(hidden, 'view')}: their owner sees it")
    console.say(f"{len(found)} {'difference' if len(found) == 1 else 'differences'} from the released state" if found else "as released")
    if found:
        raise click.exceptions.Exit(FINDINGS)


def _printed(session: engines.Session, ours: Wanted, dialect: Dialect) -> Printed:
    """Both sides of a comparison are printed by the engine: ours from temporary objects that are rolled back. Raise EngineError."""
    from c360gen.migrate import specimens

    query, done = specimens.query(dialect), specimens.Printed()
    try:
        session.look([specimens.smallest(dialect)], query)
    except engines.EngineError as error:
        told = "to compare views and constraints, drift makes temporary objects, which it rolls back"
        raise engines.EngineError(f"{told}: {error}") from None
    for at, statements in specimens.statements(ours, dialect).items():
        try:
            done.take(at, session.look(statements, query), dialect)
        except engines.EngineBusy:
            raise
        except engines.EngineError as error:
            done.refused[at] = str(error)
    return done
