"""What an import has in hand: the project that it reads, and the files and notes that it makes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from c360gen.importers import Note, Verdict
from c360gen.importers.dbt import names, sql
from c360gen.importers.dbt.artifacts import Catalog, Exposure, Manifest, Node, Source
from c360gen.project.columns import fold
from c360gen.spec.yaml import UNREADABLE

Tell = Callable[[Verdict, str, str], None]
"""(verdict, the word in dbt's files, why)."""
_DIALECTS = {"postgres": "postgres", "redshift": "postgres", "snowflake": "snowflake", "bigquery": "bigquery", "duckdb": "duckdb"}
_STORED = ("model", "seed", "snapshot")
_COMMENT = re.compile(r"(^|\s)(--|#).*$")


@dataclass(frozen=True)
class Files:
    """Those of the dbt project, each read once."""

    root: Path
    """The folder of dbt_project.yml."""
    _lines: dict[str, list[str]] = field(default_factory=dict)
    _vars: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def lines(self, path: str) -> list[str]:
        if path not in self._lines:
            try:
                self._lines[path] = (self.root / path).read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError):
                self._lines[path] = []
        return self._lines[path]

    def vars(self, path: str) -> Mapping[str, Any]:
        """What a dbt_project.yml says under vars:."""
        if path not in self._vars:
            try:
                said = yaml.safe_load("\n".join(self.lines(path)))
            except UNREADABLE:
                said = None
            given = said.get("vars") if isinstance(said, Mapping) else None
            self._vars[path] = given if isinstance(given, Mapping) else {}
        return self._vars[path]


