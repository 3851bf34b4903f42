"""`adopt:` of a snapshot as written → as meant: which column of the other tool's table is which here."""

from __future__ import annotations

import dataclasses

from sqlglot import exp

from c360gen.diagnostics import Diagnostics, Span
from c360gen.project.columns import find, named
from c360gen.project.nodes import Adoption, Column, Snapshot, Source
from c360gen.project.references import Known, reference
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import types

SQLMESH = {"dbt_valid_from": "valid_from", "dbt_valid_to": "valid_to"}
"""What SQLMesh calls the columns that it has; dbt's are called as the keys of snapshot_meta_column_names."""


def adopting(located: Located[spec.Snapshot], node: Snapshot, known: Known, diagnostics: Diagnostics) -> Snapshot:
    """The node with the table that it adopts, or with a diagnostic for what cannot be read as its history."""
    given = located.spec.adopt
    if given is None:
        return node
    before = len(diagnostics.found)
    if node.feed is not None:
        help = "a feed tells its own past: adopt with strategy: timestamp or check, or omit adopt:"
        diagnostics.error("C401", f"adopt means nothing with strategy: {node.strategy}", located.key_span("adopt"), help)
        return node
    id_ = reference(given.relation, located.span("adopt", "relation"), known, diagnostics)
    if id_ is None:
        return node
    if not id_.startswith("source:"):
        help = "declare that table, with its columns, under sources:"
        diagnostics.error("C104", f"{given.relation} is not a source", located.span("adopt", "relation"), help)
        return node
    source = known.sources[id_.removeprefix("source:")]
    there = _There(located, given, source, diagnostics)
    adopts = Adoption(
        source.name, there.columns(node), *there.interval(), *there.extras(),
        given.dbt_valid_to_current, given.repair,
    )  # fmt: skip
    return node if len(diagnostics.found) > before else dataclasses.replace(node, adopts=adopts)


class _There:
    """The columns of the other table, found by name and refused where they are of another kind."""

    def __init__(self, located: Located[spec.Snapshot], given: spec.Adopt, source: Source, diagnostics: Diagnostics):
        self.located, self.given, self.source, self.diagnostics = located, given, source, diagnostics
        self.by_name = {c.name: c for c in source.columns}

    def columns(self, node: Snapshot) -> dict[str, Column | None]:
        """By the name here: the column there that has its values, or None."""
        own = {node.valid_from, node.valid_to, node.is_deleted, node.row_id, node.row_time}
        recorded = {c.name: c for c in node.columns if c.name not in own}
        renamed: dict[str, str | None] = {}
        for key, value in self.given.columns.items():
            at = self.located.key_span("adopt", "columns", key)
            renamed[find(key, recorded, f"adopt: {node.name}", at, self.diagnostics)] = value
        found: dict[str, Column | None] = {}
        for name, here in recorded.items():
            given = renamed.get(name, name)
            at = self.located.span("adopt", "columns", name) if name in renamed else self.located.span("adopt", "relation")
            if given is None:
                if name in node.key:
                    self.diagnostics.error("C401", f"adopt: {name} is a part of the key and cannot be NULL", at)
                elif name == node.updated_at and node.strategy == "timestamp" and node.policies.on_null_updated_at != "as_of":
                    help = "say on_null_updated_at: as_of, or strategy: check"
                    self.diagnostics.error("C401", f"adopt: {name} is never NULL here", at, help)
                found[name] = None
                continue
            column = self._find(given, at, f"say columns: {{{name}: …}} with its name there, or null where it has none")
            if column is not None and not _fits(column.type, here.type):
                both = f"{_shown(column.type)} in {self.source.name} and {_shown(here.type)} here"
                message = f"adopt: {column.name} is {both}: values could change"
                self.diagnostics.error("C401", message, at, "adopt with the type that it has there; widen it afterwards, with a migration")
            found[name] = column
        return found

    def interval(self) -> tuple[Column, Column]:
        return self._time("dbt_valid_from"), self._time("dbt_valid_to")

    def extras(self) -> tuple[Column | None, Column | None, Column | None]:
        """dbt's other columns, where the table has them: the mark of a deletion, the hash, the time once more."""
        mark = self._extra("dbt_is_deleted")
        if mark is not None and mark.type not in (types.BOOLEAN, types.TEXT):
            at = self.located.span("adopt", "relation")
            self.diagnostics.error("C401", f"adopt: {mark.name} is {_shown(mark.type)}, not a boolean or True and False as text", at)
        return mark, self._extra("dbt_scd_id"), self._extra("dbt_updated_at")

    def _time(self, key: str) -> Column:
        name = getattr(self.given.snapshot_meta_column_names, key) or self._usual(key) or key
        at = self.located.span("adopt", "snapshot_meta_column_names", key)
        column = self._find(name, at, f"say snapshot_meta_column_names: {{{key}: …}}")
        if column is not None and (column.type is None or column.type.this not in types.TIMES):
            self.diagnostics.error("C401", f"adopt: {column.name} is {_shown(column.type)}, not a time", at)
        return column or Column(name, types.TIMESTAMPTZ)

    def _extra(self, key: str) -> Column | None:
        chosen = getattr(self.given.snapshot_meta_column_names, key)
        if chosen is not None:
            return self._find(chosen, self.located.span("adopt", "snapshot_meta_column_names", key), None)
        return self.by_name.get(self._usual(key) or "")

    def _usual(self, key: str) -> str | None:
        return key if self.given.made_by == "dbt" else SQLMESH.get(key)

    def _find(self, name: str, at: Span, help: str | None) -> Column | None:
        found = self.by_name.get(named(name, self.by_name))
        if found is None:
            self.diagnostics.error("C205", f"adopt: {self.source.name} has no column {name}", at, help)
        return found


def _fits(there: exp.DataType | None, here: exp.DataType | None) -> bool:
    return there is not None and here is not None and (there == here or types.widens(there, here))


def _shown(type_: exp.DataType | None) -> str:
    return types.text(type_) if type_ is not None else "of an unknown type"
