"""What lies beside the output of a target: released.json, and the migrations that led there, which never change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from c360gen.diagnostics import Diagnostic, Span
from c360gen.emit.files import edited
from c360gen.migrate.checksum import checksum, holds
from c360gen.migrate.script import folder, states_of
from c360gen.migrate.state import FILE, FOLDER, State
from c360gen.ops.change import Migration


def baseline(name: str, shape: str) -> Migration:
    """The first migration: what deploy.sql makes of an empty database."""
    return Migration(1, name, checksum(f"baseline {shape}"))


def apply_path(migration: Migration) -> str:
    return f"{folder(migration.number, migration.name)}/apply.sql"


MERGED = (
    "two branches have migrated: take released.json and migrations/ of one of them as they are, and migrate again: the specs say what the "
    "other changed"
)


def altered(root: Path, state: State) -> list[Diagnostic]:
    """Released migrations whose files are missing or say something else now, or that do not lead from one to the next."""
    found = []
    last: tuple[str, str] | None = None
    for migration in state.migrations[1:]:
        at = root / apply_path(migration)
        try:
            text = at.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            found.append(Diagnostic("C606", f"{at.as_posix()} is missing: {FILE} says that it is released", None,
                                    "a released migration never goes: take it from version control"))  # fmt: skip
            continue
        if holds(text, migration.checksum) is False:
            help = "databases may have run it as it was: take it from version control, and put the change into a new migration"
            found.append(Diagnostic("C606", f"{at.as_posix()} was changed after its release", Span(at.as_posix()), help))
        if led := states_of(text):
            if last is not None and last[1] != led[0]:
                message = f"{at.as_posix()} does not begin where {last[0]} ends"
                found.append(Diagnostic("C606", message, Span(at.as_posix()), MERGED))
            last = at.as_posix(), led[1]
    if last is not None and not found and not state.identity.startswith(last[1]):
        found.append(Diagnostic("C606", f"{(root / FILE).as_posix()} is not the state that {last[0]} leads to", None, MERGED))
    return found


def strays(root: Path, state: State) -> list[Diagnostic]:
    """Migrations below root that are in no released state: another branch's, which nothing would ever carry out."""
    known = {folder(m.number, m.name) for m in state.migrations}
    there = sorted(p for p in (root / FOLDER).glob("[0-9][0-9][0-9][0-9]_*") if p.is_dir() and f"{FOLDER}/{p.name}" not in known)
    help = "two branches have migrated: delete it, and migrate again: the specs say what it changed, and it gets the next number"
    return [Diagnostic("C606", f"{p.as_posix()} is not in {FILE}, and no deploy will run it", None, help) for p in there]


def unsound(root: Path, state: State, wanted: State) -> list[Diagnostic]:
    """Sections that a way back needs, and that are missing below root or were edited there: rollback.sql would lack them, or hold that.

    Not compared with released.json: a build writes other words for the same shape without a migration, or leaves a job out.
    """
    ours = {f"{folder}/{n.name}.sql" for n in state.nodes.values() for folder in (("views",) if n.kind == "view" else ("tables", "views"))}
    found = []
    for path in state.sections:
        at = root / path
        try:
            text = at.read_text(encoding="utf-8")
        except FileNotFoundError:
            if path in wanted.sections or path in ours:
                message = f"{at.as_posix()} is missing, which {FILE} has released: the way back would lack it"
                found.append(Diagnostic("C606", message, None, "take it from version control"))
            continue
        except (OSError, UnicodeDecodeError) as error:
            found.append(Diagnostic("C606", f"{at.as_posix()} cannot be read: {error}", None, "take it from version control"))
            continue
        if edited(text):
            message = f"{at.as_posix()} was edited since it was built: the way back would hold that"
            found.append(Diagnostic("C606", message, Span(at.as_posix()), "take it from version control"))
    return found


def sections_on_disk(root: Path, state: State) -> Mapping[str, str]:
    """The texts of the released sections as they lie below root: what a rollback executes again."""
    found = {}
    for path in state.sections:
        try:
            text = (root / path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        header, _, body = text.partition("\n\n")
        found[path] = (body if header.startswith("-- c360gen | ") else text).rstrip("\n")
    return found


def unreleased(target: str, plan_steps: list[str], since: Migration, span: Span | None) -> Diagnostic:
    """The specs moved, and no migration says how a database follows."""
    count = len(plan_steps)
    shown = "; ".join(plan_steps[:3]) + ("; …" if count > 3 else "")
    what = f"{count} {'change' if count == 1 else 'changes'} since migration {since.number:04} {since.name}"
    help = f"c360gen plan --target {target} shows them, c360gen migrate --target {target} --name … writes the migration"
    return Diagnostic("C605", f"target {target} has {what} and no migration for them: {shown}", span, help)
