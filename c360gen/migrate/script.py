"""A plan → the files of a migration: apply, verify, dry run, rollback, and PLAN.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from c360gen import dialects
from c360gen.dialects.base import Dialect
from c360gen.dialects.changes import Changes
from c360gen.dialects.names import Address, Names
from c360gen.emit.bundle import Bundle
from c360gen.emit.files import File, sql_file
from c360gen.emit.shell import comment, joined
from c360gen.migrate import measures, report, verify
from c360gen.migrate.checksum import PLACEHOLDER, checksum
from c360gen.migrate.plan import Drops, Plan
from c360gen.migrate.state import FOLDER, State
from c360gen.ops import change
from c360gen.ops.change import AlterTable, ChangeOp, Migration, MustBeZero, Replaced
from c360gen.ops.shell import Piece
from c360gen.terms.symbols import cut


@dataclass(frozen=True)
class Written:
    """The files of one migration, below the target's folder, and the state that is released with it."""

    files: tuple[File, ...]
    state: State


@dataclass(frozen=True, kw_only=True)
class ReleasedNames(Names):
    """Where things are as released: symbols of nodes that the specs may not know any more."""

    state: State

    def symbol(self, kind: str, name: str) -> Address:
        node = self.state.nodes.get(name)
        table = node.table(kind) if node is not None else None
        if node is None or kind not in ("ref", "quarantine", "observations"):
            return super().symbol(kind, name)
        if table is None:
            return Address(self.database, self.schema(node.schema), cut(node.identifier))
        return Address(self.database, self.schema(table.schema), table.name)


_STATES = "From the released state {} to {}."


def states_of(apply: str) -> tuple[str, str] | None:
    """The identities, cut, of the states that an apply.sql begins with and leads to, as its first comment says."""
    found = re.search(f"^-- {_STATES.format('([0-9a-f]+)', '([0-9a-f]+)')}", apply, re.MULTILINE)
    return (found[1], found[2]) if found else None


def folder(number: int, name: str) -> str:
    return f"{FOLDER}/{number:04}_{name}"


def write(plan: Plan, names: Names, bundle: Bundle, name: str, old_sections: Mapping[str, str]) -> Written:
    """The files of the next migration; `old_sections` are the texts that the released state's deploy.sql is made of."""
    dialect = dialects.get(plan.wanted.dialect)
    at = folder(plan.number, name)
    draft = Migration(plan.number, name, PLACEHOLDER)
    writer = _Writer(plan, names, bundle, dialect, draft, old_sections)
    apply = writer.apply()
    done = replace(draft, checksum=checksum(apply, dialect.backslashes))
    state = replace(plan.wanted, migrations=(*plan.released.migrations, done))
    texts = {
        "apply.sql": (apply, "apply"), "verify.sql": (writer.verify(), "verify"), "dry_run.sql": (writer.dry_run(), "dry run"),
        "rollback.sql": (writer.rollback(), "rollback"),
    }  # fmt: skip
    files = []
    for file, (text, what) in texts.items():
        title = f"migration {plan.number:04} {name}: {what}"
        body = text.replace(PLACEHOLDER, done.checksum)
        files.append(sql_file(f"{at}/{file}", body, dialect=dialect.name, title=title, origin=None))
    files.append(File(f"{at}/PLAN.md", report.review(plan, name, dialect.changes)))
    return Written(tuple(files), state)


