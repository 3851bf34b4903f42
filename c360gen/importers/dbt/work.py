"""What an import has in hand: the project that it reads, and the files and notes that it makes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from c360gen.importers import Note, Verdict
from c360gen.importers.dbt.artifacts import Catalog, Exposure, Manifest, Node, Source
from c360gen.project.columns import fold

Tell = Callable[[Verdict, str, str], None]
"""(verdict, the word in dbt's files, why)."""
_DIALECTS = {"postgres": "postgres", "redshift": "postgres", "snowflake": "snowflake", "bigquery": "bigquery", "duckdb": "duckdb"}
_STORED = ("model", "seed", "snapshot")


@dataclass
class Work:
    root: Path
    """The folder of dbt_project.yml."""
    manifest: Manifest
    catalog: Catalog
    notes: set[Note] = field(default_factory=set)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By file below specs/, by section."""
    files: dict[str, bytes] = field(default_factory=dict)
    """SQL and CSV, by path below specs/."""
    variables: dict[str, bool] = field(default_factory=dict)
    """Every var() that SQL asks for → whether all of its calls have a default."""

    def add(self, path: str, section: str, item: Any) -> None:
        self.sections.setdefault(path, {}).setdefault(section, []).append(item)

    # --- notes and where they belong ------------------------------------------------------------------------------------

    def note(self, verdict: Verdict, path: str, what: str, why: str, *words: str) -> None:
        """`words`: what to look for in the file, behind the name of the thing."""
        self.notes.add(Note(verdict, self._place(path, what, *words), what, why))

    def teller(self, node: Node) -> Tell:
        """Notes about settings of a node, which its own file, that of its properties or the project's may say."""
        properties = (node.patch_path or "").partition("://")[2]

        def tell(verdict: Verdict, word: str, why: str) -> None:
            spellings = (word, word.replace("_", "-"), word.replace("-", "_"))
            for path in filter(None, (node.original_file_path, properties, "dbt_project.yml")):
                if said := next((s for s in spellings if any(s in line for line in self._lines(path))), None):
                    named = [node.name] if path == properties else []
                    self.notes.add(Note(verdict, self._place(path, *named, said), node.name, why))
                    return
            self.notes.add(Note(verdict, node.original_file_path, node.name, why))

        return tell

    def _place(self, path: str, *words: str) -> str:
        """models/marts.yml:14, where the words stand one behind the other; without a line where none does."""
        at = None
        lines = self._lines(path)
        for word in words:
            whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
            at = next((i for i in range(at or 0, len(lines)) if whole.search(lines[i])), at)
        return path if at is None else f"{path}:{at + 1}"

    def _lines(self, path: str) -> list[str]:
        try:
            return (self.root / path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []

    # --- names ----------------------------------------------------------------------------------------------------------

    @property
    def dialect(self) -> str:
        """That of the SQL; of an adapter that is no target here, Postgres's."""
        return _DIALECTS.get(self.adapter, "postgres")

    @property
    def adapter(self) -> str:
        return str(self.manifest.metadata.adapter_type)

    @cached_property
    def usual_schema(self) -> str:
        """That of nodes which name none: the schema of dbt's target."""
        found = [n.schema_ for n in self.manifest.nodes.values() if n.resource_type in _STORED and not n.config.get("schema")]
        return self.name(max(sorted(set(found)), key=found.count)) if found else "analytics"

    def name(self, value: str, quoted: bool = False) -> str:
        """How a name is spelled here: Snowflake knows unquoted names in upper case, however they are written."""
        return value if quoted or self.dialect != "snowflake" else fold(value, False)

    def column_name(self, there: str) -> tuple[str, bool]:
        """A name of the catalog → as specs say it, and whether with quote: true."""
        if self.dialect == "snowflake":
            return (fold(there, False), False) if there == there.upper() else (there, fold(there, False) != there)
        return (there, True) if self.dialect == "postgres" and fold(there, False) != there else (fold(there, False), False)

    def folder(self, item: Node | Source | Exposure) -> str:
        """models/staging/stg.sql → staging; snapshots, and packages, keep a folder of their own."""
        parts = item.original_file_path.split("/")[:-1]
        parts = parts[1:] if parts[:1] == ["models"] else parts
        own = item.package_name in ("", self.manifest.metadata.project_name)
        return "/".join(parts if own else ["packages", item.package_name, *parts])

    def file(self, node: Node) -> str:
        """The YAML beside the SQL of a node: called as the file of its properties where that lies there too, else as the folder."""
        folder, said = self.folder(node), (node.patch_path or "").partition("://")[2] or node.original_file_path
        if said.endswith((".yml", ".yaml")) and posixpath.dirname(said) == posixpath.dirname(node.original_file_path):
            return posixpath.join(folder, posixpath.splitext(posixpath.basename(said))[0] + ".yml")
        return posixpath.join(folder, (posixpath.basename(folder) or "models") + ".yml")

    # --- the graph ------------------------------------------------------------------------------------------------------

    def called(self, id_: str) -> str | None:
        """ref('…') or source('…', '…')."""
        if source := self.manifest.sources.get(id_):
            return f"source('{source.source_name}', '{source.name}')"
        node = self.manifest.nodes.get(id_)
        return f"ref('{node.name}')" if node else None

    def relations(self, node: Node) -> dict[str, str]:
        """How what a node reads is called in the database → in its SQL."""
        found: dict[str, str] = {}
        for id_ in (*node.depends_on.nodes, node.unique_id):
            there = self.manifest.nodes.get(id_) or self.manifest.sources.get(id_)
            said = "this" if id_ == node.unique_id else self.called(id_)
            if there is not None and there.relation_name and said:
                found[there.relation_name] = said
        return found

    def tests_of(self, id_: str) -> list[Node]:
        """The generic tests of a node or a source."""
        return self._tests.get(id_, [])

    @cached_property
    def _tests(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for test in sorted(self.manifest.nodes.values(), key=lambda n: n.unique_id):
            if test.resource_type == "test" and test.test_metadata is not None:
                found.setdefault(test.attached_node or self._tested_source(test), []).append(test)
        return found

    def _tested_source(self, test: Node) -> str:
        """dbt attaches no test to a source: what it tests stands in its arguments."""
        model = str(test.test_metadata.arguments.get("model")) if test.test_metadata else ""
        said = [id_ for id_ in test.depends_on.nodes if str(self.called(id_)) in model]
        return said[0] if said else next(iter(test.depends_on.nodes), "")
