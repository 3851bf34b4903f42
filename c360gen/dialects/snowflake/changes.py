"""Migrations on Snowflake: ALTER where it is allowed, a copied column where it is not."""

from __future__ import annotations

from sqlglot import exp

from c360gen.dialects.changes import Rung
from c360gen.dialects.names import Address
from c360gen.dialects.warehouse_changes import WarehouseChanges
from c360gen.ops.change import AlterTable
from c360gen.ops.shell import Piece
from c360gen.terms import types
from c360gen.terms.types import T


class SnowflakeChanges(WarehouseChanges):
    def rung(self, old: exp.DataType, new: exp.DataType) -> Rung:
        """Snowflake lengthens text and gives numbers more digits before the point; nothing else."""
        if self.dialect.type(old) == self.dialect.type(new):
            return "same"
        texts = old.this in (T.TEXT, T.VARCHAR) and new.this in (T.TEXT, T.VARCHAR)
        numbers = old.this is T.DECIMAL and new.this is T.DECIMAL and types.sizes(old)[1] == types.sizes(new)[1]
        return "convert" if (texts or numbers) and types.widens(old, new) else "copy"

    def rewrites(self, op: AlterTable) -> bool:
        return any(m.how == "copy" or m.fill is not None for m in op.moves)

    def move_table(self, at: Address, target: Address) -> list[Piece]:
        renamed = self.alter(at, exp.AlterRename(this=self.dialect.table(target)))
        return self.when(f"Once: {at.schema}.{at.name} becomes {target.schema}.{target.name}.", self.exists(at, target), renamed)
