"""What the mutations showed, as text."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

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
    killed_by: str
    seconds: float


def show(rows: Sequence[Row]) -> str:
    rules = list(dict.fromkeys(r.rule for r in rows))
    dialects = [d for d in DIALECTS if any(r.dialect == d for r in rows)]
    width = max(map(len, [*rules, "all"]))
    lines = [" " * width + "".join(f"{d:>12}" for d in dialects), *(_line(rule, rule, rows, dialects, width) for rule in rules)]
    lines += ["", _line("all", None, rows, dialects, width)]
    killed = sum(r.killed_by != "" for r in rows)
    lines += [
        "",
        f"{killed} of {len(rows)} defects turned a test red: {100 * killed / max(len(rows), 1):.1f} % (at least {100 * THRESHOLD:.0f} %)",
    ]
    survivors = [r for r in rows if not r.killed_by]
    if survivors:
        lines += ["", "Survivors:"]
    for row in survivors:
        lines += [f"  {row.dialect} {row.name} {row.rule}", f"    in: {row.step}", f"    {row.shown}", f"    {reason(row)}"]
    return "\n".join(lines)


def _line(label: str, rule: str | None, rows: Sequence[Row], dialects: Sequence[str], width: int) -> str:
    cells = []
    for dialect in dialects:
        of = [r for r in rows if r.dialect == dialect and rule in (None, r.rule)]
        cells.append(f"{sum(r.killed_by != '' for r in of)} / {len(of)}" if of else "–")
    return f"{label:{width}}" + "".join(f"{cell:>12}" for cell in cells)


@functools.cache
def reasons() -> Sequence[Mapping[str, str]]:
    found: Sequence[Mapping[str, str]] = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8"))
    return found


def reason(row: Row) -> str:
    """Why a survivor may live: the first entry of survivors.yml whose parts are all found in it."""
    for entry in reasons():
        about = {"dialect": row.dialect, "rule": row.rule, "step": row.step, "shown": row.shown}
        if all(str(entry[part]) in about[part] for part in about if part in entry):
            return entry["because"]
    return "no reason is given in survivors.yml: a test is missing, or an entry"
