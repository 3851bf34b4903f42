"""Operations on lasting objects that hold data: what a migration does to them, and what is released."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from c360gen.ops.schema import ColumnDef
from c360gen.terms.symbols import Kind

How = Literal["keep", "rename", "retire", "restore", "add", "drop", "convert", "copy", "swap_back", "narrow"]
"""What happens to a column. convert: its type changes where it stands; copy: a column of the new type is filled, checked and swapped
in, and the old one stays under its retired name; swap_back: the reverse, where what came since is cast to the old type; narrow: the
reverse of convert where the engine only widens: a column of the old type is filled and checked, and takes the other's place."""


@dataclass(frozen=True)
class Migration:
    """One migration as the ledger of a database knows it."""

    number: int
    name: str
    checksum: str


@dataclass(frozen=True)
class Stored:
    """A table that holds data, with everything that physically is in it."""

    node: str
    kind: Kind
    schema: str
    """Without the prefix of a target."""
    name: str
    columns: tuple[ColumnDef, ...]
    primary_key: tuple[str, ...] = ()
    ordered: tuple[tuple[str, str], ...] = ()
    indexes: tuple[tuple[str, str], ...] = ()
    """(name, definition), the definition only to be compared."""
    constraints: tuple[tuple[str, str], ...] = ()
    """(name, as the engine declares it) of what the spec says must hold, where the engine enforces it."""
    clustered: tuple[str, ...] = ()
    """Columns by which an engine stores the rows: partition and clusters."""

    def column(self, name: str) -> ColumnDef:
        return next(c for c in self.columns if c.name == name)

    def has(self, name: str) -> bool:
        return any(c.name == name for c in self.columns)


@dataclass(frozen=True)
class Retired:
    """What migrations have retired, as a database needs it that was empty until now: a whole table, or columns of one that is there."""

    table: Stored
    whole: bool


@dataclass(frozen=True)
class Release:
    """The state that deploy.sql leads to: its identity, the migrations that it contains, and what they have retired."""

    identity: str
    migrations: tuple[Migration, ...] = ()
    retired: tuple[Retired, ...] = ()


@dataclass(frozen=True)
class Move:
    """One column of a table, before and after."""

    how: How
    before: ColumnDef | None = None
    after: ColumnDef | None = None
    retired: str | None = None
    """retire, copy: the name under which the old column stays; restore: the name under which it was kept."""
    fill: exp.Expr | None = None
    """add: the constant of every row that is there already."""
    lossless: bool = True
    """convert, copy: whether every value of the old type is one of the new."""


@dataclass(frozen=True)
class AlterTable:
    """A table from one state to another; rows and values stay."""

    before: Stored
    after: Stored
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class RetireTable:
    """A table that nothing fills any more: it keeps its rows under another name."""

    before: Stored
    name: str


@dataclass(frozen=True)
class RestoreTable:
    """The reverse of RetireTable."""

    after: Stored
    name: str
    if_kept: bool = False
    """Whether there may be no such table: only a rollback has made one."""


@dataclass(frozen=True)
class DropTable:
    schema: str
    name: str


@dataclass(frozen=True)
class DropLock:
    """The lock table of a node, where it has one."""

    node: str


@dataclass(frozen=True)
class Relabel:
    """The log, the state and the watermark of a node under its new name."""

    before: str
    after: str


@dataclass(frozen=True)
class ForgetWindows:
    """Every window of a microbatch is due again."""

    label: str


@dataclass(frozen=True)
class SetWatermark:
    """Up to where the next run takes its source for read: what `value` finds in the table, or nothing: it reads everything."""

    label: str
    value: exp.Select | None = None


@dataclass(frozen=True)
class ForgetSeed:
    """The rows of a seed are loaded again by the next deploy, whatever was loaded last under this name."""

    label: str


@dataclass(frozen=True)
class ChangeRows:
    """Rows of a table in its new shape: an UPDATE, INSERT or DELETE over symbols, in the words of all engines."""

    because: str
    statement: exp.Insert | exp.Update | exp.Delete
    until: str | None = None
    """A column that goes afterwards: without it this is done already."""


@dataclass(frozen=True)
class MustBeZero:
    """A number that must be zero now; another one fails, and says this."""

    because: str
    query: exp.Select
    message: str


@dataclass(frozen=True)
class MustBeFilled:
    """A column without NULL, or it cannot be what it was: it fails, and says what to do."""

    table: Stored
    name: str
    message: str


@dataclass(frozen=True)
class KeepRows:
    """A copy of some rows of a table, made before they leave it: a table of its own, schema.name, as they are."""

    because: str
    schema: str
    name: str
    columns: tuple[ColumnDef, ...]
    query: exp.Select


ChangeOp = (
    AlterTable | RetireTable | RestoreTable | DropTable | DropLock | Relabel | ForgetWindows | SetWatermark | ForgetSeed
    | ChangeRows | MustBeZero | KeepRows
)  # fmt: skip


def place(schema: str, name: str, alias: str | None = None) -> exp.Table:
    """A table of ours by where it is, without the prefix of a target: what is retired has no symbol."""
    made = exp.Table(this=exp.to_identifier(name, quoted=True), db=exp.to_identifier(schema, quoted=True))
    if alias:
        made.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    made.meta["place"] = True
    return made


@dataclass(frozen=True)
class Routine:
    """A procedure or function as the engine addresses it: schema.name and the types of its arguments."""

    kind: Literal["PROCEDURE", "FUNCTION"]
    path: str
    arguments: str


@dataclass(frozen=True)
class Replaced:
    """A view or a routine that is dropped and made anew: as it is addressed before and after, a routine with its arguments."""

    kind: Literal["TABLE", "ROUTINE"]
    was: str
    now: str
