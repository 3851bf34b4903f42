"""What the specs say, and would lose in silence: one file per rule in `rules/`, found by its name.

A rule is a module with CODE, TITLE, LEVEL and `check(project) -> findings`. Its page is `explanations/<CODE>.md`.
"""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import ModuleType

from c360gen.diagnostics import Diagnostic, Span, nearest_or_list
from c360gen.lint import exceptions
from c360gen.lint.project import Linted
from c360gen.project.resolved import Resolved
from c360gen.project.select import on_path
from c360gen.spec.load import Specs

OWN = {
    "L001": "an exception without a reason",
    "L002": "an exception that has expired",
    "L003": "an exception that nothing needs",
    "L004": "an unknown rule",
}
"""What the linter says of exceptions and of its own settings; severity as written here: warning."""


@cache
def all_rules() -> Mapping[str, ModuleType]:
    """Every rule by its code, in their order."""
    package = importlib.import_module(f"{__name__}.rules")
    found = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    return {rule.CODE: rule for rule in sorted(found, key=lambda r: str(r.CODE))}


def titles() -> Mapping[str, str]:
    """Every code of the linter with its title."""
    return {**OWN, **{code: str(rule.TITLE) for code, rule in all_rules().items()}}


def findings(specs: Specs, resolved: Resolved, today: dt.date) -> list[Diagnostic]:
    """Everything that no exception covers, sorted by place; `today` (UTC) decides which exceptions have expired."""
    level = _Levels(specs)
    project = Linted(specs, resolved)
    raised = level.levelled(_raised(project))
    kept = exceptions.apply(raised, specs.texts, today, frozenset(titles()))
    own = level.levelled([*kept.of_exceptions, *_unknown(specs)])
    return sorted((*kept.findings, *own), key=lambda d: d.sort_key)


def _raised(project: Linted) -> Iterator[Diagnostic]:
    for code, rule in all_rules().items():
        for finding in rule.check(project):
            yield Diagnostic(code, finding.message, finding.span, finding.help)


def _unknown(specs: Specs) -> Iterator[Diagnostic]:
    """Codes under `lint:` that no rule has."""
    for located in specs.lint:
        listed: list[tuple[str, tuple[str | int, ...]]] = [(code, ("rules", code)) for code in located.spec.rules]
        listed += [(code, ("paths", i, "rules", code)) for i, path in enumerate(located.spec.paths) for code in path.rules]
        for code, loc in listed:
            if code not in titles():
                yield Diagnostic("L004", f"no rule has the code {code}", located.key_span(*loc), nearest_or_list(code, titles(), "rules"))


class _Levels:
    """The severity of a rule at a place: the last path that matches, else the project's, else the rule's own."""

    def __init__(self, specs: Specs):
        self.everywhere = {code: level for located in specs.lint for code, level in located.spec.rules.items()}
        self.paths = [path for located in specs.lint for path in located.spec.paths]

    def levelled(self, raised: Iterable[Diagnostic]) -> list[Diagnostic]:
        out = []
        for diagnostic in raised:
            level = self.of(diagnostic.code, diagnostic.span)
            if level != "off":
                out.append(replace(diagnostic, severity="error" if level == "error" else "warning"))
        return out

    def of(self, code: str, span: Span | None) -> str:
        found = str(self.everywhere.get(code) or (all_rules()[code].LEVEL if code in all_rules() else "warning"))
        for path in self.paths:
            if span is not None and code in path.rules and on_path(span.origin, path.path):
                found = path.rules[code]
        return found
