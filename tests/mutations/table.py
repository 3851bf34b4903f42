"""What the mutations showed, as text."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.mutations.mutants import Mutant

DIALECTS = ("postgres", "duckdb", "snowflake", "bigquery")
THRESHOLD = 0.95
SURVIVORS = Path(__file__).parent / "survivors.yml"


@dataclass(frozen=True)
class Row:
    dialect: str
    name: str
    rule: str
    step: str
    shown: str
    which: int
    killed_by: str
    seconds: float


def enough(rows: Sequence[Row]) -> bool:
    """Whether in every dialect enough of the defects that change a meaning are killed."""
    return bool(rows) and all(share(of) >= THRESHOLD for of in by_dialect(rows).values())


def by_dialect(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return {d: of for d in DIALECTS if (of := [r for r in rows if r.dialect == d])}


def share(rows: Sequence[Row]) -> float:
    """Killed, of all but the survivors that survivors.yml explains: those mean the same with the defect."""
    meant = [r for r in rows if r.killed_by or not reason(r)]
    return sum(r.killed_by != "" for r in meant) / max(len(meant), 1)


def show(rows: Sequence[Row]) -> str:
    """How many of each rule and dialect were killed, and who survived."""
    rules = list(dict.fromkeys(r.rule for r in rows))
    dialects = [d for d in DIALECTS if any(r.dialect == d for r in rows)]
    width = max(map(len, [*rules, "all"]))
    lines = [" " * width + "".join(f"{d:>12}" for d in dialects), *(_line(rule, rule, rows, dialects, width) for rule in rules)]
    lines += ["", _line("all", None, rows, dialects, width), ""]
    for dialect, of in by_dialect(rows).items():
        killed, listed = sum(r.killed_by != "" for r in of), sum(not r.killed_by and reason(r) != "" for r in of)
        lines.append(
            f"{dialect}: {killed} of {len(of)} defects turned a test red, {listed} survivors mean the same (survivors.yml): "
            f"{100 * share(of):.1f} % of the others (at least {100 * THRESHOLD:.0f} %)"
        )
    survivors = [r for r in rows if not r.killed_by]
    if survivors:
        lines += ["", "Survivors:"]
    for row in survivors:
        said = reason(row) or "no reason is given in survivors.yml: a test is missing, or an entry"
        lines += [f"  {row.dialect} {row.name} {row.rule}", f"    in: {row.step}", f"    {row.shown}", f"    {said}"]
    return "\n".join(lines)


def _line(label: str, rule: str | None, rows: Sequence[Row], dialects: Sequence[str], width: int) -> str:
    cells = []
    for dialect in dialects:
        of = [r for r in rows if r.dialect == dialect and rule in (None, r.rule)]
        cells.append(f"{sum(r.killed_by != '' for r in of)} / {len(of)}" if of else "–")
    return f"{label:{width}}" + "".join(f"{cell:>12}" for cell in cells)


@functools.cache
def entries() -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8"))
    return found


def reason(mutant: Row | Mutant) -> str:
    """Why a survivor may live: of the first entry of survivors.yml that is about it; "" where there is none."""
    return str(next((entry["because"] for entry in entries() if is_about(entry, mutant)), ""))


def is_about(entry: Mapping[str, Any], mutant: Row | Mutant) -> bool:
    """Every part that the entry names is found in the mutant: so a change elsewhere in the line or the step leaves it in force."""
    alike = all(str(entry[part]) in getattr(mutant, part) for part in ("dialect", "rule", "step", "shown") if part in entry)
    return alike and entry.get("which", mutant.which) == mutant.which
