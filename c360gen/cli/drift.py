"""`c360gen drift`: is a database still what was released?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from c360gen import engines
from c360gen.cli import console, options
from c360gen.cli.main import FINDINGS


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
    from c360gen.migrate import drift
    from c360gen.pipeline import names_of

    loaded = options.project(specs)
    if target_name not in loaded.resolved.targets:
        options.built(loaded, target_name)  # says so
    names = names_of(loaded, target_name)
    dialect = dialects.get(str(names.target.dialect))
    if show_query:
        console.answer(drift.query(dialect, names))
        return
    root = out / target_name
    state = options.released(root)
    if state is None:
        console.say(f"error[C606]: {target_name} has no released state to compare with\n  help: c360gen migrate --name baseline begins")
        raise click.exceptions.Exit(FINDINGS)
    try:
        if catalog is not None:
            known = drift.of_dump(catalog.read_text(encoding="utf-8-sig"), dialect.name == "snowflake")
        else:
            session = engines.connect(dialect.name, options.database_of(database, dialect.name), names.control)
            try:
                rows, indexes, routines = session.catalog(drift.query(dialect, names), names.schemas)
                ledger = session.ledger()
            finally:
                session.close()
            known = drift.Catalog(drift.of_rows(rows, False), indexes, routines)
    except (engines.EngineError, drift.BadDump, UnicodeDecodeError) as error:
        console.say(f"error: {error}")
        raise click.exceptions.Exit(FINDINGS) from None
    texts = [p.read_text(encoding="utf-8") for p in sorted(root.rglob("*.sql")) if "migrations" not in p.parts]
    found = drift.compare(state, known, names, dialect, texts)
    if catalog is None and ledger.identity != state.identity:
        shown = "nothing of ours" if ledger.identity is None else f"the state {ledger.identity[:12]}"
        found.insert(0, drift.Drift(names.control, f"holds {shown}, not {state.identity[:12]}: c360gen deploy brings it there"))
    if style == "json":
        console.answer(json.dumps([{"object": d.object, "what": d.what} for d in found], indent=2))
    else:
        for one in found:
            console.answer(f"{one.object}: {one.what}")
    console.say(f"{len(found)} {'difference' if len(found) == 1 else 'differences'} from the released state" if found else "as released")
    if found:
        raise click.exceptions.Exit(FINDINGS)
