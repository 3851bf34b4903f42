"""How a migration is said: ALTER and its kin as trees, and the shells around a whole migration. One method per operation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

from sqlglot import exp

from c360gen.dialects.base import Dialect
from c360gen.dialects.names import Address, Names
from c360gen.dialects.tables import column_definition, create_table
from c360gen.ops import change
from c360gen.ops.change import AlterTable, Migration, Move, Release, Replaced, Retired, Routine, Stored
from c360gen.ops.schema import ColumnDef, CreateTable
from c360gen.ops.shell import Piece, Shell
from c360gen.terms import types
from c360gen.terms.symbols import OWN_PREFIX, column, cut

Rung = Literal["same", "convert", "copy"]

ROW = "h"


class Changes(ABC):
    """What engines have in common; `names` give the addresses of the state that is left or reached."""

    transactional = True
    """Whether a migration is one transaction: all of it or nothing."""
    replaces_views = True
    """Whether CREATE OR REPLACE VIEW takes columns that change."""
    enforces = False
    """Whether CREATE TABLE declares constraints that the engine enforces."""
    sets_not_null = True
    """Whether an existing column can become NOT NULL."""
    names_keys = True
    """Whether a key is declared under a name."""
    moves_schemas = True
    """Whether a table can be moved to another schema."""
    known_windows = "windows"
    """The control table that holds the windows of microbatches."""
    watermarks = ("state", "watermark")
    """The control table and the column that say up to where a node has read."""
    rewinds_by = ("run_log", "watermark_after")
    """And those from which a rewind takes what was true then."""

    suspends_tasks = False
    """Whether the schedules are objects of the database, which a migration suspends before anything else."""
    told_about_grants: str
    """PLAN.md, of what was granted by hand: whether it stays."""
    told_about_locks = ""
    """PLAN.md, of what is locked besides the tables that are altered."""
    before_and_after: tuple[str, ...]
    """PLAN.md: what whoever deploys does before, and after."""

    def __init__(self, dialect: Dialect):
        self.dialect = dialect

    # --- facts -----------------------------------------------------------------------------------------------------------

    def rung(self, old: exp.DataType, new: exp.DataType) -> Rung:
        """How a column gets another type: not at all, where it stands, or as a copy that takes its place."""
        if self.dialect.type(old) == self.dialect.type(new):
            return "same"
        return "convert" if self.converts(old, new) else "copy"

    def converts(self, old: exp.DataType, new: exp.DataType) -> bool:
        """Whether the engine gives a column another type where it stands."""
        return types.widens(old, new)

    def narrows(self, old: exp.DataType, new: exp.DataType) -> bool:
        """Whether the engine takes that back where it stands, if every value allows it."""
        return True

    def locks(self, op: AlterTable) -> str:
        """What it means for others while it runs: one short phrase, or nothing."""
        return ""

    def rewrites(self, op: AlterTable) -> bool:
        """Whether every row is written once more; a type that changes where it stands is a word in the catalog."""
        return any(m.how == "copy" or m.fill is not None for m in op.moves)

    # --- trees -----------------------------------------------------------------------------------------------------------

    def address(self, stored: Stored, names: Names) -> Address:
        return self.place(stored.schema, stored.name, names)

    def place(self, schema: str, name: str, names: Names) -> Address:
        return Address(names.database, names.schema(schema), name)

    def alter(self, address: Address, *actions: exp.Expr, exists: bool = False) -> exp.Alter:
        return exp.Alter(this=self.dialect.table(address), kind="TABLE", exists=exists, actions=list(actions))

    def rename_column(self, address: Address, before: str, after: str) -> exp.Alter:
        old, new = (exp.Column(this=self.dialect.identifier(n)) for n in (before, after))
        return self.alter(address, exp.RenameColumn(this=old, to=new))

    def rename_table(self, address: Address, name: str, exists: bool = False) -> exp.Alter:
        return self.alter(address, exp.AlterRename(this=exp.Table(this=self.dialect.identifier(name))), exists=exists)

    def add_column(self, address: Address, column_: ColumnDef, exists: bool = False, default: exp.Expr | None = None) -> exp.Alter:
        extra = [exp.DefaultColumnConstraint(this=default)] if default is not None else []
        made = column_definition(self.dialect, ColumnDef(column_.name, column_.type, column_.not_null and default is not None), extra)
        made.set("exists", exists)
        return self.alter(address, made)

    def drop_column(self, address: Address, name: str) -> exp.Alter:
        dropped = exp.Drop(tables=[exp.Column(this=self.dialect.identifier(name))], kind="COLUMN", exists=True)
        return self.alter(address, dropped)

    def convert(self, address: Address, name: str, type_: exp.DataType, using: exp.Expr | None = None) -> exp.Alter:
        kind = self.dialect.data_type(self.dialect.type(type_))
        return self.alter(address, exp.AlterColumn(this=self.dialect.identifier(name), dtype=kind, using=using))

    def nullability(self, address: Address, name: str, not_null: bool) -> exp.Alter:
        # sqlglot reads SET from a missing `drop`, and calls allow_null=False unsupported, which is what it parses itself
        action = exp.AlterColumn(this=self.dialect.identifier(name), allow_null=True, drop=not not_null)
        return self.alter(address, action)

    def create_schema(self, name: str, names: Names) -> exp.Create:
        catalog = self.dialect.environment_name(names.database) if names.database else None
        return exp.Create(this=exp.Table(db=self.dialect.identifier(name), catalog=catalog), kind="SCHEMA", exists=True)

    def drop(self, kind: str, address: Address) -> exp.Drop:
        return exp.Drop(tables=[self.dialect.table(address)], kind=kind, exists=True)

    def cast(self, name: str, move: Move, names: Names) -> exp.Expr:
        """The value of a column in its new type."""
        return self.dialect.lower(converted(name, move), names)

    def lost(self, address: Address, move: Move, copied: str | None = None) -> change.MustBeZero:
        """The values that would not survive another type, or did not, in the column that they were `copied` into."""
        assert move.before is not None and move.after is not None
        name = move.before.name
        back = returned(name, move)
        if copied is not None:
            stored = column(copied, ROW)
            stored.type = move.after.type.copy()
            back = exp.cast(stored, move.before.type.copy())
        differs = exp.NullSafeNEQ(this=column(name, ROW), expression=back)
        query = exp.select(exp.Count(this=exp.Star())).from_(self.dialect.table(address, ROW)).where(differs)
        said = f"{self.dialect.label(address)}.{name} has values that {types.text(move.after.type)} cannot hold"
        return change.MustBeZero(f"Every value must come back from {types.text(move.after.type)} as it was.", query, said)

    def update(self, address: Address, name: str, value: exp.Expr, where: exp.Expr) -> exp.Update:
        """UPDATE t AS h SET name = value WHERE …: `value` and `where` are lowered already."""
        target = exp.Column(this=self.dialect.identifier(name))
        return exp.Update(this=self.dialect.table(address, ROW), expressions=[exp.EQ(this=target, expression=value)],
                          where=exp.Where(this=where))  # fmt: skip

    # --- operations ------------------------------------------------------------------------------------------------------

    def lower(self, tree: exp.Expr, names: Names) -> exp.Expr:
        """As the dialect lowers it, with tables that are named by their place."""
        made = tree.copy()
        for table in list(made.find_all(exp.Table)):
            if table.meta.get("place"):
                table.replace(self.dialect.table(self.place(table.db, table.name, names), table.alias or None))
        return self.dialect.lower(made, names)

    def statements(self, op: change.ChangeOp | change.MustBeFilled, names: Names) -> list[Piece]:
        """One operation as statements; found by the operation's name."""
        found: list[Piece] = getattr(self, _word(type(op).__name__))(op, names)
        return found

    def must_survive(self, op: AlterTable, names: Names) -> list[Piece]:
        """What is asked of values before the first change, where that would not be taken back: that every one has its new type."""
        return []

    def settled(self, op: change.MustBeZero, names: Names) -> list[Piece]:
        """What is asked of the catalog at the end, where steps look into it whether they are done."""
        return []

    @abstractmethod
    def alter_table(self, op: AlterTable, names: Names) -> list[Piece]: ...

    @abstractmethod
    def retire_table(self, op: change.RetireTable, names: Names) -> list[Piece]: ...

    @abstractmethod
    def restore_table(self, op: change.RestoreTable, names: Names) -> list[Piece]: ...

    def drop_table(self, op: change.DropTable, names: Names) -> list[Piece]:
        return [self.drop("TABLE", self.place(op.schema, op.name, names))]

    def drop_lock(self, op: change.DropLock, names: Names) -> list[Piece]:
        return []

    def relabel(self, op: change.Relabel, names: Names) -> list[Piece]:
        say = self.dialect.string_escape
        return [self.dialect.shell("relabel.sql.j2", {**self.values(names), "before": say(op.before), "after": say(op.after)})]

    def forget_windows(self, op: change.ForgetWindows, names: Names) -> list[Piece]:
        values = {"windows": self.dialect.path(names.own(self.known_windows)), "label": self.dialect.string_escape(op.label)}
        return [self.dialect.shell("forget.sql.j2", values)]

    def set_watermark(self, op: change.SetWatermark, names: Names) -> list[Piece]:
        """A rewind would bring back what is forgotten: it goes there, too."""
        value: exp.Expr = exp.null() if op.value is None else exp.Subquery(this=self.lower(op.value, names))
        places = [self.watermarks] if op.value is not None else dict.fromkeys((self.watermarks, self.rewinds_by))
        mine = exp.EQ(this=exp.column("node"), expression=exp.Literal.string(op.label))
        return [
            exp.Update(this=self.dialect.table(names.own(table)), expressions=[exp.EQ(this=exp.column(name), expression=value.copy())],
                       where=exp.Where(this=mine.copy()))
            for table, name in places
        ]  # fmt: skip

    def forget_seed(self, op: change.ForgetSeed, names: Names) -> list[Piece]:
        mine = exp.EQ(this=exp.column("seed"), expression=exp.Literal.string(op.label))
        return [exp.Delete(this=self.dialect.table(names.own("seed_state")), where=exp.Where(this=mine))]

    def change_rows(self, op: change.ChangeRows, names: Names) -> list[Piece]:
        return [self.lower(op.statement, names)]

    def keep_rows(self, op: change.KeepRows, names: Names) -> list[Piece]:
        address = self.place(op.schema, op.name, names)
        columns: list[exp.Expr] = [column_definition(self.dialect, ColumnDef(c.name, c.type)) for c in op.columns]
        create = exp.Create(this=exp.Schema(this=self.dialect.table(address), expressions=columns), kind="TABLE", exists=True)
        target = exp.Schema(this=self.dialect.table(address), expressions=[self.dialect.identifier(c.name) for c in op.columns])
        return [create, exp.Insert(this=target, expression=self.lower(op.query, names))]

    def once(self, because: str, missing: exp.Select, statement: exp.Expr) -> list[Piece]:
        """A statement that a resumed attempt must not repeat; in one transaction nothing is resumed."""
        return [statement]

    def must_be_zero(self, op: change.MustBeZero, names: Names) -> list[Piece]:
        values = {
            "because": op.because, "query": self.lower(op.query, names), "message": self.dialect.string_escape(op.message),
        }  # fmt: skip
        return [self.dialect.shell("migration_check.sql.j2", values)]

    def must_be_filled(self, op: change.MustBeFilled, names: Names) -> list[Piece]:
        return self.must_be_zero(self.unfilled(op, names), names)

    def unfilled(self, op: change.MustBeFilled, names: Names) -> change.MustBeZero:
        query = exp.select(exp.Count(this=exp.Star())).from_(self.dialect.table(self.address(op.table, names), ROW))
        return change.MustBeZero("Every row has a value.", query.where(missing(op.name)), op.message)

    def keep_grants(self, replaced: Sequence[Replaced]) -> list[Piece]:
        """Before anything is dropped: who may do what with it. Nothing where CREATE OR REPLACE keeps that."""
        return []

    def grant_again(self, replaced: Sequence[Replaced]) -> list[Piece]:
        """When everything is there again."""
        return []

    def drop_view(self, address: Address) -> list[Piece]:
        return [self.drop("VIEW", address)]

    def drop_routine(self, routine: Routine) -> list[Piece]:
        """By its signature: Postgres and Snowflake would keep the old one beside the new."""
        return [self.utility(f"DROP {routine.kind} IF EXISTS {routine.path}({self.dialect.signed(routine.arguments)})")]

    def utility(self, text: str) -> Shell:
        """A statement that sqlglot knows as text only; names in it are quoted."""
        return self.dialect.shell("utility.sql.j2", {"text": text})

    def checksum(self, names: Sequence[str], table: str) -> exp.Expr | None:
        """One number over all values of some columns, whatever the order of the rows; None where rows are never rewritten."""
        return None

    # --- a whole migration ------------------------------------------------------------------------------------------------

    def values(self, names: Names) -> dict[str, Any]:
        dialect = self.dialect
        return {
            "ledger": dialect.path(names.own("migration")), "measures": dialect.path(names.own("migration_check")),
            "release": dialect.path(names.own("release")), "run_log": dialect.path(names.own("run_log")),
            "control": dialect.schema_path(names), "control_name": dialect.string_escape(names.control),
            "row_security": dialect.string_escape(str(names.target.settings.get("row_security", "off"))),
            "owner": names.target.owner and dialect.environment_name(names.target.owner).sql(dialect.name),
        }  # fmt: skip

    def ledger(self, names: Names) -> list[Piece]:
        """CREATE TABLE IF NOT EXISTS: the ledger of migrations, and what was counted before each."""
        return [self.dialect.shell("ledger.sql.j2", self.values(names))]

    def retired(self, one: Retired, names: Names) -> list[Piece]:
        """In a database that was empty what is retired is there, too, without rows: later migrations, approvals and rollbacks find it."""
        at = self.address(one.table, names)
        if not one.whole:
            return [piece for c in one.table.columns for piece in self.retired_column(at, c)]
        op = CreateTable("ref", one.table.name, one.table.columns, "", one.table.primary_key, one.table.ordered)
        made = create_table(self.dialect, op, at, enforced=self.transactional, checks=self.enforces, named_key=self.names_keys)
        return [*([] if at.schema in names.schemas else [self.create_schema(at.schema, names)]), made]

    def retired_column(self, at: Address, column_: ColumnDef) -> list[Piece]:
        return [self.add_column(at, column_, exists=True)]

    def contained(self, names: Names, release: Release) -> list[Piece]:
        """What deploy.sql contains needs no migration any more."""
        rows = [(m.number, self.dialect.string_escape(m.name), self.dialect.string_escape(m.checksum)) for m in release.migrations]
        values = {**self.values(names), "rows": rows, "identity": self.dialect.string_escape(release.identity)}
        return [self.dialect.shell("contained.sql.j2", values)]

    def begin(self, names: Names, migration: Migration, before: str, action: str, tasks: Sequence[str] = ()) -> list[Piece]:
        """Locks, and the guard: this database is in the state that the migration starts from."""
        return [self.dialect.shell("migration_begin.sql.j2", {**self._of(names, migration, before, action), "tasks": list(tasks)})]

    def wait(self, nodes: Sequence[str], names: Names) -> list[Piece]:
        """Lets runs of nodes end that are under way; nothing where `begin` has excluded them."""
        return []

    def end(self, names: Names, migration: Migration, after: str, action: str, commit: bool = True) -> list[Piece]:
        """The row of the ledger, the released state, the commit."""
        return [self.dialect.shell("migration_end.sql.j2", {**self._of(names, migration, after, action), "commit": commit})]

    def _of(self, names: Names, migration: Migration, identity: str, action: str) -> dict[str, Any]:
        say = self.dialect.string_escape
        return {
            **self.values(names), "number": migration.number, "name": say(migration.name), "checksum": say(migration.checksum),
            "title": f"{migration.number:04} {migration.name}", "identity": say(identity), "action": say(action),
            "undo": action != "applied",
        }  # fmt: skip


