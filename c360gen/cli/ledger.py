"""What a database has run of a target's migrations, beside what is released."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from c360gen.cli import console, options

if TYPE_CHECKING:
    from c360gen.engines import Ledger, Session
    from c360gen.migrate.state import State
    from c360gen.ops.change import Migration
    from c360gen.pipeline import Build


def pending(ledger: Ledger, released: State) -> list[Migration]:
    """What a database still needs, or exit code 1; nothing where it is empty, since deploy.sql contains all of it."""
    if ledger.identity is None:
        return []
    by_number = {m.number: m for m in released.migrations}
    for number, checksum in ledger.applied.items():
        known = by_number.get(number)
        if known is None:
            message = f"the database has seen migration {number}, which these files do not know: they are older than it is"
            console.fail("C806", message, "deploy from the commit that has it, or one after it")
        if known.checksum != checksum and known.checksum.partition(":")[0] == checksum.partition(":")[0]:
            console.fail(
                "C806", f"migration {number:04} {known.name} is not the one that this database has run (ledger: {checksum[:14]}, file: "
                f"{known.checksum[:14]})", "two branches have numbered theirs alike: c360gen drift shows what the database holds",
            )  # fmt: skip
    last = max(ledger.applied, default=1)
    return [m for m in released.migrations if m.number > last]


def up_to_date(session: Session, made: Build, out: Path, database: str) -> None:
    """Exit code 1 where a migration is pending: files of one release do not fit the tables of another."""
    from c360gen import engines

    root = out / made.target_name
    released = options.released(root)
    if released is None:
        return
    try:
        found = session.ledger()
    except engines.EngineError:  # a role that may run need not see the ledger
        return
    if waiting := pending(found, released):
        at, wanted = max(found.applied, default=1), waiting[-1].number
        name = database if made.target.dialect == "duckdb" else "the database"  # a connection string may hold a password
        message = f"{name} is at {at:04}, {root.as_posix()} is at {wanted:04}: {console.counted(len(waiting), 'migration')} pending"
        console.fail("C806", message, f"`{options.to_type('deploy', '--target', made.target_name)}` brings it there")
