"""Steps of a plan as findings at the lines of the specs that ask for them: what code scanning and annotations of a pull request show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from c360gen.diagnostics import Diagnostic, Severity
from c360gen.migrate.plan import HAZARDS, HazardKind, Plan, Step

CODES: dict[HazardKind, str] = {
    "destructive": "P001", "breaking": "P002", "versions": "P003", "backfills": "P004", "rewrites": "P005", "locks": "P006",
    "refreshes": "P007",
}  # fmt: skip
HARMLESS = "P000"
WARN = ("destructive", "breaking", "versions", "refreshes")
"""What people other than whoever deploys will notice; the rest is a note."""


def findings(plans: Sequence[Plan]) -> list[Diagnostic]:
    """One for each risk of each step, and one for a step that has none; each once, however many targets have it."""
    steps = dict.fromkeys(s for p in plans for s in p.steps)
    return sorted(dict.fromkeys(d for s in steps for d in _of(s)), key=lambda d: d.sort_key)


def _of(step: Step) -> Iterable[Diagnostic]:
    said, undo = f"{step.symbol} {step.object}: {step.what}", f"undo: {step.undo}"
    if not step.hazards:
        yield Diagnostic(HARMLESS, said, step.because, undo, "note")
    for hazard in step.hazards:
        severity: Severity = "warning" if hazard.kind in WARN else "note"
        yield Diagnostic(CODES[hazard.kind], f"{said}; {HAZARDS[hazard.kind]}: {hazard.text}", step.because, undo, severity)
