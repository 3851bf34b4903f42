"""Migrations on Postgres: one transaction; nothing waits for a run, and no run begins, while it lasts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from c360gen.dialects.changes import ROW, Changes, missing, next_name, rekeyed
from c360gen.dialects.names import Address, Names
from c360gen.ops import change
from c360gen.ops.change import AlterTable, Move, Replaced, Stored
from c360gen.ops.schema import ColumnDef
from c360gen.ops.shell import Piece
from c360gen.terms import types
from c360gen.terms.symbols import column, cut
from c360gen.terms.types import T


class PostgresChanges(Changes):
    replaces_views = False
    enforces = True
    told_about_grants = (
        "Views and routines that are dropped and created again keep it, there and back, under a new name as well; a grant on a column "
        "that is gone is told as a warning. What others built on them is never dropped: it stops the migration, which names it."
    )
    told_about_locks = "The run log is locked for writers (`EXCLUSIVE`), so that no run begins meanwhile; `lock_timeout` is 5 s."
    before_and_after = (
        "`dry_run.sql` does everything, counts, and rolls back; it takes the same locks.",
        "Nothing needs to be suspended: a job that is due meanwhile waits, or fails on its lock timeout, and runs again.",
    )

    def locks(self, op: AlterTable) -> str:
        scan = any(m.after and m.before and m.after.not_null and not m.before.not_null for m in op.moves)
        if self.rewrites(op):
            return "ACCESS EXCLUSIVE while rows are written"
        return "ACCESS EXCLUSIVE while it is scanned" if scan else "ACCESS EXCLUSIVE, for an instant"

    def rewrites(self, op: AlterTable) -> bool:
        return any(m.how == "copy" or m.fill is not None or (m.how == "convert" and not _in_place(m)) for m in op.moves)

    def alter_table(self, op: AlterTable, names: Names) -> list[Piece]:
        done: list[Piece] = []
        at = self.address(op.before, names)
        target = self.address(op.after, names)
        another = rekeyed(op)
        gone = self._indexes_that_go(op)
        done += [self.drop("INDEX", Address(None, at.schema, name)) for name in gone]
        if at.schema != target.schema:
            done.append(self.utility(f"ALTER TABLE {self.dialect.path(at)} SET SCHEMA {self.dialect.quote(target.schema)}"))
            at = Address(at.database, target.schema, at.name)
        if at.name != target.name:
            done.append(self.rename_table(at, target.name))
            done += self._rename_constraints(op.before, target, target.name)
            at = target
        if op.before.primary_key and another:
            done.append(self._drop_constraint(at, cut(f"{at.name}_pk")))
        kept = dict(op.after.constraints)
        done += [self._drop_constraint(at, name) for name, said in op.before.constraints if kept.get(name) != said]
        for move in op.moves:
            done += self._first(move, at, names)
        for move in op.moves:
            done += self._then(move, at, names)
        for move in op.moves:
            done += self._filled(move, at, names)
        for move in op.moves:
            done += self._last(move, at)
        if op.after.primary_key and another:
            key = exp.PrimaryKey(expressions=[self.dialect.identifier(k) for k in op.after.primary_key])
            constraint = exp.Constraint(this=self.dialect.identifier(cut(f"{at.name}_pk")), expressions=[key])
            done.append(self.alter(at, exp.AddConstraint(expressions=[constraint])))
        known = dict(op.before.constraints)
        done += [
            self.utility(f"ALTER TABLE {self.dialect.path(at)} ADD {said}")
            for name, said in op.after.constraints
            if known.get(name) != said
        ]
        return done

    def _first(self, move: Move, at: Address, names: Names) -> list[Piece]:
        """Names, and what may be NULL."""
        old, new = move.before, move.after
        done: list[Piece] = []
        if move.how in ("retire", "rename", "restore", "keep", "convert") and old and new and old.name != new.name:
            done.append(self.rename_column(at, old.name, new.name))
        if move.how == "retire" and old and move.retired:
            done.append(self.rename_column(at, old.name, move.retired))
            if old.not_null:
                done.append(self.nullability(at, move.retired, False))
        if move.how == "drop" and old:
            done.append(self.drop_column(at, old.name))
        if move.how in ("rename", "keep", "convert") and old and new and old.not_null and not new.not_null:
            done.append(self.nullability(at, new.name, False))
        if move.how == "add" and new:
            done.append(self.add_column(at, ColumnDef(new.name, new.type)))
        if move.how == "copy" and old and new:
            done.append(self.add_column(at, ColumnDef(next_name(new.name), new.type)))
        return done

    def _then(self, move: Move, at: Address, names: Names) -> list[Piece]:
        """Types."""
        old, new = move.before, move.after
        done: list[Piece] = []
        if move.how in ("convert", "copy") and not move.lossless:
            here = move if move.how == "copy" else replace(move, before=replace(old, name=new.name))  # type: ignore[type-var,union-attr]
            done += self.must_be_zero(self.lost(at, here), names)
        if move.how == "convert" and new:
            done.append(self.convert(at, new.name, new.type, unaliased(self.cast(new.name, move, names))))
        if move.how == "copy" and old and new and move.retired:
            following = next_name(new.name)
            some = self.dialect.lower(exp.Not(this=missing(old.name)), names)
            done.append(self.update(at, following, self.cast(old.name, move, names), some))
            done.append(self.rename_column(at, old.name, move.retired))
            if old.not_null:
                done.append(self.nullability(at, move.retired, False))
            done.append(self.rename_column(at, following, new.name))
        if move.how == "swap_back" and old and new and move.retired:
            following = next_name(new.name)
            done += [self.rename_column(at, old.name, following), self.rename_column(at, move.retired, new.name)]
            since = self.dialect.lower(exp.and_(missing(new.name), exp.Not(this=missing(following))), names)
            done.append(self.update(at, new.name, self.cast(following, move, names), since))
            done.append(self.drop_column(at, following))
        return done

    def _filled(self, move: Move, at: Address, names: Names) -> list[Piece]:
        """What is computed, when every column that it may read has the type that it was written for."""
        new = move.after
        done: list[Piece] = []
        if move.fill is not None and new:
            value = self.dialect.lower(move.fill, names)
            differs = exp.NullSafeNEQ(this=column(new.name, ROW), expression=move.fill.copy())
            where = exp.true() if move.how == "add" else self.dialect.lower(differs, names)
            done.append(self.update(at, new.name, value, where))
        return done

    def _last(self, move: Move, at: Address) -> list[Piece]:
        old, new = move.before, move.after
        if new and new.not_null and (move.how in ("add", "copy", "restore", "swap_back") or (old and not old.not_null)):
            return [self.nullability(at, new.name, True)]
        return []

    def _indexes_that_go(self, op: AlterTable) -> list[str]:
        """What the table's own section creates again; an index follows a renamed column by itself, but not our name for it."""
        after = dict(op.after.indexes)
        touched = {m.before.name for m in op.moves if m.before and m.how in ("copy", "swap_back", "retire", "drop")}
        keys_move = bool(touched & set(op.before.primary_key))
        return [
            name for name, said in op.before.indexes
            if after.get(name) != said or keys_move or any(_names(said, t) for t in touched)
        ]  # fmt: skip

    def _rename_constraints(self, before: Stored, at: Address, name: str, exists: bool = False) -> list[Piece]:
        """Those of the table `at`, from what they are called before to what they are in a table called `name`."""
        done: list[Piece] = []
        alter = f"ALTER TABLE {'IF EXISTS ' if exists else ''}{self.dialect.path(at)}"
        old = [("pk", bool(before.primary_key)), ("interval_ck", bool(before.ordered))]
        for suffix, there in old:
            one, two = cut(f"{before.name}_{suffix}"), cut(f"{name}_{suffix}")
            if there and one != two:
                quote = self.dialect.quote
                done.append(self.utility(f"{alter} RENAME CONSTRAINT {quote(one)} TO {quote(two)}"))
        return done

    def _drop_constraint(self, at: Address, name: str) -> exp.Alter:
        dropped = exp.Drop(tables=[exp.Table(this=self.dialect.identifier(name))], kind="CONSTRAINT", exists=False)
        return self.alter(at, dropped)

    def retire_table(self, op: change.RetireTable, names: Names) -> list[Piece]:
        """Its indexes go: nobody looks keys up in it, and their names may be wanted again."""
        at = self.address(op.before, names)
        target = Address(at.database, at.schema, op.name)
        done: list[Piece] = [self.drop("INDEX", Address(None, at.schema, name)) for name, _ in op.before.indexes]
        done += [self._drop_constraint(at, name) for name, _ in op.before.constraints]
        return [*done, self.rename_table(at, op.name), *self._rename_constraints(op.before, target, op.name)]

    def restore_table(self, op: change.RestoreTable, names: Names) -> list[Piece]:
        """Its indexes come back with the section of the table. The name is the last: by it the others find the table, if it is there."""
        at = self.place(op.after.schema, op.name, names)
        target = self.address(op.after, names)
        was = Stored(op.after.node, op.after.kind, op.after.schema, op.name, (), op.after.primary_key, op.after.ordered)
        alter = f"ALTER TABLE {'IF EXISTS ' if op.if_kept else ''}{self.dialect.path(at)}"
        again = [self.utility(f"{alter} ADD {said}") for _, said in op.after.constraints]
        return [
            *self._rename_constraints(was, at, target.name, op.if_kept), *again, self.rename_table(at, target.name, exists=op.if_kept),
        ]  # fmt: skip

    def retired_column(self, at: Address, column_: ColumnDef) -> list[Piece]:
        """Asked first: ADD COLUMN IF NOT EXISTS takes ACCESS EXCLUSIVE, though there is nothing to do in any later deploy."""
        say = self.dialect.string_escape
        values = {"table": say(self.dialect.path(at)), "name": say(column_.name), "statement": self.add_column(at, column_)}
        return [self.dialect.shell("retired_column.sql.j2", values)]

    def keep_grants(self, replaced: Sequence[Replaced]) -> list[Piece]:
        rows = [(r.kind, r.was, r.now) for r in replaced]
        return [self.dialect.shell("keep_grants.sql.j2", {"replaced": rows})] if rows else []

    def grant_again(self, replaced: Sequence[Replaced]) -> list[Piece]:
        return [self.dialect.shell("grant_again.sql.j2", {})] if replaced else []

    def checksum(self, names: Sequence[str], table: str) -> exp.Expr | None:
        row = exp.Anonymous(this="ROW", expressions=[column(n, table) for n in names])
        hashed = exp.Anonymous(this="hashtextextended", expressions=[exp.cast(row, types.TEXT.copy()), exp.Literal.number(0)])
        return exp.Sum(this=hashed)


def _in_place(move: Move) -> bool:
    """Postgres knows these without touching a row."""
    assert move.before is not None and move.after is not None
    old, new = move.before.type, move.after.type
    if new.this is T.TEXT:
        return old.this in (T.TEXT, T.VARCHAR)
    if old.this is T.VARCHAR and new.this is T.VARCHAR:
        return True
    if old.this is T.DECIMAL and new.this is T.DECIMAL:
        return types.sizes(old)[1] == types.sizes(new)[1]
    return False


def _names(definition: str, name: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9_])", definition) is not None


def unaliased(value: exp.Expr) -> exp.Expr:
    """h.a → a: USING knows the row by no name."""
    for found in list(value.find_all(exp.Column)):
        found.set("table", None)
    return value
