"""`c360gen import`: specs out of a dbt project, or out of the tables of a database."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console, options, tables
from c360gen.cli.exits import FINDINGS
from c360gen.cli.init import GITATTRIBUTES, empty


@click.group("import", help="Begin with what there is: a dbt project, or tables of a database, as specs.")
def command() -> None:
    pass


@command.command("dbt", help="Write the dbt project of FOLDER as specs into a new or empty folder, and IMPORT.md: what has to be decided.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--project", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder of dbt_project.yml; by default this."
)
@click.option("--manifest", type=click.Path(path_type=Path), default=None, help="dbt's manifest; by default target/manifest.json in it.")
@click.option(
    "--catalog", type=click.Path(path_type=Path), default=None,
    help="dbt's catalog, which knows the types of columns; by default target/catalog.json in it, where that exists.",
)  # fmt: skip
@click.option(
    "--full-refresh", type=click.Path(path_type=Path), default=None,
    help="The manifest of dbt compile --full-refresh, which knows the other branch of is_incremental(); by default "
    "target/full_refresh/manifest.json in it, where that exists.",
)  # fmt: skip
def from_dbt(folder: Path, project: Path, manifest: Path | None, catalog: Path | None, full_refresh: Path | None) -> None:
    from c360gen.importers import dbt, report
    from c360gen.spec import schema

    empty(folder)
    if not (project / "dbt_project.yml").is_file():
        console.fail("C808", f"{project.as_posix()} has no dbt_project.yml", "--project names the folder of a dbt project")
    catalog = catalog or _where_it_is(project / "target" / "catalog.json")
    full_refresh = full_refresh or _where_it_is(project / "target" / "full_refresh" / "manifest.json")
    try:
        made = dbt.read_manifest(manifest or project / "target" / "manifest.json")
        first = dbt.read_manifest(full_refresh) if full_refresh else None
        taken = dbt.take(project, made, dbt.read_catalog(catalog) if catalog else None, first)
    except dbt.BadArtifact as error:
        console.fail("C808", error.message, error.help)
    files = {**taken.files, f"specs/{schema.FILE}": schema.text().encode(), ".gitattributes": GITATTRIBUTES.encode()}
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    name = made.metadata.project_name or folder.name
    (folder / "IMPORT.md").write_text(report.text(name, taken.notes, taken.problems), encoding="utf-8", newline="\n")
    decide, left = (sum(n.verdict == v for n in taken.notes) for v in ("decide", "left out"))
    found = f"{decide} to be decided, {left} left out, {console.counted(len(taken.problems), 'mistake')}"
    console.say(f"{console.counted(len(files) + 1, 'file')} in {folder.as_posix()}; {found}: read IMPORT.md there first")
    if decide or taken.problems:
        raise click.exceptions.Exit(FINDINGS)


def _where_it_is(path: Path) -> Path | None:
    return path if path.exists() else None


@command.command(
    "database", help="Print tables of a database as sources: those of SCHEMA, or SCHEMA.TABLE; of several, one behind the other."
)
@click.argument("places", metavar="SCHEMA[.TABLE]…", nargs=-1, required=True)
@click.option("--dialect", type=click.Choice(["duckdb", "postgres"]), required=True, help="The engine of the database.")
@options.database
def from_database(places: tuple[str, ...], dialect: str, database: str | None) -> None:
    from c360gen.importers import database as catalog

    found: list[catalog.Table] = []
    with options.session(dialect, options.database_of(database, dialect), "") as session:
        for place in places:
            found += [t for t in tables.read(session, dialect, place) if t not in found]
    console.answer(catalog.sources(found, dialect).rstrip("\n"))
