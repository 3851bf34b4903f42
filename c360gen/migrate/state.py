"""What is released: the shape of one target as released.json keeps it, deterministic and readable in a diff."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlglot import exp

from c360gen.ops.change import Migration, Release, Retired, Routine, Stored
from c360gen.ops.schema import ColumnDef
from c360gen.terms import types

VERSION = 1
FILE = "released.json"
FOLDER = "migrations"
ONE_BRANCH = "take one branch's file and migrations, and migrate again what the other changed"
STORED = ("snapshot", "incremental", "table", "seed")
"""Kinds of nodes that have rows."""


class BadState(Exception):
    """released.json cannot be read; the message says why."""


@dataclass(frozen=True)
class NodeState:
    """What a node means: the facts whose change changes its table, its history, or what readers see."""

    name: str
    kind: str
    strategy: str
    schema: str
    identifier: str
    columns: Mapping[str, str]
    """What readers see: name → canonical type, in order; views too."""
    facts: Mapping[str, Any]
    """Key, tracked columns, interval and so on; see describe.py."""
    tables: tuple[Stored, ...] = ()

    def table(self, kind: str) -> Stored | None:
        return next((t for t in self.tables if t.kind == kind), None)

    @property
    def label(self) -> str:
        return f"{self.schema}.{self.identifier}"

    @property
    def interval(self) -> Mapping[str, str]:
        """Of a history: from, to, is_deleted, row_id, row_time → what the column is called."""
        found: Mapping[str, str] = self.facts.get("interval") or {}
        return found

    @property
    def views(self) -> tuple[str, ...]:
        """Its own, and what stands around it."""
        return tuple(self.facts.get("views", ()))

    @property
    def reads(self) -> tuple[str, ...]:
        """The nodes that it reads, by name."""
        return tuple(r.removeprefix("ref:") for r in self.facts.get("reads", ()) if r.startswith("ref:"))

    @property
    def beside(self) -> tuple[str, ...]:
        """Of its views those that show its rows beside a snapshot: they read both."""
        return tuple(v for v in self.views if v != self.identifier) if self.facts.get("beside") else ()

    @property
    def shown_beside(self) -> tuple[tuple[str, str], ...] | None:
        """(name, type) of what those views take from snapshots; None where an older c360gen has not written it down."""
        found = self.facts.get("shown_beside")
        return tuple(found.items()) if found is not None else None if self.beside else ()


@dataclass(frozen=True)
class RetiredColumn:
    """A column that is kept under another name; `copied` tells that its values live on in a column of another type."""

    schema: str
    table: str
    name: str
    type: exp.DataType
    was: str
    migration: int
    copied: bool = False

    @property
    def path(self) -> str:
        return f"{self.schema}.{self.table}.{self.name}"


@dataclass(frozen=True)
class RetiredTable:
    """A table that is kept under another name."""

    schema: str
    name: str
    was: str
    migration: int
    columns: tuple[ColumnDef, ...] = ()
    """Those that it had while it was in use; none where an older c360gen has retired it."""
    primary_key: tuple[str, ...] = ()
    ordered: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def stored(self) -> Stored:
        return Stored("", "ref", self.schema, self.name, self.columns, self.primary_key, self.ordered)


@dataclass(frozen=True)
class State:
    """One target at one moment: of the specs, or as released."""

    target: str
    dialect: str
    shape: str
    control: str
    nodes: Mapping[str, NodeState]
    routines: tuple[Routine, ...] = ()
    sections: Mapping[str, str] = field(default_factory=dict)
    """The hash of every section of deploy.sql, in its order."""
    exposures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    retired_columns: tuple[RetiredColumn, ...] = ()
    retired_tables: tuple[RetiredTable, ...] = ()
    migrations: tuple[Migration, ...] = ()

    @property
    def number(self) -> int:
        """Of the last migration; 0 before the baseline."""
        return self.migrations[-1].number if self.migrations else 0

    @property
    def identity(self) -> str:
        return identity(self.shape, self.number)

    @property
    def release(self) -> Release:
        return Release(self.identity, self.migrations, tuple(_retired(self)))


def with_migrations(state: State, migrations: tuple[Migration, ...]) -> State:
    return replace(state, migrations=migrations)


def identity(shape: str, number: int) -> str:
    """The name of a released state in a database. The baseline's is the shape itself, so that what was deployed before it fits;
    later ones differ even where the shape does not: a migration may only move rows."""
    if number <= 1:
        return shape
    return hashlib.sha256(f"{shape}\n{number}".encode()).hexdigest()


def _retired(state: State) -> Iterable[Retired]:
    """Tables first, then the columns of all of them."""
    tables = [t.stored for t in state.retired_tables if t.columns]
    yield from (Retired(t, True) for t in tables)
    for table in (*(t for n in state.nodes.values() for t in n.tables), *tables):
        if columns := tuple(ColumnDef(c.name, c.type) for c in retired_of(state, table) if not table.has(c.name)):
            yield Retired(replace(table, columns=columns), False)


def retired_of(state: State, table: Stored) -> list[RetiredColumn]:
    return [c for c in state.retired_columns if (c.schema, c.table) == (table.schema, table.name)]


# --- text ----------------------------------------------------------------------------------------------------------------


def text(state: State) -> str:
    content = {
        "version": VERSION, "target": state.target, "dialect": state.dialect, "shape": state.shape, "control_schema": state.control,
        "migrations": [{"number": m.number, "name": m.name, "checksum": m.checksum} for m in state.migrations],
        "nodes": {name: _node(node) for name, node in sorted(state.nodes.items())},
        "retired_columns": [
            {"column": [c.schema, c.table, c.name], "type": types.text(c.type), "was": c.was, "migration": c.migration,
             **({"copied": True} if c.copied else {})}
            for c in state.retired_columns
        ],
        "retired_tables": [
            {"table": [t.schema, t.name], "was": t.was, "migration": t.migration,
             **({"columns": _columns(t.columns), "primary_key": list(t.primary_key), "ordered": [list(p) for p in t.ordered]}
                if t.columns else {})}
            for t in state.retired_tables
        ],
        "exposures": {name: list(ids) for name, ids in sorted(state.exposures.items())},
        "routines": [f"{r.kind} {r.path}({r.arguments})" for r in state.routines],
        "sections": dict(state.sections),
    }  # fmt: skip
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _node(node: NodeState) -> dict[str, Any]:
    return {
        "kind": node.kind, "strategy": node.strategy, "relation": [node.schema, node.identifier],
        **{k: node.facts[k] for k in FACTS if k in node.facts},
        "columns": dict(node.columns), **({"tables": {t.kind: _table(t) for t in node.tables}} if node.tables else {}),
    }  # fmt: skip


def _table(table: Stored) -> dict[str, Any]:
    return {
        "table": [table.schema, table.name],
        "columns": _columns(table.columns),
        "primary_key": list(table.primary_key), "ordered": [list(pair) for pair in table.ordered], "indexes": dict(table.indexes),
        **({"constraints": dict(table.constraints)} if table.constraints else {}),
        "clustered": list(table.clustered),
    }  # fmt: skip


def _columns(columns: Iterable[ColumnDef]) -> dict[str, str]:
    return {c.name: types.text(c.type) + (" not null" if c.not_null else "") for c in columns}


def parse(raw: str) -> State:
    """The text of a released.json → State. Raise BadState."""
    if any(line.startswith(("<<<<<<< ", ">>>>>>> ")) for line in raw.splitlines()):
        raise BadState(f"a merge has left its conflict markers in it: {ONE_BRANCH}")
    try:
        found = json.loads(raw)
        if found.get("version") != VERSION:
            raise BadState(f"it has version {found.get('version')}, this c360gen reads version {VERSION}")
        numbers = [m["number"] for m in found["migrations"]]
        if twice := next((n for n in numbers if numbers.count(n) > 1), None):
            names = " and ".join(m["name"] for m in found["migrations"] if m["number"] == twice)
            raise BadState(f"{names} are both migration {twice}: {ONE_BRANCH}")
        return State(
            target=found["target"], dialect=found["dialect"], shape=found["shape"], control=found["control_schema"],
            nodes={name: _read_node(name, node) for name, node in found["nodes"].items()},
            routines=tuple(_read_routine(r) for r in found["routines"]), sections=found["sections"],
            exposures={name: tuple(ids) for name, ids in found["exposures"].items()},
            retired_columns=tuple(
                RetiredColumn(c["column"][0], c["column"][1], c["column"][2], _read_type(c["type"]), c["was"], c["migration"],
                              c.get("copied", False))
                for c in found["retired_columns"]
            ),
            retired_tables=tuple(_read_retired(t) for t in found["retired_tables"]),
            migrations=tuple(Migration(m["number"], m["name"], m["checksum"]) for m in found["migrations"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadState(f"{type(error).__name__}: {error}") from None


FACTS = ("key", "nullable_key", "tracked", "overwritten", "detects", "compat", "updated_at", "hard_deletes", "interval", "open_until",
         "cursor", "version_column", "windows", "partition", "feed", "feed_cursor", "reads",
         "views", "functions", "beside", "shown_beside", "constraints", "erasure", "renamed", "was")  # fmt: skip


def _read_node(name: str, node: Mapping[str, Any]) -> NodeState:
    schema, identifier = node["relation"]
    return NodeState(
        name=name, kind=node["kind"], strategy=node["strategy"], schema=schema, identifier=identifier, columns=node["columns"],
        facts={k: node[k] for k in FACTS if k in node},
        tables=tuple(_read_table(name, kind, t) for kind, t in node.get("tables", {}).items()),
    )  # fmt: skip


def _read_table(node: str, kind: Any, table: Mapping[str, Any]) -> Stored:
    schema, name = table["table"]
    return Stored(
        node, kind, schema, name, tuple(_read_column(n, t) for n, t in table["columns"].items()), tuple(table["primary_key"]),
        tuple((a, b) for a, b in table["ordered"]), tuple(table["indexes"].items()),
        tuple(table.get("constraints", {}).items()), tuple(table["clustered"]),
    )  # fmt: skip


def _read_retired(table: Mapping[str, Any]) -> RetiredTable:
    schema, name = table["table"]
    return RetiredTable(
        schema, name, table["was"], table["migration"], tuple(_read_column(n, t) for n, t in table.get("columns", {}).items()),
        tuple(table.get("primary_key", ())), tuple((a, b) for a, b in table.get("ordered", ())),
    )  # fmt: skip


def _read_column(name: str, said: str) -> ColumnDef:
    kind, _, null = said.partition(" not null")
    return ColumnDef(name, _read_type(kind), said.endswith(" not null") and not null)


def _read_type(said: str) -> exp.DataType:
    if said == "uuid":
        return types.RUN_ID
    found = types.parse(said)
    if found is None:
        raise BadState(f"type {said} is not known")
    return found


def _read_routine(said: str) -> Routine:
    kind, _, rest = said.partition(" ")
    path, _, arguments = rest.partition("(")
    return Routine("PROCEDURE" if kind == "PROCEDURE" else "FUNCTION", path, arguments.removesuffix(")"))


def read(root: Path) -> State | None:
    """The released state of a target's folder; None while it is in development. Raise BadState."""
    at = root / FILE
    try:
        raw = at.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadState(f"{at.as_posix()}: {error}") from None
    try:
        return parse(raw)
    except BadState as bad:
        raise BadState(f"{at.as_posix()} cannot be read: {bad}") from None


def with_retired(state: State, table: Stored) -> Stored:
    """A table with the retired columns that physically are in it, all of them without NOT NULL."""
    kept = tuple(ColumnDef(c.name, c.type) for c in retired_of(state, table))
    return replace(table, columns=(*table.columns, *kept))
