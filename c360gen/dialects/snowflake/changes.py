"""Migrations on Snowflake: ALTER where it is allowed, a copied column where it is not."""

from __future__ import annotations

from sqlglot import exp

from c360gen.dialects.names import Address
from c360gen.dialects.warehouse_changes import WarehouseChanges
from c360gen.ops.shell import Piece
from c360gen.terms import types
from c360gen.terms.types import T


class SnowflakeChanges(WarehouseChanges):
    suspends_tasks = True
    told_about_grants = (
        "Views and procedures are replaced with COPY GRANTS, and keep it. Those of a node that was renamed are new: what was granted on "
        "them by hand must be granted again."
    )
    before_and_after = (
        "`dry_run.sql` counts what would be touched; it changes nothing.",
        "`apply.sql` suspends the root task of every schedule first, and waits for runs that are under way.",
        "Wake the tasks when `verify.sql` has passed.",
    )

    def converts(self, old: exp.DataType, new: exp.DataType) -> bool:
        """Snowflake lengthens text and gives numbers more digits before the point; nothing else."""
        texts = old.this in (T.TEXT, T.VARCHAR) and new.this in (T.TEXT, T.VARCHAR)
        numbers = old.this is T.DECIMAL and new.this is T.DECIMAL and types.sizes(old)[1] == types.sizes(new)[1]
        return (texts or numbers) and types.widens(old, new)

    def narrows(self, old: exp.DataType, new: exp.DataType) -> bool:
        """A number gets fewer digits where all values have no more; a text is never made shorter."""
        return old.this is T.DECIMAL and new.this is T.DECIMAL

    def move_table(self, at: Address, target: Address) -> list[Piece]:
        renamed = self.alter(at, exp.AlterRename(this=self.dialect.table(target)))
        return self.when(f"Once: {at.schema}.{at.name} becomes {target.schema}.{target.name}.", self.exists(at, target), renamed)

    def drop_key(self, at: Address) -> list[Piece]:
        """Snowflake does not enforce a key, and knows no IF EXISTS for it; tools that read the catalog believe it."""
        text = "SELECT COUNT(*) FROM x AS c WHERE c.table_schema = '$schema' AND c.table_name = '$table'"
        place = exp.Table(
            this=exp.to_identifier("TABLE_CONSTRAINTS"), db=exp.to_identifier("INFORMATION_SCHEMA"),
            catalog=self.dialect.environment_name(at.database) if at.database else None,
            alias=exp.TableAlias(this=exp.to_identifier("c")),
        )  # fmt: skip
        declared = self.dialect.catalog_query(f"{text} AND c.constraint_type = 'PRIMARY KEY'", self.dialect.stored(at), place)
        drop = self.dialect.shell("drop_key.sql.j2", {"table": self.dialect.path(at)})
        return self.when("The key that is declared does not hold any more.", declared, drop)