class _Writer:
    def __init__(self, plan: Plan, names: Names, bundle: Bundle, dialect: Dialect, migration: Migration, old_sections: Mapping[str, str]):
        self.plan, self.names, self.bundle, self.dialect, self.migration = plan, names, bundle, dialect, migration
        self.changes: Changes = dialect.changes
        self.old_names = ReleasedNames(**vars(names), state=plan.released)
        self.old_sections = old_sections
        self.before = plan.released.identity
        self.after = replace(plan.wanted, migrations=(*plan.released.migrations, migration)).identity

    def apply(self) -> str:
        return self._script(commit=True)

    def dry_run(self) -> str:
        if self.changes.transactional:
            return self._script(commit=False)
        return self._join(self._counts())

    def _script(self, commit: bool) -> str:
        plan, changes = self.plan, self.changes
        parts: list[str] = [self._summary(), self._join(changes.begin(self.names, self.migration, self.before, "applied", self._tasks()))]
        parts.append(self._join(changes.wait(_altered(plan.forward), self.names)))
        checks = [piece for check in plan.checks for piece in changes.must_be_zero(check, self.names)]
        checks += [piece for op in _tables(plan.forward) for piece in changes.must_survive(op, self.names)]
        parts.append(self._titled("First: what must hold", checks))
        parts.append(self._schemas(self.names.schemas, plan.released))
        parts.append(self._before(back=False))
        replaced = self._replaced(plan.around.drops, plan.released, plan.wanted)
        parts.append(self._drops(plan.around.drops, plan.released, self.old_names, replaced))
        parts += self._operations(plan.forward)
        parts.append(self._after(back=False))
        parts += self._sections(plan.around.sections, {s.path: s.text for s in self.bundle.sections if s.deployed})
        parts.append(self._join(changes.grant_again(replaced)))
        if not commit:
            parts.append(self._join(self._counts()))
        parts.append(self._join(changes.end(self.names, self.migration, self.after, "applied", commit)))
        return "\n\n\n".join(p for p in parts if p)

    def rollback(self) -> str:
        plan, changes = self.plan, self.changes
        parts = [self._rollback_summary(), self._join(changes.begin(self.names, self.migration, self.after, "rolled back", self._tasks()))]
        parts.append(self._join(changes.wait(_altered(plan.backward), self.names)))
        checks = [piece for check in plan.checks_back for piece in changes.statements(check, self.names)]
        checks += [piece for op in _tables(plan.backward) for piece in changes.must_survive(op, self.names)]
        parts.append(self._titled("First: what must hold", checks))
        parts.append(self._schemas(sorted({self.names.schema(n.schema) for n in plan.released.nodes.values()}), plan.wanted))
        parts.append(self._before(back=True))
        replaced = self._replaced(plan.around.undrops, plan.wanted, plan.released)
        parts.append(self._drops(plan.around.undrops, plan.wanted, self.names, replaced))
        parts += self._operations(plan.taken_out)
        parts += self._operations(plan.backward, self.old_names, len(plan.taken_out) + 1)
        parts.append(self._after(back=True))
        again = [p for p in plan.released.sections if p in self.old_sections and self._differs(p)]
        parts += self._sections(again, self.old_sections)
        parts.append(self._join(changes.grant_again(replaced)))
        parts.append(self._join(changes.end(self.names, self.migration, self.before, "rolled back")))
        return "\n\n\n".join(p for p in parts if p)

    def _differs(self, path: str) -> bool:
        """Whether a released section must be executed again on the way back."""
        if path in self.plan.around.sections or path == "grants.sql":
            return True
        return path not in self.plan.wanted.sections

    def verify(self) -> str:
        pieces = verify.pieces(self.plan, self.names, self.dialect, self.after, self.migration.number)
        head = comment(
            f"Fails loudly where the database is not what migration {self.migration.number:04} leaves behind; changes nothing, and can be "
            "run at any time after it."
        )
        return "\n\n".join([head, self._join(pieces)])

    # --- parts -------------------------------------------------------------------------------------------------------------

    def _summary(self) -> str:
        lines = [comment(f"{_STATES.format(self.before[:12], self.after[:12])} PLAN.md beside this file is for its reviewer.")]
        for step in self.plan.steps:
            lines.append(comment(f"{step.symbol} {step.object}: {step.what}"))
        return "\n".join(lines)

    def _rollback_summary(self) -> str:
        lines = [comment(f"Back from the state {self.after[:12]} to {self.before[:12]}.")]
        for lost in self.plan.lost:
            lines.append(comment(f"This cannot be undone, and is lost: {lost}."))
        return "\n".join(lines)

    def _tasks(self) -> list[str]:
        """The root tasks of schedules, where they are objects of the database: nothing may run meanwhile."""
        if not self.changes.suspends_tasks:
            return []
        return [self.dialect.path(self.names.own(f"task_{s.spec.name}")) for s in self.names.project.schedules]

    def _schemas(self, schemas: Sequence[str], before: State) -> str:
        """Those that no node was in; on the way back, too: a database that was empty meanwhile never had them."""
        there = {self.names.schema(n.schema) for n in before.nodes.values()}
        new = [s for s in schemas if s not in there and s != self.names.control]
        return self._join([self.changes.create_schema(s, self.names) for s in new])

    def _before(self, back: bool) -> str:
        names = self.names if back else self.old_names
        pieces: list[Piece] = []
        for measured in self.plan.measured:
            counted = measures.before(self.changes, measured, names, self.migration.number, back)
            missing = measures.missing(self.changes, measured, names, self.migration.number)
            pieces += self.changes.once("Counted before the first change.", missing, counted)
        return self._titled("Before: what must be the same afterwards", pieces)

    def _after(self, back: bool) -> str:
        names = self.old_names if back else self.names
        pieces: list[Piece] = []
        for measured in self.plan.measured:
            table = measured.before if back else measured.after
            pieces += self.changes.settled(verify.columns(table, names, self.dialect), names)
            query = measures.after(self.changes, measured, names, self.migration.number, back)
            label = f"{measured.before.schema}.{measured.before.name}"
            said = f"{label} has lost rows or values; {names.control}.migration_check has what was counted before"
            check = MustBeZero(f"{label}: every row, and every value that stays, is there.", query, said)
            pieces += self.changes.must_be_zero(check, names)
        return self._titled("After: nothing is lost", pieces)

    def _drops(self, drops: Drops, state: State, names: Names, replaced: Sequence[Replaced]) -> str:
        pieces: list[Piece] = self.changes.keep_grants(replaced)
        for schema, view in drops.views:
            pieces += self.changes.drop_view(self.changes.place(schema, cut(view), names))
        for routine in (r for path in drops.routines for r in state.routines if r.path == path):
            pieces += self.changes.drop_routine(routine)
        return self._titled("Views and procedures that stand in the way, or are gone; what is wanted comes back below", pieces)

    def _replaced(self, drops: Drops, state: State, after: State) -> list[Replaced]:
        """What is dropped here, and what it is called when it comes back."""
        found = []
        for schema, view in drops.views:
            path = self.dialect.path(self.changes.place(schema, cut(view), self.names))
            found.append(Replaced("TABLE", path, drops.becomes.get(path, path)))
        for routine in (r for path in drops.routines for r in state.routines if r.path == path):
            path = drops.becomes.get(routine.path, routine.path)
            arguments = next((r.arguments for r in after.routines if r.path == path), routine.arguments)
            found.append(Replaced("ROUTINE", f"{routine.path}({routine.arguments})", f"{path}({arguments})"))
        return found

    def _operations(self, ops: Sequence[ChangeOp], names: Names | None = None, first: int = 1) -> Iterable[str]:
        used = names or self.names
        for number, op in enumerate(ops, first):
            pieces = self.changes.statements(op, used)
            if pieces:
                because = getattr(op, "because", "")
                said = f"-- Step {number}: {_said(op)}" + (f"\n{comment(because)}" if because and not isinstance(op, MustBeZero) else "")
                note = self._note(op)
                yield f"{said}{note}\n{self._join(pieces)}"

    def _note(self, op: ChangeOp) -> str:
        if not isinstance(op, AlterTable) or not (locks := self.changes.locks(op)):
            return ""
        rewrites = "; it writes every row" if self.changes.rewrites(op) else "; no row is written"
        return f"\n-- Lock: {locks}{rewrites}."

    def _sections(self, paths: Sequence[str], texts: Mapping[str, str]) -> Iterable[str]:
        for path in paths:
            if path in texts:
                yield f"-- {'=' * 20} {path}\n\n{texts[path]}"

    def _counts(self) -> list[Piece]:
        return verify.counts(self.plan, self.names, self.dialect)

    def _titled(self, title: str, pieces: Sequence[Piece]) -> str:
        return f"-- {title}.\n\n{self._join(pieces)}" if pieces else ""

    def _join(self, pieces: Sequence[Piece]) -> str:
        return joined(pieces, self.dialect)


