"""The only printer: stdout answers, stderr talks; colour and progress only where a person looks."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import NoReturn, TextIO

import click

from c360gen.cli import report
from c360gen.cli.exits import FINDINGS
from c360gen.diagnostics import Diagnostic, SpecError, render

_STYLES = (
    (re.compile(r"^error\[\w+\]", re.M), {"fg": "red", "bold": True}),
    (re.compile(r"^warning\[\w+\]", re.M), {"fg": "yellow", "bold": True}),
    (re.compile(r"^note\[\w+\]", re.M), {"fg": "blue", "bold": True}),
    (re.compile(r"^  help:", re.M), {"fg": "cyan"}),
)


def answer(text: str) -> None:
    """What was asked for, on stdout."""
    click.echo(text)


def say(text: str) -> None:
    """What happened, on stderr."""
    click.echo(text, err=True)


def progress(text: str) -> None:
    """What is at work, on a line that the next one takes the place of; only where a person looks."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def diagnostics(found: Sequence[Diagnostic], texts: Mapping[str, str], closing: str = ", nothing written") -> None:
    """Findings: as text on stderr with a line that counts them, or into the document that --format asks for."""
    if not found:
        return
    if (gathered := report.gathered()) is not None:
        gathered.found += [d for d in found if d not in gathered.found]
        gathered.texts.update(texts)
        return
    say(_coloured(render(found, texts)))
    errors = [d for d in found if d.severity == "error"]
    if errors:
        say(f"\n{counted(len(errors), 'error')}{closing}; c360gen explain {errors[0].code} says more")


def counted(number: int, word: str) -> str:
    """1 file, 2 files."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def tell(found: Diagnostic) -> None:
    """One finding that is in no file."""
    diagnostics([found], {}, "")


def spec_error(error: SpecError) -> None:
    diagnostics(error.diagnostics, getattr(error, "texts", {}))


def fail(code: str, message: str, help: str | None = None) -> NoReturn:
    """One finding that is in no file, and exit code 1."""
    tell(Diagnostic(code, message, None, help))
    raise click.exceptions.Exit(FINDINGS)


def passed(name: str) -> None:
    """Something that was looked at and is sound: a case of its own in reports that count cases."""
    if (gathered := report.gathered()) is not None:
        gathered.passed.append(name)


def coloured(stream: TextIO) -> bool:
    """Whether a person looks at the stream and wants colour."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _coloured(text: str) -> str:
    if not coloured(sys.stderr):
        return text
    for pattern, style in _STYLES:
        text = pattern.sub(lambda m, style=style: click.style(m[0], **style), text)  # type: ignore[misc]
    return text


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A plain table on stdout."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(headers, *rows, strict=True)]
    for row in (headers, *rows):
        cells = [str(c).rjust(w) if i in right else str(c).ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        answer("  ".join(cells).rstrip())


def unwritable(error: OSError) -> None:
    """What the operating system refuses is neither a mistake in the specs nor our bug."""
    help = "name another folder, or give yourself the right to write there; then repeat the command"
    tell(Diagnostic("C505", f"{error.filename} cannot be written: {(error.strerror or 'unknown reason').lower()}", None, help))


def unexpected(error: Exception) -> None:
    """Our bug: the traceback, and what to do with it."""
    traceback.print_exception(error)
    say("\nThis is a bug in c360gen, not a mistake of yours. Please report it with the lines above.")
