"""What is wrong, where, and what to do: one type for every finding, and its rendering as text. No I/O."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]

CODES: dict[str, str] = {
    # files and YAML
    "C101": "a file cannot be read as YAML",
    "C102": "unknown key",
    "C103": "duplicate key",
    "C104": "wrong value",
    "C105": "missing key",
    "C106": "a dbt key that is not carried",
    "C107": "nothing to build",
    "C108": "the same name twice",
    # names and references
    "C201": "unknown reference",
    "C202": "unknown source",
    "C203": "references form a cycle",
    "C204": "a name that cannot be used",
    "C205": "unknown column in the configuration",
    "C206": "a selection that matches nothing",
    "C207": "two objects would have the same name",
    # SQL
    "C301": "SQL that does not parse",
    "C302": "SQL that names an unknown column or table",
    "C303": "a template that cannot be rendered",
    "C304": "a computed column without a declared type",
    "C305": "SQL that is not portable",
    "C306": "output columns that are not usable",
    "C307": "SQL that is not one SELECT",
    # meaning
    "C401": "settings that do not fit together",
    "C402": "a setting that this dialect cannot honour",
    "C403": "an unknown or incomplete target",
    "C404": "another version of c360gen is required",
    # migrations
    "C601": "a rename that may be none",
    "C602": "a new tracked column without a history",
    "C603": "what is said of the past does not fit what is released",
    "C604": "a change without a meaning for the rows that are there",
    "C605": "the shape moved without a migration",
    "C606": "what is released was changed",
    "C607": "nothing is released yet",
    # steps of a plan
    "P000": "a change without a risk",
    "P001": "a change that loses data",
    "P002": "a change that breaks who reads or writes it",
    "P003": "a change that makes versions",
    "P004": "a change that writes values into old rows",
    "P005": "a change that writes a whole table",
    "P006": "a change that locks a table",
    "P007": "a change that needs a full refresh",
    # output
    "C501": "generated output is not what the specs say",
    "C502": "generated SQL that a judge refuses",
    "C503": "a judge that is not installed",
    "C504": "a folder that is not empty",
    "C505": "a file that cannot be written",
    # tests
    "C701": "a scenario that fails",
    "C702": "a data test that fails",
    # databases
    "C801": "a database that cannot be reached",
    "C802": "a database in which nothing is deployed",
    "C803": "a database that refuses",
    "C804": "a lock that somebody else holds",
    "C805": "a run that fails",
    "C806": "a database that has run other migrations",
    "C807": "a dump of a catalog that cannot be read",
    "C808": "no artifact of dbt",
    "C809": "a table that the database does not have",
}
"""Every code with its title; codes are stable, texts are not."""


@dataclass(frozen=True, order=True)
class Span:
    """A place in a file: 1-based line and columns, `end_column` exclusive, path relative to where the user stands."""

    path: str
    line: int = 1
    column: int = 1
    end_column: int = 0
    named: str = field(default="", compare=False, repr=False)
    """The file as its project names it: the folder of the specs by its name, and the way from there."""

    @property
    def origin(self) -> str:
        """What may stand in generated text: it does not depend on where the user stands."""
        return self.named or self.path


@dataclass(frozen=True)
class Diagnostic:
    """One finding: stable code, one-line message, place, and at most one line of help."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    severity: Severity = "error"
    detail: str = ""
    """Several lines, such as rows, where one is not enough."""
    about: tuple[str, ...] = field(default=(), compare=False)
    """C304: a relation's name, and its columns without a type; for whoever can say them."""

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        at = self.span or Span("")
        return at.path, at.line, at.column, self.code, self.message


@dataclass
class Diagnostics:
    """A bag that is filled while the specs are read, so that a user sees all mistakes at once."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, message: str, span: Span | None = None, help: str | None = None, about: tuple[str, ...] = ()) -> None:
        self._add(Diagnostic(code, message, span, help, about=about))

    def warning(self, code: str, message: str, span: Span | None = None, help: str | None = None) -> None:
        self._add(Diagnostic(code, message, span, help, "warning"))

    def _add(self, diagnostic: Diagnostic) -> None:
        if diagnostic not in self.found:
            self.found.append(diagnostic)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self.found, key=lambda d: d.sort_key))

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.found)

    def raise_if_failed(self) -> None:
        """Raise SpecError with everything found so far, if any of it is an error."""
        if self.failed:
            raise SpecError(list(self))


class SpecError(Exception):
    """The specs are wrong; `diagnostics` says where and why. Never our bug."""

    def __init__(self, diagnostics: list[Diagnostic]):
        super().__init__("; ".join(f"{d.code} {d.message}" for d in diagnostics))
        self.diagnostics = diagnostics


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The nearest known word, if one is near enough."""
    return next(iter(difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean 'x'?` for the nearest known word, or None."""
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else None


def nearest_or_list(word: str, known: Iterable[str], what: str) -> str | None:
    """The nearest known word, or else the first few of them, as a line of help."""
    names = sorted(set(known))
    if near := did_you_mean(word, names):
        return near
    if not names:
        return None
    return f"known {what}: {', '.join(names[:8])}{', …' if len(names) > 8 else ''}"


def render(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """Diagnostics as text for people, each with its line of source and a caret where `sources` has the file."""
    return "\n\n".join(_render_one(d, sources) for d in diagnostics)


def _render_one(diagnostic: Diagnostic, sources: Mapping[str, str]) -> str:
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    at = diagnostic.span
    if at:
        lines.append(f"  --> {at.path}:{at.line}:{at.column}")
        text = sources.get(at.path, "").split("\n")
        if at.line <= len(text) and text[at.line - 1].strip():
            lines += _excerpt(at, text[at.line - 1].rstrip("\r"))
    if diagnostic.detail:
        lines += [f"    {line}" for line in diagnostic.detail.split("\n")]
    if diagnostic.help:
        lines.append(f"  help: {diagnostic.help}")
    return "\n".join(lines)


def _excerpt(at: Span, line: str, width: int = 110) -> list[str]:
    """The line with a caret below; a very long line is cut around the caret."""
    start = max(0, at.column - 1 - width // 2) if len(line) > width else 0
    shown = line[start : start + width].replace("\t", " ")
    carets = "^" * max(1, min(at.end_column - at.column, len(shown) - (at.column - 1 - start)))
    gutter = f"{at.line:>4} | "
    return [f"{gutter}{shown}", f"{' ' * (len(gutter) - 2)}| {' ' * (at.column - 1 - start)}{carets}"]