def converted(name: str, move: Move) -> exp.Expr:
    """CAST(h.name AS new type), typed, so that a dialect can say UTC where its cast would ask the session."""
    assert move.before is not None and move.after is not None
    value = column(name, ROW)
    value.type = move.before.type.copy()
    if move.before.type == types.TEXT and move.after.type == types.BOOLEAN:
        return exp.EQ(this=exp.Lower(this=value), expression=exp.Literal.string("true"))
    return exp.cast(value, move.after.type.copy())


def returned(name: str, move: Move, *, tried: bool = False) -> exp.Expr:
    """The value once more in its old type: equal to the old one where nothing was lost; `tried`: NULL where the cast fails."""
    assert move.before is not None and move.after is not None
    made = converted(name, move)
    if tried and isinstance(made, exp.Cast):
        made = exp.TryCast(this=made.this, to=made.to)
    made.type = move.after.type.copy()
    return exp.cast(made, move.before.type.copy())


def missing(name: str) -> exp.Expr:
    """h.name IS NULL."""
    return exp.Is(this=column(name, ROW), expression=exp.null())


def rekeyed(op: AlterTable) -> bool:
    """Whether the primary key must be made anew: other columns, or one of them is copied into another."""
    moved = {m.before.name: m.after.name for m in op.moves if m.before and m.after and m.how not in ("copy", "swap_back", "narrow")}
    return tuple(moved.get(k, "") for k in op.before.primary_key) != op.after.primary_key


def next_name(name: str) -> str:
    """What stands beside a table or a column until it takes its place: a name that no user's can have."""
    return cut(f"{OWN_PREFIX}next_{name}")


def _word(name: str) -> str:
    """AlterTable → alter_table."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
