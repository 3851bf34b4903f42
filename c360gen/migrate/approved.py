"""`approvals:` of the specs against what is retired: what goes for good, said as what it is, and taken out of the released state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from c360gen.diagnostics import Diagnostic
from c360gen.migrate.plan import Found, Hazard, Measured, Problem, Step
from c360gen.migrate.state import RetiredColumn, RetiredTable, State, with_retired
from c360gen.ops.change import AlterTable, DropTable, Move
from c360gen.project.resolved import ResolvedApproval

Place = tuple[str, str]
Approvals = Mapping[str, ResolvedApproval]


@dataclass(frozen=True)
class Left:
    """What is still retired, and what was found."""

    columns: list[RetiredColumn]
    tables: list[RetiredTable]
    found: Found


def drops(
    released: State, approvals: Approvals, moved: Mapping[Place, Place], columns: Sequence[RetiredColumn], tables: Sequence[RetiredTable]
) -> Left:  # fmt: skip
    """`columns` and `tables` are retired after the migration, where `moved` has put them; an approval names where they are before."""
    parts: list[Found] = []
    left, kept = list(columns), list(tables)
    for table in (t for t in released.retired_tables if t.path in approvals):
        kept.remove(table)
        left = [c for c in left if (c.schema, c.table) != (table.schema, table.name)]
        said = _said(approvals[table.path], f"table dropped; it was {table.was}", table.migration)
        parts.append(said + Found(forward=(DropTable(table.schema, table.name),)))
    for column in (c for c in released.retired_columns if c.path in approvals):
        at = column.schema, column.table
        there = replace(column, schema=moved.get(at, at)[0], table=moved.get(at, at)[1])
        if there not in left:
            continue  # it is brought back, or goes with its table
        if there.table in {t.name for t in kept if t.schema == there.schema and t not in released.retired_tables}:
            parts.append(_goes_along(column, there, approvals[column.path]))
            continue
        left.remove(there)
        parts.append(_said(approvals[column.path], f"column dropped; it was {column.was}", column.migration))
    for table in (t for t in released.retired_tables if t in kept):
        parts.append(_alter(released, table, approvals))
    found = Found()
    for part in parts:
        found += part
    return Left(left, kept, found)


def _alter(released: State, table: RetiredTable, approvals: Approvals) -> Found:
    """No node alters a table that is retired: what goes of its columns is dropped here."""
    gone = [c for c in released.retired_columns if (c.schema, c.table) == (table.schema, table.name) and c.path in approvals]
    if not gone:
        return Found()
    if not table.columns:
        message = f"{gone[0].path} cannot be dropped alone: an older c360gen has retired its table, and written down no columns of it"
        problem = Diagnostic("C604", message, approvals[gone[0].path].span, f"approve {table.path} as a whole")
        return Found(problems=(Problem(gone[0].path, problem),))
    before = with_retired(released, table.stored)
    names = {c.name for c in gone}
    after = replace(before, columns=tuple(c for c in before.columns if c.name not in names))
    forth = tuple(Move("drop", c, None) if c.name in names else Move("keep", c, c) for c in before.columns)
    back = tuple(Move("add", None, m.before) if m.how == "drop" else m for m in forth)
    measured = Measured(before, after, tuple((c.name, c.name) for c in after.columns), labels=(table.path,))
    return Found(forward=(AlterTable(before, after, forth),), backward=(AlterTable(after, before, back),), measured=(measured,))


def _goes_along(column: RetiredColumn, there: RetiredColumn, approval: ResolvedApproval) -> Found:
    message = f"{column.path} cannot be dropped by the migration that retires its table"
    help = f"take the approval away; {there.path} can be approved in a later release"
    return Found(problems=(Problem(column.path, Diagnostic("C604", message, approval.span, help)),))


def _said(approval: ResolvedApproval, what: str, migration: int) -> Found:
    told = Hazard("destructive", f"retired by migration {migration}, approved by {approval.spec.by} on {approval.spec.on_}")
    path = approval.spec.drop
    return Found((Step("-", path, what, approval.span, (told,), undo="cannot be undone"),), lost=(f"{path} and what it held",))
