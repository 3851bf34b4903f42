"""Migrations on Snowflake and BigQuery: DDL commits by itself, so every statement can be executed again, and says when it is done."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from c360gen.dialects.changes import ROW, Changes, missing, next_name, rekeyed, returned
from c360gen.dialects.names import Address, Names
from c360gen.ops import change
from c360gen.ops.change import AlterTable, Move
from c360gen.ops.schema import ColumnDef
from c360gen.ops.shell import Piece
from c360gen.terms import symbols, types
from c360gen.terms.symbols import column, cut
from c360gen.terms.types import T


@dataclass(frozen=True)
class Part:
    """One of several steps that follow each other, and what must hold after it."""

    because: str
    statements: tuple[exp.Expr, ...]
    check: change.MustBeZero | None = None


class WarehouseChanges(Changes):
    transactional = False
    known_windows = "window_log"
    watermarks = rewinds_by = ("watermark", "cursor_value")
    adds_at_once = False
    """Whether one statement adds several columns, each if it is not there yet."""
    tries_all = False
    """Whether a cast that gives NULL in place of an error takes values of every type, and not texts alone."""
    keys_hold_names = False
    """Whether the engine refuses to rename a table that has a primary key, and to rename or retype a column of one."""

    def when(self, because: str, condition: exp.Select, *statements: Piece) -> list[Piece]:
        """Statements that are executed while a count is above zero."""
        return [self.dialect.shell("migration_when.sql.j2", {"because": because, "count": condition, "statements": list(statements)})]

    def once(self, because: str, missing: exp.Select, statement: exp.Expr) -> list[Piece]:
        return self.when(because, missing, statement)

    def columns(self, address: Address, there: str, absent: str | None = None) -> exp.Select:
        """1 while a column is there and another is not."""
        counted: exp.Expr = _has(there)
        if absent is not None:
            counted = exp.Sub(this=counted, expression=_has(absent))
        return exp.select(counted).from_(self.dialect.catalog(address).subquery("c"))

    def wait(self, nodes: Sequence[str], names: Names) -> list[Piece]:
        """Takes the row of each node's lock table, which a run holds until it commits, and lets it go: the first DDL would anyway."""
        found: list[Piece] = []
        for node in nodes:
            at = names.own(f"lock_{node}")
            same = exp.EQ(this=column("locked_at"), expression=column("locked_at"))
            is_there = exp.Is(this=column("node"), expression=exp.Not(this=exp.null()))
            take = exp.Update(this=self.dialect.table(at), expressions=[same], where=exp.Where(this=is_there))
            because = f"A run of {node} that is under way holds this row until it has ended: here it is waited for."
            found += self.when(because, self.columns(at, "node"), self.dialect.lower(take, names))
        return found

    def alter_table(self, op: AlterTable, names: Names) -> list[Piece]:
        done: list[Piece] = []
        at, target = self.address(op.before, names), self.address(op.after, names)
        if at != target:
            done += self.move_table(at, target)
            at = target
        another = rekeyed(op) or (self.keys_hold_names and _touches_key(op)) or _drops_of_key(op)
        if another:  # a first key too: an interrupted attempt may have declared it
            done += self.drop_key(at)
        for move in op.moves:
            done += self._first(move, at)
        adds = [self.add_column(at, ColumnDef(m.after.name, m.after.type), exists=True) for m in op.moves if m.how == "add" and m.after]
        if adds and self.adds_at_once:
            adds = [self.alter(at, *(action.copy() for add in adds for action in add.args["actions"]))]
        done += adds
        for move in op.moves:
            done += self._then(move, at, names)
        done += self._filled(op, at, names)
        if self.sets_not_null:
            for move in op.moves:
                new, old = move.after, move.before
                if new and new.not_null and (move.how in ("add", "copy", "restore", "swap_back", "narrow") or (old and not old.not_null)):
                    done.append(self.nullability(at, new.name, True))
        if another and op.after.primary_key:
            done += self.add_key(at, op.after.primary_key)
        return done

    @abstractmethod
    def drop_key(self, at: Address) -> list[Piece]:
        """The key that is declared goes, if there is one: it is not enforced, but believed."""

    def add_key(self, at: Address, columns: Sequence[str]) -> list[Piece]:
        """An interrupted attempt begins with the drop again."""
        key: exp.Expr = exp.PrimaryKey(expressions=[self.dialect.identifier(c) for c in columns], options=["NOT ENFORCED"])
        if self.names_keys:
            key = exp.Constraint(this=self.dialect.identifier(cut(f"{at.name}_pk")), expressions=[key])
        return [self.alter(at, exp.AddConstraint(expressions=[key]))]

    @abstractmethod
    def move_table(self, at: Address, target: Address) -> list[Piece]: ...

    def relax(self, at: Address, name: str) -> list[Piece]:
        """DROP NOT NULL, which may have been done already."""
        return [self.nullability(at, name, False)]

    def _rename(self, at: Address, before: str, after: str) -> list[Piece]:
        return self.when(f"Once: {before} becomes {after}.", self.columns(at, before, after), self.rename_column(at, before, after))

    def _first(self, move: Move, at: Address) -> list[Piece]:
        old, new = move.before, move.after
        done: list[Piece] = []
        loses = old is not None and old.not_null and (new is None or not new.not_null or (move.how == "convert" and not self.sets_not_null))
        if move.how in ("rename", "keep", "restore", "convert") and old and new and old.name != new.name:
            done += self.relaxed(at, old.name, new.name) if loses and move.how != "restore" else []
            done += self._rename(at, old.name, new.name)
        elif move.how in ("keep", "convert") and new and loses:
            done += self.relax(at, new.name)
        if move.how == "retire" and old and move.retired:
            done += self.relaxed(at, old.name, move.retired) if old.not_null else []
            done += self._rename(at, old.name, move.retired)
        if move.how == "drop" and old:
            done.append(self.drop_column(at, old.name))
        return done

    def _filled(self, op: AlterTable, at: Address, names: Names) -> list[Piece]:
        """All columns that get values, in one UPDATE: each of them would write the table anew. One that reads another waits for it."""
        groups: list[dict[str, exp.Expr]] = [{}]
        for name, fill in ((m.after.name, m.fill) for m in op.moves if m.after and m.fill is not None):
            if any(read.name in groups[-1] for read in fill.find_all(exp.Column)):
                groups.append({})
            groups[-1][name] = fill
        return [self._filling(at, group, names) for group in groups if group]

    def _filling(self, at: Address, fills: Mapping[str, exp.Expr], names: Names) -> exp.Update:
        differ = exp.or_(*(exp.NullSafeNEQ(this=column(n, ROW), expression=fill.copy()) for n, fill in fills.items()))
        where = self.dialect.lower(differ, names)
        one, *others = (self.update(at, n, self.dialect.lower(fill, names), where) for n, fill in fills.items())
        one.set("expressions", [*one.expressions, *(value for other in others for value in other.expressions)])
        return one

    def _then(self, move: Move, at: Address, names: Names) -> list[Piece]:
        old, new = move.before, move.after
        done: list[Piece] = []
        if move.how == "convert" and new:
            done.append(self.convert(at, new.name, new.type))
        if move.how in ("copy", "swap_back") and old and new and move.retired:
            done += self._copy(move, at, names) if move.how == "copy" else self._swap_back(move, at, names)
        if move.how == "narrow":
            done += self._narrow(move, at, names)
        return done

    def _copy(self, move: Move, at: Address, names: Names) -> list[Piece]:
        """The column is looked up once: BigQuery does not promise that its catalog shows at once what was changed."""
        assert move.before is not None and move.after is not None and move.retired is not None
        old, new, following = move.before, move.after, next_name(move.after.name)
        done = self.relaxed(at, old.name, move.retired) if old.not_null else []
        left = self.left(at, (3, (old.name,), (move.retired,)), (1, (following,), (new.name,)))
        steps = [
            self._valued(move, at, following, names),
            Part("The old values stay.", (self.rename_column(at, old.name, move.retired),)),
            Part("The new column takes its place.", (self.rename_column(at, following, new.name),)),
        ]
        return done + self.parts(f"Once: {old.name} gets another type.", left, steps, names)

    def _narrow(self, move: Move, at: Address, names: Names) -> list[Piece]:
        """Nothing is lost by it: every value was found to come back, and is found once more."""
        assert move.before is not None and move.after is not None
        old, new, following = move.before, move.after, next_name(move.after.name)
        left = self.left(at, (3, (old.name,), ()), (1, (following,), ()))
        steps = [
            self._valued(move, at, following, names),
            Part("Its values are in the other column.", (self.drop_column(at, old.name),)),
            Part("The narrower column takes its place.", (self.rename_column(at, following, new.name),)),
        ]
        return self.parts(f"{old.name} gets its narrower type back, which is not done where it stands.", left, steps, names)

    def _valued(self, move: Move, at: Address, following: str, names: Names) -> Part:
        """A column of the new type that has every value as it is now: one that an attempt before this one has copied may have changed."""
        assert move.before is not None and move.after is not None
        cast = self.cast(move.before.name, move, names)
        stale = exp.NullSafeNEQ(this=self.dialect.lower(column(following, ROW), names), expression=cast.copy())
        copied = self.update(at, following, cast, stale)
        added = self.add_column(at, ColumnDef(following, move.after.type), exists=True)
        check = None if move.lossless else self.lost(at, move, following)
        return Part(f"{following} takes the values in their new type.", (added, copied), check)

    def _swap_back(self, move: Move, at: Address, names: Names) -> list[Piece]:
        assert move.before is not None and move.after is not None and move.retired is not None
        old, new, following = move.before, move.after, next_name(move.after.name)
        left = self.left(at, (3, (old.name, move.retired), ()), (2, (move.retired,), (old.name,)), (1, (following,), ()))
        since = self.dialect.lower(exp.and_(missing(new.name), exp.Not(this=missing(following))), names)
        cast = self.update(at, new.name, self.cast(following, move, names), since)
        steps = [
            Part("The newer values stand aside.", (self.rename_column(at, old.name, following),)),
            Part("The old column comes back.", (self.rename_column(at, move.retired, new.name),)),
            Part("What came since is cast.", (cast, self.drop_column(at, following))),
        ]
        return self.parts(f"Once: {new.name} gets its old type back.", left, steps, names)

    def settled(self, op: change.MustBeZero, names: Names) -> list[Piece]:
        return self.must_be_zero(op, names)

    def must_survive(self, op: AlterTable, names: Names) -> list[Piece]:
        done: list[Piece] = []
        at = self.address(op.before, names)
        for move in op.moves:
            if move.lossless or not (move.before and move.after) or move.how not in ("copy", "narrow", "convert", "swap_back"):
                continue
            there = self.columns(at, move.before.name, move.retired)
            where = self.unfit(move)
            if move.how == "swap_back" and move.retired:  # of the others the old column has the value
                there = self._both(at, move.before.name, move.retired)
                where = exp.and_(missing(move.retired), exp.Not(this=missing(move.before.name)), where)
            query = exp.select(exp.Count(this=exp.Star())).from_(self.dialect.table(at, ROW)).where(where)
            done += self.guarded(replace(self.lost(at, move), query=query), there, names)
        return done

    def unfit(self, move: Move) -> exp.Expr:
        """Whether a value would be lost by another type; asked so that no value makes the question fail."""
        assert move.before is not None and move.after is not None
        name, old, new = move.before.name, move.before.type, move.after.type
        if new.this is T.VARCHAR and types.family(old) == "text" and self.dialect.type(new) != self.dialect.type(types.TEXT):
            # a cast would cut it, and say nothing
            return exp.GT(this=exp.Length(this=column(name, ROW)), expression=exp.Literal.number(types.sizes(new)[0]))
        tried = self.tries_all or types.family(old) == "text"
        lost: exp.Expr = exp.NullSafeNEQ(this=column(name, ROW), expression=returned(name, move, tried=tried))
        if (beyond := types.beyond(new)) is not None:  # NUMERIC has digits of its own on BigQuery, and takes what the column does not
            number: exp.Expr = column(name, ROW)
            number.type = old.copy()
            if old.this not in types.NUMBERS:
                number = exp.TryCast(this=number, to=new.copy())
            large = exp.GTE(this=exp.Abs(this=number), expression=exp.Literal.number(beyond))
            lost = exp.Case(ifs=[exp.If(this=large, true=exp.true())], default=lost)
        return lost

    def relaxed(self, at: Address, name: str, becomes: str) -> list[Piece]:
        """DROP NOT NULL of a column before it gets the name `becomes`; afterwards it is another column that has its name."""
        return self.when(f"{name} may be NULL.", self.columns(at, name, becomes), self.nullability(at, name, False))

    def left(self, address: Address, *states: tuple[int, Sequence[str], Sequence[str]]) -> exp.Select:
        """How many steps are left: in each state some columns are there and others are not; in no state, none."""
        arms = []
        for number, there, absent in states:
            parts = [exp.EQ(this=_has(n), expression=exp.Literal.number(count)) for count, ns in ((1, there), (0, absent)) for n in ns]
            arms.append(exp.If(this=exp.and_(*parts), true=exp.Literal.number(number)))
        return exp.select(exp.Case(ifs=arms, default=exp.Literal.number(0))).from_(self.dialect.catalog(address).subquery("c"))

    def parts(self, because: str, left: exp.Select, steps: Sequence[Part], names: Names) -> list[Piece]:
        """Steps of which an interrupted attempt has done the first ones."""
        checks = [p.check for p in steps if p.check is not None]
        values = {
            "because": because, "left": left, "message": self.dialect.string_escape(checks[0].message) if checks else None,
            "steps": [(len(steps) - n, p.because, list(p.statements), self.lower(p.check.query, names) if p.check else None)
                      for n, p in enumerate(steps)],
        }  # fmt: skip
        return [self.dialect.shell("migration_parts.sql.j2", values)]

    def _both(self, at: Address, one: str, two: str) -> exp.Select:
        """1 while both columns are there, else at most 0."""
        counted = exp.Sub(this=exp.Add(this=_has(one), expression=_has(two)), expression=exp.Literal.number(1))
        return exp.select(counted).from_(self.dialect.catalog(at).subquery("c"))

    def guarded(self, check: change.MustBeZero, condition: exp.Select, names: Names) -> list[Piece]:
        """A check that only means something while a count is above zero."""
        values = {"because": check.because, "query": self.lower(check.query, names), "count": condition,
                  "message": self.dialect.string_escape(check.message)}  # fmt: skip
        return [self.dialect.shell("migration_guard.sql.j2", values)]

    def retire_table(self, op: change.RetireTable, names: Names) -> list[Piece]:
        at = self.address(op.before, names)
        return self.move_table(at, Address(at.database, at.schema, op.name))

    def must_be_filled(self, op: change.MustBeFilled, names: Names) -> list[Piece]:
        """While the column is there: an attempt that was interrupted may have renamed it."""
        return self.guarded(self.unfilled(op, names), self.columns(self.address(op.table, names), op.name), names)

    def restore_table(self, op: change.RestoreTable, names: Names) -> list[Piece]:
        return self.move_table(self.place(op.after.schema, op.name, names), self.address(op.after, names))

    def exists(self, there: Address, absent: Address) -> exp.Select:
        """1 while one table is there and another is not."""

        def some(address: Address) -> exp.Expr:
            least = exp.func("LEAST", exp.Count(this=exp.Star()), exp.Literal.number(1))
            return exp.select(least).from_(self.dialect.catalog(address).subquery("c")).subquery()

        return exp.select(exp.Sub(this=some(there), expression=some(absent)))

    def keep_rows(self, op: change.KeepRows, names: Names) -> list[Piece]:
        """Rows that are kept already, by an attempt that was interrupted, are not kept twice."""
        create, insert = super().keep_rows(op, names)
        assert isinstance(insert, exp.Insert)
        address = self.place(op.schema, op.name, names)
        known = exp.select(*(exp.Column(this=self.dialect.identifier(c.name), table=exp.to_identifier("k")) for c in op.columns))
        insert.set(
            "expression", exp.Except(this=insert.expression, expression=known.from_(self.dialect.table(address, "k")), distinct=True)
        )
        return [create, insert]

    def must_be_zero(self, op: change.MustBeZero, names: Names) -> list[Piece]:
        """What is asked of a table that goes afterwards is asked while it is there."""
        kept = _places(op.query)
        if not kept:
            return super().must_be_zero(op, names)
        return self.guarded(op, self.stands(self.place(kept[0].db, kept[0].name, names)), names)

    def change_rows(self, op: change.ChangeRows, names: Names) -> list[Piece]:
        """What needs a column or reads a table that goes afterwards is done once."""
        if op.until is not None:
            at = names.symbol(*(symbols.symbol(op.statement.this) or ("", "")))
            return self.when("Once: the column goes afterwards.", self.columns(at, op.until), self.lower(op.statement, names))
        kept, statement = _places(op.statement), self.lower(op.statement, names)
        if not kept:
            return [statement]
        return self.when("Once: the table goes afterwards.", self.stands(self.place(kept[0].db, kept[0].name, names)), statement)

    def forget_seed(self, op: change.ForgetSeed, names: Names) -> list[Piece]:
        """An attempt that ended early may not have made the table that the first seed brings."""
        (forget,) = super().forget_seed(op, names)
        return self.when("Once there are seeds.", self.stands(names.own("seed_state")), forget)

    def stands(self, address: Address) -> exp.Select:
        """More than zero while a table is there."""
        return exp.select(exp.Count(this=exp.Star())).from_(self.dialect.catalog(address).subquery("c"))

    def drop_lock(self, op: change.DropLock, names: Names) -> list[Piece]:
        return [self.drop("TABLE", names.own(f"lock_{op.node}"))]

    def relabel(self, op: change.Relabel, names: Names) -> list[Piece]:
        values = {
            **{t: self.dialect.path(names.own(t)) for t in ("run_log", "watermark", "window_log")},
            "before": self.dialect.string_escape(op.before), "after": self.dialect.string_escape(op.after),
        }  # fmt: skip
        return [self.dialect.shell("relabel.sql.j2", values)]


def _touches_key(op: AlterTable) -> bool:
    """Whether the table, or a column of its key, gets another name or another type."""
    moved = (op.before.schema, op.before.name) != (op.after.schema, op.after.name)
    changed = {m.before.name for m in op.moves if m.before and m.how != "keep"}
    return bool(op.before.primary_key) and (moved or not changed.isdisjoint(op.before.primary_key))


def _drops_of_key(op: AlterTable) -> bool:
    """Whether a column of the key makes room for another."""
    return any(m.how == "narrow" and m.before and m.before.name in op.before.primary_key for m in op.moves)


def _places(tree: exp.Expr) -> list[exp.Table]:
    """Tables that are named by their place: what is kept beside a history until it comes back."""
    return [t for t in tree.find_all(exp.Table) if t.meta.get("place")]


def _has(name: str) -> exp.Expr:
    """How many columns are called so: COUNT(CASE WHEN c.c360_name = 'name' THEN 1 END)."""
    called = exp.EQ(this=exp.column("c360_name", table="c"), expression=exp.Literal.string(name.lower()))
    return exp.Count(this=exp.Case(ifs=[exp.If(this=called, true=exp.Literal.number(1))]))
