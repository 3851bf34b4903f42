"""`--format`: what a command finds is gathered, and answered as one document, where a machine reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import click

from c360gen import renderers
from c360gen.diagnostics import Diagnostic

_KEY = "c360gen.report"


@dataclass
class Gathered:
    """Findings, the texts of their files, and the names of what is sound."""

    shape: str
    found: list[Diagnostic] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)


def gathered() -> Gathered | None:
    """Where findings go; None while the command answers people, who read them at once, on stderr."""
    context = click.get_current_context(silent=True)
    return context.meta.get(_KEY) if context else None


class Answering(click.Command):
    """A command that answers with one document where `begin` was called, but not after a wrong call or a bug of ours."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
        except click.exceptions.Exit:
            self._answer(ctx)
            raise
        self._answer(ctx)
        return result

    def _answer(self, ctx: click.Context) -> None:
        found: Gathered | None = ctx.meta.get(_KEY)
        if found is None:
            return
        ordered = sorted(found.found, key=lambda d: d.sort_key)
        if text := renderers.render(renderers.Report(str(self.name), ordered, found.texts, found.passed), found.shape):
            click.echo(text)


class Reporting(Answering):
    """A command whose --format says how findings are told."""

    def __init__(self, *arguments: Any, **settings: Any):
        super().__init__(*arguments, **settings)
        help = "How findings are told: text on stderr, the others as one document on stdout."
        option = click.Option(["--format", "shape"], type=click.Choice(renderers.FORMATS), default="text", help=help, callback=_format)
        option.expose_value = False  # what it says is in the context, where findings look for it
        self.params.append(option)


def begin(shape: str) -> Gathered:
    """From here on findings are gathered, in the shape of a renderer."""
    found: Gathered = click.get_current_context().meta.setdefault(_KEY, Gathered(shape))
    return found


def _format(ctx: click.Context, param: click.Parameter, shape: str) -> None:
    if shape != "text":
        ctx.meta[_KEY] = Gathered(shape)
