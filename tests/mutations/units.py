"""The generated texts that are mutated: every run of every case, tables, and the control schema."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from c360gen.emit.files import File
from c360gen.pipeline import build, load_project
from tests.conftest import CASES
from tests.statements import Statement, statements

COMMENT = re.compile(r"--[^\n]*")
OWN = ("valid_from", "valid_to", "opened_run_id", "closed_run_id")
"""Columns that every history has, under the names that most cases leave them."""
LISTS = re.compile(r"\b(?:\w\.)?(?:KEY|COL)(?: = s\.COL)?(?:, (?:\w\.)?(?:KEY|COL)(?: = s\.COL)?)*\b")
"""Lists of columns, which are as long as the table is wide."""
CONTROL = re.compile(r"c360_control\.(run_log|state|watermark|windows|window_log|lock_)")
STRING = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True)
class Unit:
    """One generated file of one case in one dialect."""

    dialect: str
    case: str
    kind: str
    """run, table or control."""
    path: str
    text: str
    node: str = ""
    resource: str = ""
    """snapshot or model."""
    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Columns of the node → types."""
    key: tuple[str, ...] = ()

    @functools.cached_property
    def code(self) -> str:
        """The text with comments and messages blanked, so that nothing is found in them; places are those of the text."""
        found = COMMENT.sub(lambda m: " " * len(m[0]), self.text)
        # A string with a blank in it is prose; one without decides something.
        return STRING.sub(lambda m: "'" + " " * (len(m[0]) - 2) + "'" if " " in m[0] else m[0], found)

    @functools.cached_property
    def statements(self) -> Sequence[Statement]:
        return statements(self.text)

    def step(self, at: int) -> str:
        """The comment above a place: which step of the program it belongs to."""
        comments = [m for m in COMMENT.finditer(self.text, 0, at) if not self.text[: m.start()].rpartition("\n")[2].strip()]
        found = self.neutral(comments[-1][0], self._addresses) if comments else ""
        return re.sub(r"\b\w+\.\w+(?= must be there)", "SOURCE", found)

    def neutral(self, text: str, names: re.Pattern[str] | None = None) -> str:
        """The same text in every case: without the names of the node and of its columns."""
        text = re.sub(r"'[0-9a-f]{64}'|sha256\S* .*", "HASH", " ".join(text.split()))
        if names is None:
            names = self._addresses if CONTROL.search(text) else self._names  # "status" is the run log's, whatever the node has
        return LISTS.sub("COL…", re.sub(r'"(KEY|COL)"', r"\1", names.sub(lambda m: self._words[m[0]], text)))

    @functools.cached_property
    def _words(self) -> Mapping[str, str]:
        found = {name: "KEY" if name in self.key else "COL" for name in self.columns if name not in OWN}
        return found | ({self.table: "TABLE", f"_{self.node}": "_NODE"} if self.node else {})

    @functools.cached_property
    def _names(self) -> re.Pattern[str]:
        return _any_of(self._words)

    @functools.cached_property
    def _addresses(self) -> re.Pattern[str]:
        """Those that are no English words, for comments: a column may be called "at"."""
        return _any_of([word for word in self._words if "_" in word or "." in word])


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """Each as a whole word, and not as the alias before a dot: a column may be called "b"."""
    longest_first = sorted(words, key=len, reverse=True)
    patterns = (rf"{re.escape(w)}\b" if w.startswith("_") else rf"(?<!c360_control\.)\b{re.escape(w)}\b(?!\.)" for w in longest_first)
    return re.compile("|".join(patterns) or r"(?!)")


@functools.cache
def cases() -> Sequence[str]:
    """Those with a scenario, of the faults, and of invented feeds. Not the hostile ones: there a name, or a text, may look like code."""
    found = [p.parent.name for p in sorted(CASES.glob("*/scenario.yml"))]
    return [c for c in found if not c.startswith("hostile_")] + ["kinds", "feed_kinds", "feeds"]


@functools.cache
def files(case: str, dialect: str) -> Sequence[File]:
    return build(load_project(folder(case)), dialect).files


def folder(case: str) -> Path:
    return CASES / case / "specs"


def units(dialect: str, of: Iterable[str]) -> Iterator[Unit]:
    """Every text of a dialect and of some cases that is mutated."""
    for case in of:
        yield from units_of(files(case, dialect), case)


def units_of(made: Sequence[File], case: str = "") -> Iterator[Unit]:
    """The texts of a build that are mutated."""
    found = {f.path: f.text for f in made}
    manifest: dict[str, Any] = json.loads(found["manifest.json"])
    dialect = str(manifest["dialect"])
    for node in manifest["nodes"]:
        about: dict[str, Any] = {
            "node": node["name"], "resource": node["resource_type"], "table": f"{node['schema']}.{node['identifier']}",
            "columns": {c["name"]: c["data_type"] for c in node["columns"]}, "key": tuple(node["key"]),
        }  # fmt: skip
        for folder_ in ("procedures", "scripts"):
            path = f"{folder_}/run_{node['name']}.sql"
            if path in found:
                yield Unit(dialect, case, "run", path, found[path], **about)
        path = f"tables/{node['name']}.sql"
        if path in found and dialect in ("postgres", "duckdb"):
            yield Unit(dialect, case, "table", path, found[path], **about)
    if dialect in ("postgres", "duckdb"):
        yield Unit(dialect, case, "control", "control.sql", found["control.sql"])
