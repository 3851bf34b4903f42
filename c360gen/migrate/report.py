"""A plan in words: for a terminal, as data, for a code review, and for the one who signs. What annotates a spec is in findings.py."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from c360gen.diagnostics import Diagnostic, Span
from c360gen.dialects.changes import Changes
from c360gen.migrate.plan import HAZARDS, Plan, Step
from c360gen.ops.change import AlterTable, MustBeFilled, MustBeZero


def text(plans: Sequence[Plan]) -> str:
    out: list[str] = []
    for plan in plans:
        target, since = plan.wanted.target, _since(plan)
        if not plan.steps:
            out.append(f"{target}: nothing changes since {since}" + _texts(plan))
            continue
        out.append(f"{target}: migration {plan.number:04}, since {since}" + _texts(plan))
        for step in plan.steps:
            out.append(f"  {step.symbol} {step.object}: {step.what}")
            if step.because:
                out.append(f"      because {_place(step.because)}")
            out += [f"      {HAZARDS[h.kind]}: {h.text}" for h in step.hazards]
            out.append(f"      undo: {step.undo}")
    return "\n".join(out)


def _since(plan: Plan) -> str:
    last = plan.released.migrations[-1] if plan.released.migrations else None
    return f"migration {last.number:04} {last.name}" if last else "what it is compared with"


def _texts(plan: Plan) -> str:
    changed = sum(plan.released.sections.get(p) != sha for p, sha in plan.wanted.sections.items())
    return f" ({changed} {'section' if changed == 1 else 'sections'} of deploy.sql with other text)" if changed else ""


def _place(span: Span) -> str:
    return f"{span.origin}:{span.line}" if span.line > 1 or span.end_column else span.origin


def data(plans: Sequence[Plan]) -> list[dict[str, Any]]:
    """The plan as plain data, the same for every machine that reads it."""
    return [
        {
            "target": plan.wanted.target, "dialect": plan.wanted.dialect, "from": plan.released.identity, "migration": plan.number,
            "steps": [
                {
                    "symbol": s.symbol, "object": s.object, "what": s.what,
                    "because": {"path": s.because.origin, "line": s.because.line} if s.because else None,
                    "hazards": [{"kind": h.kind, "text": h.text} for h in s.hazards], "undo": s.undo,
                }
                for s in plan.steps
            ],
            "sections": list(plan.around.sections) if plan.steps else [], "cannot_be_undone": list(plan.lost),
        }
        for plan in plans
    ]  # fmt: skip


def as_json(plans: Sequence[Plan]) -> str:
    return json.dumps(data(plans), indent=2, ensure_ascii=False)


def markdown(plans: Sequence[Plan]) -> str:
    out: list[str] = []
    for plan in plans:
        out += [f"### {plan.wanted.target}: migration {plan.number:04}", ""]
        out += [*_table(plan.steps), ""] if plan.steps else ["Nothing changes.", ""]
    return "\n".join(out).rstrip()


def _table(steps: Sequence[Step]) -> list[str]:
    rows = ["| | object | change | because | risk | undo |", "|---|---|---|---|---|---|"]
    for step in steps:
        risk = "<br>".join(_cell(f"**{HAZARDS[h.kind]}**: {h.text}") for h in step.hazards) or "none"
        because = f"`{_place(step.because)}`" if step.because else ""
        rows.append(f"| `{step.symbol}` | `{step.object}` | {_cell(step.what)} | {because} | {risk} | {_cell(step.undo)} |")
    return rows


def _cell(said: str) -> str:
    return said.replace("|", "\\|").replace("\n", " ")


FORMATS = {"text": text, "json": as_json, "markdown": markdown}


def review(plan: Plan, name: str, changes: Changes) -> str:
    """PLAN.md: what the reviewer of a migration reads and signs."""
    where = (
        "one transaction: all of it, or nothing"
        if changes.transactional
        else ("statement by statement, since DDL commits by itself; each can be executed again: an interrupted script is run once more")
    )
    worst = [h for s in plan.steps for h in s.hazards if h.kind == "destructive"]
    lines = [
        f"# Migration {plan.number:04} {name}", "", f"Target `{plan.wanted.target}` ({plan.wanted.dialect}). It runs in {where}.", "",
        "## Changes and risks", "", *_table(plan.steps), "",
        "## Order", "", "1. Locks, and a guard: the database is in the released state that this starts from.",
        "2. Rows and values are counted.", "3. Views and procedures that stand in the way are dropped.",
        "4. Tables change, in the order of `apply.sql`.", "5. Rows and values are counted again: fewer fail the migration.",
        "6. Views, procedures and grants are created again.", "7. The ledger and the released state are written.", "",
        "## Locks", "", *_locks(plan, changes), "",
        "## What is lost", "",
        *([f"- {h.text}" for h in worst] or ["Nothing: what is dropped from the specs is retired under another name."]), "",
        *_unerased(plan),
        "## Rollback", "", "`rollback.sql` leads back as long as no later migration is applied.", "",
        *([f"- It cannot bring back: {said}." for said in plan.lost] + _unfilled(plan) or ["It brings everything back."]),
        "", "## What was granted by hand", "", changes.told_about_grants, "",
        "## Before, and after", "",
        *(f"- {said}" for said in (*changes.before_and_after, "`verify.sql` fails loudly where the result is not what was planned.")), "",
        "## Signed", "", "| role | name | date |", "|---|---|---|", "| author | | |", "| reviewer | | |", "| DBA | | |", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _unfilled(plan: Plan) -> list[str]:
    """Where a rollback stops once runs have come: its reader must know it before it is needed."""
    return [
        f"- It fails, before anything is changed, once rows have come for which `{c.table.schema}.{c.table.name}.{c.name}` has no value: "
        "fill that column by hand first, since the column may not be NULL under its old name."
        for c in plan.checks_back if isinstance(c, MustBeFilled)
    ] + [f"- It fails, before anything is changed, where {c.message}." for c in plan.checks_back if isinstance(c, MustBeZero)]  # fmt: skip


def _unerased(plan: Plan) -> list[str]:
    """What the one who answers for personal data must know."""
    if not plan.unerased:
        return []
    return [
        "## What erasure does not reach", "",
        *(f"- `erase_{node}` does not reach `{path}`: drop it with an approval, or erase there by hand." for node, path in plan.unerased),
        "",
    ]  # fmt: skip


def _locks(plan: Plan, changes: Changes) -> list[str]:
    found = [
        f"- `{op.after.schema}.{op.after.name}`: {changes.locks(op)}" for op in plan.forward
        if isinstance(op, AlterTable) and changes.locks(op)
    ]  # fmt: skip
    if changes.told_about_locks:
        found.insert(0, f"- {changes.told_about_locks}")
    return found or ["None that others would notice."]


def problems(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    return sorted(dict.fromkeys(found), key=lambda d: d.sort_key)
