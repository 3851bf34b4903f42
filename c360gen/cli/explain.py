"""`c360gen explain CODE`: What, Why, Example, Instead."""

from __future__ import annotations

import re
import sys

import click
from click.shell_completion import CompletionItem

from c360gen import explanations
from c360gen.cli import console
from c360gen.diagnostics import did_you_mean


def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The codes that begin so, each with its title."""
    return [CompletionItem(c, help=explanations.page(c).title) for c in explanations.codes() if c.startswith(incomplete.upper())]


@click.command("explain", help="Explain a code: what it means, why, an example, and what to do instead. Without a code, list them all.")
@click.argument("code", required=False, shell_complete=complete)
def command(code: str | None) -> None:
    known = explanations.codes()
    if code is None:
        console.table(["code", "meaning"], [[c, explanations.page(c).title] for c in known])
        return
    if code.upper() not in known:
        near = did_you_mean(code.upper(), known)
        raise click.UsageError(f"there is no code {code}: {near or '`c360gen explain` lists them all'}")
    text = explanations.page(code.upper()).text.rstrip("\n")
    console.answer(re.sub(r"^#+ (.*)$", lambda m: click.style(m[1], bold=True), text, flags=re.M) if console.coloured(sys.stdout) else text)
