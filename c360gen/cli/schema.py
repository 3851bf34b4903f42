"""`c360gen schema`: the JSON Schema of the specs, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from c360gen.cli import console


@click.command("schema", help="Print the JSON Schema of spec files. Editors find it by the line `# yaml-language-server: $schema=…`.")
@click.option("--check", "file", type=click.Path(path_type=Path), default=None, metavar="FILE", help="Exit 1 when FILE is another schema.")
def command(file: Path | None) -> None:
    from c360gen.spec import schema

    if file is None:
        click.echo(schema.text(), nl=False)
        return
    there = file.read_text(encoding="utf-8") if file.is_file() else None
    if there != schema.text():
        what = "is not there" if there is None else "is the schema of another version"
        console.fail("C501", f"{file.as_posix()} {what}", f"c360gen schema > {file.as_posix()}")
    console.say(f"{file.as_posix()} is current")
