"""`c360gen adopt`: what is damaged in the history that another tool kept, what an adoption would do, and the adoption itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from c360gen import engines
from c360gen.cli import complete, console, ledger, options, tables
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import nearest_or_list


@click.command(
    "adopt", help="Begin the history NODE with the one that its spec adopts; without --apply it is told what is damaged and what would be "
    "done. With --table instead of NODE: print the specs that adopt a table.",
)  # fmt: skip
@click.argument("node", required=False, shell_complete=complete.places)
@click.option("--table", metavar="SCHEMA.TABLE", default=None, help="A table of dbt or SQLMesh: print it as a source, and how to adopt it.")
@click.option("--apply", "apply", is_flag=True, help="Do it; without, it is counted and logged as a dry run.")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", help="For people, or for machines.")
@options.one_target
@options.specs_and_out
def command(
    node: str | None, table: str | None, apply: bool, style: str, target_name: str, database: str | None, specs: Path, out: Path
) -> None:
    if (node is None) == (table is None):
        raise click.UsageError("name a snapshot, or a table with --table")
    loaded = options.project(specs)
    if table is not None:
        if target_name not in loaded.resolved.targets:
            options.built(loaded, target_name)  # says so
        dialect = str(loaded.resolved.targets[target_name].dialect)
        console.answer(_described(table, dialect, options.database_of(database, dialect)))
        return
    (made,) = options.builds(loaded, [target_name], [], out)
    able = [n.name for n in loaded.resolved.snapshots if n.adopts is not None]
    if node is None or node not in able:
        help = nearest_or_list(str(node), able, "snapshots that adopt") or "c360gen adopt --table SCHEMA.TABLE writes what it needs"
        console.fail("C206", f"no snapshot {node} says adopt:", help)
    dialect = str(made.target.dialect)
    where = options.database_of(database, dialect)
    manifest = options.manifest(made)
    entry = next(n for n in manifest["nodes"] if n["name"] == node)
    task = next(t for t in entry["tasks"] if t["action"] == "adopt")
    scripts = {f.path: f.text for f in made.files}
    if task["script"]:
        options.as_built(made, out)
    with options.deployed(made, where) as session:
        ledger.up_to_date(session, made, out, where)
        try:
            _, damage = session.query(scripts[f"adoptions/{node}.sql"])
        except engines.EngineError as error:
            options.refused(error, "does the source of adopt: stand where it is declared?")
        run = session.task(entry, task, scripts.get(str(task["script"])), {}, apply)
    _tell(node, sorted(damage), run, apply, style)
    if not run.succeeded:
        raise click.exceptions.Exit(FINDINGS)


def _tell(node: str, damage: list[tuple[Any, ...]], run: engines.Run, apply: bool, style: str) -> None:
    from c360gen.strategies._history.adoption import repair_of

    if style == "json":
        problems = [{"problem": p, "found": found, "example": example, "repair": repair_of(p)} for p, found, example in damage]
        counted = {name: run.counters.get(name, 0) for name in ("source_rows", "inserted_rows", "updated_rows")}
        console.answer(json.dumps(
            {"node": node, "problems": problems, "applied": apply and run.succeeded, **counted, "message": run.message}, indent=2
        ))  # fmt: skip
        return
    if damage and "ZC022" not in run.message:
        rows = [[str(p), str(found), str(example), repair_of(str(p))] for p, found, example in damage]
        console.table(["problem", "found", "keys", "repair: true"], rows, right=(1,))
    if not run.succeeded:
        console.tell(options.failed(run))
        return
    read, taken, mended = (run.counters.get(name, 0) for name in ("source_rows", "inserted_rows", "updated_rows"))
    said = f"{console.counted(taken, 'version')} {'adopted' if apply else 'would be adopted'} of {read}, {mended} of them mended"
    console.say(f"{node}: {said}" + ("" if apply else "; --apply does it"))


# --- the specs of a table ----------------------------------------------------------------------------------------------


def _described(table: str, dialect: str, where: str) -> str:
    """A table of a database as the specs that adopt it."""
    from c360gen.importers import database

    if "." not in table:
        raise click.UsageError(f"--table {table}: write schema.table")
    with options.session(dialect, where, "") as session:
        (found,) = tables.read(session, dialect, table)
    return database.adopted(found, dialect).rstrip("\n")
