"""`c360gen verify`: parsers and engines that are not sqlglot judge what was generated."""

from __future__ import annotations

import json
from pathlib import Path

import click

from c360gen import judges
from c360gen.cli import console
from c360gen.cli.exits import FINDINGS
from c360gen.cli.report import Reporting
from c360gen.diagnostics import Diagnostic, Span

HELP = "Judge the output below --out: Postgres and DuckDB execute it, GoogleSQL analyses it, sqlfluff parses it."


@click.command("verify", cls=Reporting, help=HELP)
@click.option("--target", "target_names", multiple=True, metavar="NAME", help="A target by its name; by default all below --out.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("generated"), help="Folder of the output.")
def command(target_names: tuple[str, ...], out: Path) -> None:
    roots = [out / n for n in target_names] or sorted(p.parent for p in out.glob("*/manifest.json"))
    if not roots or any(not (r / "manifest.json").is_file() for r in roots):
        missing = next((r for r in roots if not (r / "manifest.json").is_file()), out)
        console.fail("C501", f"there is no manifest.json below {missing.as_posix()}", "c360gen build writes it")
    refused = False
    for root in roots:
        manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        try:
            found = judges.judge(root, manifest)
        except judges.JudgeUnavailable as error:
            console.fail("C503", str(error), "pip install 'c360gen[verify]'")
        texts = {(root / path).as_posix(): (root / path).read_text(encoding="utf-8") for path in {f.path for f in found}}
        places = [Span((root / f.path).as_posix(), f.line) for f in found]
        console.diagnostics([Diagnostic("C502", f.message, at) for f, at in zip(found, places, strict=True)], texts, "")
        if not found:
            console.passed(root.name)
        refused = refused or bool(found)
        verdict = "nothing found" if not found else f"{len(found)} findings"
        console.say(f"{root.name}: {judges.JUDGES[manifest['dialect']]} judged {len(manifest['files'])} files, {verdict}")
    if refused:
        raise click.exceptions.Exit(FINDINGS)
