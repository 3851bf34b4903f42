"""Files on disk: written whole or not at all, pruned only where we own them, compared without touching anything."""

from __future__ import annotations

import difflib
import itertools
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from c360gen.emit.files import File


@dataclass(frozen=True)
class Difference:
    """One file that is not what the specs say."""

    path: str
    state: str
    """missing · stale · orphaned · hand-edited."""
    diff: str

    @property
    def line(self) -> int:
        """The first line on disk that differs; 1 where there is none to show."""
        hunk = re.search(r"^@@ -(\d+)", self.diff, re.M)
        if not hunk:
            return 1
        same = itertools.takewhile(lambda line: line.startswith(" "), self.diff[hunk.start() :].split("\n")[1:])
        return max(1, int(hunk[1]) + sum(1 for _ in same))


RELEASED = ("released.json", "migrations/", "flyway/V", "schemachange/V")
"""What migrations leave beside the output: it is not of one build, and never pruned."""


MANIFEST = "manifest.json"


def owned(root: Path, record: str = MANIFEST) -> set[str]:
    """The paths that the last build wrote below `root`, by its manifest; empty where there is none."""
    try:
        content = json.loads((root / record).read_text(encoding="utf-8"))
        return {str(f["path"]) for f in content["files"]} | {record}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def write(root: Path, files: Sequence[File], record: str = MANIFEST, ours: Callable[[Path], bool] = Path.is_file) -> tuple[int, int]:
    """Write what differs, remove what we wrote before and do not write now. Returns (changed, removed).

    Each file is replaced atomically; the manifest, or whatever else records the files, comes last, so that a crash leaves a state that
    `check` calls stale. What is recorded and is not `ours` any more stays.
    """
    before = owned(root, record)
    changed = 0
    for file in sorted(files, key=lambda f: f.path == record):
        changed += _replace(root / file.path, file.text)
    removed = 0
    for path in sorted(before - {f.path for f in files}):
        if _below(root, path) and ours(root / path):
            removed += 1
            (root / path).unlink()
            _remove_empty(root, (root / path).parent)
    return changed, removed


def compare(root: Path, files: Sequence[File]) -> list[Difference]:
    """What `write` would change, and files below `root` that nobody generated."""
    wanted = {f.path: f.text for f in files}
    hashes = _recorded(root)
    found = []
    for path, text in sorted(wanted.items()):
        at = root / path
        if not at.is_file():
            found.append(Difference(path, "missing", ""))
            continue
        there = at.read_bytes().decode("utf-8", errors="replace")
        if there != text:
            edited = path in hashes and File(path, there).sha256 != hashes[path]
            found.append(Difference(path, "hand-edited" if edited else "stale", _diff(path, there, text)))
    if root.is_dir():
        for at in sorted(p for p in root.rglob("*") if p.is_file()):
            path = at.relative_to(root).as_posix()
            if path not in wanted and not path.startswith(RELEASED):
                found.append(Difference(path, "orphaned", ""))
    return found


def _recorded(root: Path) -> dict[str, str]:
    try:
        content = json.loads((root / MANIFEST).read_text(encoding="utf-8"))
        return {str(f["path"]): str(f["sha256"]) for f in content["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _diff(path: str, there: str, wanted: str) -> str:
    lines = difflib.unified_diff(there.splitlines(), wanted.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=2)
    return "\n".join(lines)


def _below(root: Path, path: str) -> bool:
    """A manifest is a file that anybody can edit: never follow it out of its folder."""
    at = (root / path).resolve()
    return at.is_file() and root.resolve() in at.parents


def _replace(at: Path, text: str) -> int:
    raw = text.encode()
    try:
        if at.read_bytes() == raw:
            return 0
    except OSError:
        pass
    at.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=at.parent, prefix=".c360gen-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        os.chmod(temporary, 0o644)
        os.replace(temporary, at)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return 1


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
