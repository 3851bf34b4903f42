"""`c360gen verify`: parsers and engines that are not sqlglot judge what was generated."""

from __future__ import annotations

import json
from pathlib import Path

import click

from c360gen import judges
from c360gen.cli import console
from c360gen.cli.main import FINDINGS


@click.command("verify", help="Judge the output below --out: Postgres and DuckDB execute it, GoogleSQL analyses it, sqlfluff parses it.")
@click.option("--target", "target_names", multiple=True, metavar="NAME", help="A target by its name; by default all below --out.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("generated"), help="Folder of the output.")
def command(target_names: tuple[str, ...], out: Path) -> None:
    roots = [out / n for n in target_names] or sorted(p.parent for p in out.glob("*/manifest.json"))
    if not roots or any(not (r / "manifest.json").is_file() for r in roots):
        missing = next((r for r in roots if not (r / "manifest.json").is_file()), out)
        console.say(f"error: there is no manifest.json below {missing.as_posix()}\n  help: c360gen build writes it")
        raise click.exceptions.Exit(FINDINGS)
    total = 0
    for root in roots:
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        try:
            found = judges.judge(root, manifest)
        except judges.JudgeUnavailable as error:
            console.say(f"error: {error}")
            raise click.exceptions.Exit(FINDINGS) from None
        for finding in found:
            console.answer(f"{(root / finding.path).as_posix()}:{finding.line}: {finding.message}")
        total += len(found)
        verdict = "nothing found" if not found else f"{len(found)} findings"
        console.say(f"{root.name}: {judges.JUDGES[manifest['dialect']]} judged {len(manifest['files'])} files, {verdict}")
    if total:
        raise click.exceptions.Exit(FINDINGS)