def _tables(ops: Iterable[ChangeOp]) -> list[AlterTable]:
    return [op for op in ops if isinstance(op, AlterTable)]


def _altered(ops: Iterable[ChangeOp]) -> list[str]:
    """The nodes whose tables are there before, and not as they were afterwards."""
    nodes = {op.before.node for op in ops if isinstance(op, AlterTable | change.RetireTable)}
    return sorted(nodes - {""})  # of what is retired there are no runs


def _said(op: ChangeOp) -> str:
    """An operation in a few words."""
    match op:
        case change.AlterTable(before=b, after=a):
            return f"{b.schema}.{b.name}" + (f" becomes {a.schema}.{a.name}" if (b.schema, b.name) != (a.schema, a.name) else "")
        case change.RetireTable(before=b, name=name):
            return f"{b.schema}.{b.name} is retired as {name}"
        case change.RestoreTable(after=a, name=name, if_kept=maybe):
            return f"{a.schema}.{name} is {a.name} again" + (", where a rollback has kept it" if maybe else "")
        case change.DropTable(schema=schema, name=name):
            return f"{schema}.{name} goes for good"
        case change.DropLock(node=node):
            return f"the lock of {node}"
        case change.Relabel(before=b, after=a):
            return f"the log and the state of {b} are those of {a}"
        case change.ForgetWindows(label=label):
            return f"windows of {label}"
        case change.SetWatermark(label=label):
            return f"the watermark of {label}"
        case change.ForgetSeed(label=label):
            return f"what was loaded of {label} is forgotten"
        case change.ChangeRows():
            return "rows"
        case change.KeepRows(schema=schema, name=name):
            return f"rows kept in {schema}.{name}"
        case change.MustBeZero():
            return "a check"
    raise AssertionError(type(op).__name__)
