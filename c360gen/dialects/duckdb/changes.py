"""Migrations on DuckDB: one transaction. A table is copied into its new shape: DuckDB changes no table that has an index or a key."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from c360gen.dialects.changes import ROW, Changes, converted, missing, next_name
from c360gen.dialects.names import Address, Names
from c360gen.dialects.tables import column_definition
from c360gen.ops import change
from c360gen.ops.change import AlterTable, Move, Routine
from c360gen.ops.schema import ColumnDef
from c360gen.ops.shell import Piece
from c360gen.terms.symbols import column


class DuckDBChanges(Changes):
    told_about_grants = "DuckDB knows no grants."
    before_and_after = ("`dry_run.sql` does everything, counts, and rolls back.", "No other process may have the file open.")

    def locks(self, op: AlterTable) -> str:
        return "" if _only_adds(op) else "the table is written anew"

    def rewrites(self, op: AlterTable) -> bool:
        return not _only_adds(op)

    def alter_table(self, op: AlterTable, names: Names) -> list[Piece]:
        at, target = self.address(op.before, names), self.address(op.after, names)
        if _only_adds(op):
            return [self.add_column(at, ColumnDef(m.after.name, m.after.type)) for m in op.moves if m.how == "add" and m.after]
        done = self.must_be_zero(self._others(op, at), names)
        for move in op.moves:
            if move.how in ("copy", "convert") and not move.lossless:
                done += self.must_be_zero(self.lost(at, move), names)
        following = Address(target.database, target.schema, next_name(target.name))
        order = {c.name: i for i, c in enumerate(op.after.columns)}
        kept = sorted(((c, v) for m in op.moves for c, v in self._columns(m)), key=lambda pair: order.get(pair[0].name, len(order)))
        parts: list[exp.Expr] = [column_definition(self.dialect, c) for c, _ in kept]
        if op.after.primary_key:
            parts.append(exp.PrimaryKey(expressions=[self.dialect.identifier(k) for k in op.after.primary_key]))
        done.append(exp.Create(this=exp.Schema(this=self.dialect.table(following), expressions=parts), kind="TABLE"))
        into = exp.Schema(this=self.dialect.table(following), expressions=[self.dialect.identifier(c.name) for c, _ in kept])
        done.append(exp.Insert(this=into, expression=self._rows(op, at, kept, names)))
        done += [self.drop("INDEX", Address(None, at.schema, name)) for name, _ in op.before.indexes]
        return [*done, self.drop("TABLE", at), self.rename_table(following, target.name)]

    def _others(self, op: AlterTable, at: Address) -> change.MustBeZero:
        """Columns that somebody has added by hand: the copy would be without them."""
        known = [self.dialect.cataloged(c.name) for c in op.before.columns]
        query = exp.select(exp.Count(this=exp.Star())).from_(self.dialect.catalog(at).subquery("c"))
        query = query.where(exp.Not(this=exp.In(this=column("c360_name", "c"), expressions=known)))
        said = f"{self.dialect.label(at)} has columns that are not released, and are lost where it is written anew: move them elsewhere"
        return change.MustBeZero("No column is lost that no spec knows.", query, said)

    def _columns(self, move: Move) -> list[tuple[ColumnDef, exp.Expr]]:
        """What a column becomes in the copy, over the columns that the table has now."""
        old, new = move.before, move.after
        if move.how in ("keep", "rename", "restore") and old and new:
            return [(new, column(old.name, ROW))]
        if move.how == "retire" and old and move.retired:
            return [(ColumnDef(move.retired, old.type), column(old.name, ROW))]
        if move.how == "convert" and old and new:
            return [(new, converted(old.name, move))]
        if move.how == "copy" and old and new and move.retired:
            return [(new, converted(old.name, move)), (ColumnDef(move.retired, old.type), column(old.name, ROW))]
        if move.how == "swap_back" and old and new and move.retired:
            since = exp.Case(ifs=[exp.If(this=missing(move.retired), true=converted(old.name, move))], default=column(move.retired, ROW))
            return [(new, since)]
        if move.how == "add" and new:
            return [(new, exp.cast(exp.null(), new.type.copy()))]
        return []

    def _rows(self, op: AlterTable, at: Address, kept: Sequence[tuple[ColumnDef, exp.Expr]], names: Names) -> exp.Query:
        """SELECT … FROM (SELECT old AS new … FROM t AS h) AS h: fills are computed over the columns as they are called afterwards."""
        named = [exp.alias_(v, c.name, quoted=True) for c, v in kept]
        inner = exp.select(*named).from_(self.dialect.table(at, ROW))
        fills = {m.after.name: m.fill for m in op.moves if m.after and m.fill is not None}
        if not fills:
            return self._lowered(inner, names)
        outer = exp.select(*(exp.alias_(fills.get(c.name, column(c.name, ROW)), c.name, quoted=True) for c, _ in kept))
        return self._lowered(outer.from_(inner.subquery(ROW)), names)

    def _lowered(self, query: exp.Query, names: Names) -> exp.Query:
        made = self.dialect.lower(query, names)
        assert isinstance(made, exp.Query)
        return made

    def retire_table(self, op: change.RetireTable, names: Names) -> list[Piece]:
        """Its indexes go first: they come back with the section of the table, should it be wanted again."""
        at = self.address(op.before, names)
        return [*(self.drop("INDEX", Address(None, at.schema, name)) for name, _ in op.before.indexes), self.rename_table(at, op.name)]

    def restore_table(self, op: change.RestoreTable, names: Names) -> list[Piece]:
        return [self.rename_table(self.place(op.after.schema, op.name, names), self.address(op.after, names).name, exists=op.if_kept)]

    def drop_routine(self, routine: Routine) -> list[Piece]:
        return [self.utility(f"DROP MACRO TABLE IF EXISTS {routine.path}")]

    def checksum(self, names: Sequence[str], table: str) -> exp.Expr | None:
        return exp.Sum(this=exp.Anonymous(this="HASH", expressions=[column(n, table) for n in names]))


def _only_adds(op: AlterTable) -> bool:
    """Whether nothing that is there changes: columns that may be NULL come behind the others."""
    same = (op.before.schema, op.before.name, op.before.primary_key) == (op.after.schema, op.after.name, op.after.primary_key)
    gone = {n for n, _ in op.before.indexes} - {n for n, _ in op.after.indexes}
    return same and not gone and all(
        (m.how == "keep" and m.fill is None and m.before == m.after)
        or (m.how == "add" and m.fill is None and m.after is not None and not m.after.not_null)
        for m in op.moves
    )  # fmt: skip
