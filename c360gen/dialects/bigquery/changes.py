"""Migrations on BigQuery: new columns may be NULL and come last; a partition or cluster column stays what it is."""

from __future__ import annotations

from sqlglot import exp

from c360gen.dialects.names import Address, Names
from c360gen.dialects.warehouse_changes import WarehouseChanges
from c360gen.ops import change
from c360gen.ops.change import Routine
from c360gen.ops.shell import Piece, Shell
from c360gen.terms import types
from c360gen.terms.types import T


class BigQueryChanges(WarehouseChanges):
    sets_not_null = False
    moves_schemas = False
    names_keys = False
    keys_hold_names = True
    tries_all = True
    adds_at_once = True  # a table's metadata may change five times in ten seconds
    told_about_grants = (
        "What was granted on data sets stays. What was granted on a view itself should be looked at before and after (`bq "
        "get-iam-policy`): Google says that a table which is deleted and created again loses it, and does not say what CREATE OR REPLACE "
        "does. Views of a node that was renamed are new."
    )
    before_and_after = (
        "`dry_run.sql` counts what would be touched; it changes nothing.",
        "Pause the scheduled queries first (`bq update --transfer_config --no_auto_scheduling`), which forgets their schedules, and wake "
        "them when `verify.sql` has passed: waking gives each its own again, by the `--schedule` that the file in `schedules/` says. "
        "`apply.sql` waits for runs that are under way.",
        "A table may change five times in ten seconds, and each column that is renamed is a change: where a statement fails by it "
        "(`Exceeded rate limits: too many table update operations for this table`), wait, and run the same file "
        "once more: it goes on where it ended.",
    )

    def converts(self, old: exp.DataType, new: exp.DataType) -> bool:
        """INT64 → NUMERIC → BIGNUMERIC, and more digits of one of them; a STRING has no length here."""
        exact = (*types.INTEGERS, T.DECIMAL)
        return old.this in exact and new.this in exact and types.widens(old, new)

    def narrows(self, old: exp.DataType, new: exp.DataType) -> bool:
        """A column is only ever given a type that holds more."""
        return False

    def move_table(self, at: Address, target: Address) -> list[Piece]:
        """BigQuery renames no table that has a primary key; whoever goes on with it declares the key again."""
        because = f"Once: {at.schema}.{at.name} becomes {target.name}."
        return self.when(because, self.exists(at, target), self._without_key(at), self.rename_table(at, target.name))

    def restore_table(self, op: change.RestoreTable, names: Names) -> list[Piece]:
        """It may be that nothing was kept, and that an interrupted attempt has declared the key."""
        done, at, columns = super().restore_table(op, names), self.address(op.after, names), op.after.primary_key
        again = [self._without_key(at), *self.add_key(at, columns)] if columns else []
        return done + (self.when("Its key is declared again.", self.stands(at), *again) if again else [])

    def relax(self, at: Address, name: str) -> list[Piece]:
        """BigQuery refuses to relax what is relaxed."""
        place = self.dialect.table(at)
        place.set("this", exp.Dot(this=exp.to_identifier("INFORMATION_SCHEMA"), expression=exp.to_identifier("COLUMNS")))
        place.set("alias", exp.TableAlias(this=exp.to_identifier("c")))
        text = "SELECT COUNT(*) FROM x AS c WHERE c.table_name = '$table' AND c.column_name = '$column' AND c.is_nullable = 'NO'"
        query = self.dialect.catalog_query(text, at, place, column=name)
        return self.when(f"{name} may be NULL.", query, self.nullability(at, name, False))

    def relaxed(self, at: Address, name: str, becomes: str) -> list[Piece]:
        """What has the name afterwards was never NOT NULL: no column that a migration adds is."""
        return self.relax(at, name)

    def drop_key(self, at: Address) -> list[Piece]:
        """BigQuery plans joins by a key that it does not enforce: one that does not hold makes wrong results."""
        return [self.utility(f"ALTER TABLE {self.dialect.path(at)} DROP PRIMARY KEY IF EXISTS")]

    def _without_key(self, at: Address) -> Shell:
        """The same as one of several statements under a condition."""
        return self.dialect.shell("drop_key.sql.j2", {"table": self.dialect.path(at)})

    def settled(self, op: change.MustBeZero, names: Names) -> list[Piece]:
        """INFORMATION_SCHEMA may show a change a little later: a step that was left out for that is not recorded as done."""
        values = {"because": op.because, "query": self.lower(op.query, names), "message": self.dialect.string_escape(op.message)}
        return [self.dialect.shell("migration_settled.sql.j2", values)]

    def drop_routine(self, routine: Routine) -> list[Piece]:
        kind = "TABLE FUNCTION" if routine.kind == "FUNCTION" else "PROCEDURE"
        return [self.utility(f"DROP {kind} IF EXISTS {routine.path}")]
