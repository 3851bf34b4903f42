"""`c360gen deploy`: deploy.sql of a target, run in a database."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen import engines
from c360gen.cli import console, options
from c360gen.cli.main import FINDINGS
from c360gen.emit.writer import compare


@click.command("deploy", help="Run deploy.sql of a target. It refuses a database in another released state, and is safe to run again.")
@options.one_target
@options.specs_and_out
def command(target_name: str, database: str | None, specs: Path, out: Path) -> None:
    (made,) = options.builds(options.project(specs), [target_name], [])
    root = out / target_name
    if compare(root, made.files):
        console.fail(
            "C501", f"{root.as_posix()} is not what the specs say, and what is deployed should be what was reviewed",
            f"c360gen check --target {target_name} shows the difference, c360gen build --target {target_name} mends it",
        )  # fmt: skip
    dialect = str(made.target.dialect)
    try:
        session = engines.connect(dialect, options.database_of(database, dialect), options.control_schema(made))
        try:
            session.deploy((root / "deploy.sql").read_text(encoding="utf-8"))
        finally:
            session.close()
    except engines.EngineError as error:
        console.say(f"error: {error}")
        raise click.exceptions.Exit(FINDINGS) from None
    console.say(f"{target_name} deployed")