@dataclass
class Work:
    dbt: Files
    manifest: Manifest
    catalog: Catalog
    full_refresh: Manifest | None = None
    """What `dbt compile --full-refresh` has left, where somebody has asked for it."""
    untyped: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Columns whose types the build asks for, by the name of their node."""
    nameless: Collection[str] = ()
    """Tests whose columns have no names, or one name twice."""
    notes: set[Note] = field(default_factory=set)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By file below specs/, by section."""
    files: dict[str, bytes] = field(default_factory=dict)
    """SQL and CSV, by path below specs/."""
    variables: dict[str, Any] = field(default_factory=dict)
    """The values of vars that SQL asks for, one for the whole project."""

    def add(self, path: str, section: str, item: Any) -> None:
        self.sections.setdefault(path, {}).setdefault(section, []).append(item)

    # --- notes and where they belong ------------------------------------------------------------------------------------

    def note(self, verdict: Verdict, path: str, what: str, why: str, *words: str) -> None:
        """`words`: what to look for in the file, behind the name of the thing."""
        self.notes.add(Note(verdict, self._place(path, what, *words), what, why))

    def teller(self, node: Node) -> Tell:
        """Notes about settings of a node, which its own file, that of its properties or the project's may say."""
        properties = (node.patch_path or "").partition("://")[2]
        around = [node.name]
        if node.test_metadata is not None and (tested := self.manifest.nodes.get(node.attached_node or "")):
            properties = node.original_file_path
            around = [tested.name, *([node.column_name] if node.column_name else []), node.test_metadata.name]

        def tell(verdict: Verdict, word: str, why: str) -> None:
            spellings = dict.fromkeys((word, word.replace("_", "-"), word.replace("-", "_")))
            for path in dict.fromkeys(filter(None, (node.original_file_path, properties, "dbt_project.yml"))):
                if said := next((s for s in spellings if s and self._line(path, s, 0) is not None), None):
                    where = self._place(path, *(around if path == properties else []), said)
                    self.notes.add(Note(verdict, where, node.name, why))
                    return
            path = properties if node.test_metadata is not None else node.original_file_path
            self.notes.add(Note(verdict, self._place(path, *around), node.name, why))

        return tell

    def _place(self, path: str, *words: str) -> str:
        """models/marts.yml:14, where the words stand one behind the other; without a line where none does."""
        at: int | None = None
        for word in words:
            found = self._line(path, word, at or 0)
            at = at if found is None else found
        return path if at is None else f"{path}:{at + 1}"

    def _line(self, path: str, word: str, begin: int) -> int | None:
        """The first line from there on that has the word, outside of comments."""
        whole = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        lines = self.dbt.lines(path)
        return next((i for i in range(begin, len(lines)) if whole.search(_COMMENT.sub("", lines[i]))), None)

    # --- names ----------------------------------------------------------------------------------------------------------

    @property
    def dialect(self) -> str:
        """That of the SQL; of an adapter that is no target here, Postgres's."""
        return _DIALECTS.get(self.adapter, "postgres")

    @property
    def adapter(self) -> str:
        return str(self.manifest.metadata.adapter_type)

    @cached_property
    def usual_database(self) -> str | None:
        """That of the target: the one in which most nodes are."""
        found = [n.database for n in self.manifest.nodes.values() if n.resource_type in _STORED and n.database]
        return max(sorted(set(found)), key=found.count) if found else None

    @cached_property
    def usual_schema(self) -> str:
        """That of nodes which name none: the schema of dbt's target."""
        found = [n.schema_ for n in self.manifest.nodes.values() if n.resource_type in _STORED and not n.config.get("schema")]
        return names.plain(self.name(max(sorted(set(found)), key=found.count))) if found else "analytics"

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

    @cached_property
    def names(self) -> names.Names:
        return names.of(self.manifest)

    def called(self, id_: str) -> str | None:
        """ref('…') or source('…', '…')."""
        if source := self.manifest.sources.get(id_):
            return f"source('{self.names.sources[id_]}', '{source.name}')"
        return f"ref('{self.names.nodes[id_]}')" if id_ in self.names.nodes else None

    def around(self, node: Node) -> sql.Around:
        """What its SQL is read with."""

        def ref(package: str, name: str, version: str) -> str | None:
            id_ = names.referred(node, self.manifest, package, name, version)
            return self.called(id_) if id_ else None

        def source(source_name: str, table: str) -> str | None:
            found = names.table(self.manifest, source_name, table, node.package_name)
            return self.called(found.unique_id) if found else None

        relations, ephemeral = {}, {}
        for id_ in (*node.depends_on.nodes, node.unique_id):
            there = self.manifest.nodes.get(id_) or self.manifest.sources.get(id_)
            said = "this" if id_ == node.unique_id else self.called(id_)
            if there is not None and there.relation_name and said:
                relations[there.relation_name] = said
        for cte in node.extra_ctes:
            if (model := self.manifest.nodes.get(cte.id)) and (said := self.called(cte.id)):
                ephemeral[f"__dbt__cte__{model.alias or model.name}"] = said
        return sql.Around(ref, source, relations, ephemeral, self.variables_of(node))

    def variables_of(self, node: Node) -> dict[str, Any]:
        """The vars that it sees: the project's for its package, the project's for all, those of the package itself."""
        found: dict[str, Any] = {}
        folders = (f"dbt_packages/{node.package_name}/", f"dbt_modules/{node.package_name}/", "")
        for given in (self.dbt.vars(f"{folder}dbt_project.yml") for folder in folders):
            own = given.get(node.package_name)
            found |= dict(given) | (dict(own) if isinstance(own, Mapping) else {})
        return {k: v for k, v in found.items() if _plain(v)}

    @cached_property
    def by_relation(self) -> Mapping[str, str]:
        """What a relation is called in the database → ref('…') or source('…', '…')."""
        everything: list[Node | Source] = [*self.manifest.nodes.values(), *self.manifest.sources.values()]
        return {r.relation_name: said for r in everything if r.relation_name and (said := self.called(r.unique_id))}

    @cached_property
    def readers(self) -> Mapping[str, list[str]]:
        """The ids of the nodes that read one."""
        found: dict[str, list[str]] = {}
        for node in self.manifest.nodes.values():
            for id_ in node.depends_on.nodes:
                found.setdefault(id_, []).append(node.unique_id)
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
        sources = {id_: self.manifest.sources[id_] for id_ in test.depends_on.nodes if id_ in self.manifest.sources}
        said = [id_ for id_, s in sources.items() if f"source('{s.source_name}', '{s.name}')" in model.replace('"', "'")]
        return said[0] if said else next(iter(test.depends_on.nodes), "")


def _plain(value: Any) -> bool:
    """What a var may be here: a value without a template, or a list of them."""
    values = value if isinstance(value, list) else [value]
    return all(isinstance(v, str | int | float | bool) and "{{" not in str(v) for v in values)
