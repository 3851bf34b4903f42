"""What rules look at: the specs as written and as meant, side by side, and what can be proven of their columns and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from c360gen.diagnostics import Span
from c360gen.project.nodes import Node, Snapshot, Source
from c360gen.project.query import place
from c360gen.project.resolved import Resolved
from c360gen.spec.load import Located, Specs
from c360gen.terms import symbols

Key = frozenset[str]

_MOVED = re.compile(
    r"(^|_)(updated?|modified|modification|changed?|edited|synced|touched|version|lsn|loaded|ingested|extracted)(_|$)", re.I
)
_CREATION = re.compile(
    r"(^|_)(created?|creation|inserted|insertion|added|signup|signed_up|registered|registration|joined|born|birth)(_|$)", re.I
)
_BUSINESS = re.compile(
    r"(^|_)(orders?|ordered|occurred|events?|transactions?|trade|invoiced?|payments?|paid|purchased?|booked|booking|placed|shipped|"
    r"delivered|delivery|due|started?|begin|ended?|effective|posting|posted|value|document|sent|received)_(date|day|time|at|on|ts)$|"
    r"^(date|day|business_date|event_time)$",
    re.I,
)
_AUDIT = re.compile(
    r"^_?(fivetran|airbyte|sdc|dlt|etl|elt|dbt|stitch|meltano|rivery|hevo)_|"
    r"^_?(loaded|ingested|ingestion|extracted|synced|imported|replicated|load|batch|job|run|etl|dwh|audit)_?"
    r"(at|on|ts|time|date|timestamp|id|run_id)$|"
    r"^_?(row_?hash|hash_diff|file_?name|source_file|batch|ingest_.*)$",
    re.I,
)


@dataclass(frozen=True)
class Finding:
    """What a rule has to say: where, in one sentence, and one line of help."""

    message: str
    span: Span
    help: str


def unique_by_tests(relation: Node | Source) -> set[Key]:
    """What tests say to be unique, of all rows."""
    kinds = ("unique", "unique_combination_of_columns")
    return {frozenset(t.columns) for t in relation.tests if t.kind in kinds and t.where is None and t.severity == "error"}


def creation_word(name: str) -> str | None:
    """`created_at` → creation, `order_date` → business; None for what an update may well move."""
    if _MOVED.search(name):
        return None
    return "creation" if _CREATION.search(name) else "business" if _BUSINESS.search(name) else None


def is_audit(name: str) -> bool:
    """Whether loaders write this column: it changes with every load, and means nothing to the business."""
    return bool(_AUDIT.search(name))


class Linted:
    """Specs and their meaning, with the answers that several rules need."""

    def __init__(self, specs: Specs, resolved: Resolved):
        self.specs, self.resolved = specs, resolved
        self.located: Mapping[str, Located[Any]] = {item.spec.name: item for item in specs.nodes}
        self._keys: dict[str, frozenset[Key]] = {}
        self._origins: dict[tuple[str, str], frozenset[tuple[str, str]]] = {}
        self._never_null: dict[tuple[str, str], bool] = {}
        for node in resolved.nodes.values():  # in dependency order, so that a long chain of nodes is no deep recursion
            self.keys(node.id)
            for column in node.columns:
                self.sources_of(node.id, column.name)
                self.never_null(node.id, column.name)

    def snapshots(self) -> Iterator[tuple[Snapshot, Located[Any]]]:
        return ((n, self.located[n.name]) for n in self.resolved.snapshots)

    def models(self, *kinds: str) -> Iterator[tuple[Node, Located[Any]]]:
        return ((n, self.located[n.name]) for n in self.resolved.nodes.values() if n.kind in (kinds or ("view", "table", "incremental")))

    @cached_property
    def source_items(self) -> Mapping[str, tuple[Located[Any], tuple[str | int, ...]]]:
        """Every source table that is enabled, with the place of its item in the specs."""
        written = {
            f"{located.spec.name}.{table.name}": (located, ("tables", index))
            for located in self.specs.sources for index, table in enumerate(located.spec.tables)
        }  # fmt: skip
        return {name: item for name, item in written.items() if name in self.resolved.sources}

    def place(self, node: Node, part: exp.Expr, incremental: bool = False) -> Span:
        """Where a part of a node's SQL stands in the user's file."""
        places = node.query("").places
        return place(part, places[-1 if incremental else 0]) if places else node.span

    def sources_of(self, id_: str, column: str) -> frozenset[tuple[str, str]]:
        """The columns of sources that a column's values come from, through every node between."""
        known = self._origins.get((id_, column))
        if known is None:
            relation = self.resolved.relation(id_)
            known = frozenset({(id_, column)}) if isinstance(relation, Source) else frozenset()
            for c in relation.columns if isinstance(relation, Node) else ():
                if c.name == column:
                    known = frozenset().union(*(self.sources_of(*origin) for origin in c.origins if origin[0] != id_))
            self._origins[id_, column] = known
        return known

    def never_null(self, id_: str, column: str) -> bool:
        """Whether a not_null test says so, of the column or of every column that it is taken from; or it identifies a version."""
        known = self._never_null.get((id_, column))
        if known is None:
            relation = self.resolved.relation(id_)
            origins = [o for o in relation.column(column).origins if o[0] != id_] if isinstance(relation, Node) else []
            tested = any(t.kind == "not_null" and t.columns == (column,) and t.where is None for t in relation.tests)
            identity = {relation.valid_from, *relation.key} - {*relation.nullable_key} if isinstance(relation, Snapshot) else set()
            known = tested or column in identity or (bool(origins) and all(self.never_null(*o) for o in origins))
            self._never_null[id_, column] = known
        return known

    # --- what is unique ---------------------------------------------------------------------------------------------

    def keys(self, id_: str) -> frozenset[Key]:
        """The sets of columns that are known to be unique in a relation; none where nothing is known."""
        if id_ not in self._keys:
            relation = self.resolved.relation(id_)
            found = unique_by_tests(relation)
            if isinstance(relation, Node):
                if isinstance(relation, Snapshot):  # its tests look at open versions only
                    found = {frozenset((*relation.key, end)) for end in (relation.valid_from, relation.valid_to)}
                elif relation.strategy == "merge":
                    found.add(frozenset(relation.key))
                elif relation.queries:
                    self._keys[id_] = frozenset(found)
                    scopes = traverse_scope(relation.query("").first)
                    found |= self._of_scope(scopes[-1]) if scopes else set()
            self._keys[id_] = frozenset(k for k in found if k)
        return self._keys[id_]

    def keys_of(self, source: exp.Expr | Scope, alias: str, conditions: list[exp.Expr]) -> frozenset[Key]:
        """The known keys of what a FROM or JOIN reads; a column that a condition fixes (`= 1`, `IS NULL`) is in none of them."""
        if isinstance(source, Scope):
            found = self._of_scope(source)
        else:
            symbol = symbols.symbol(source) if isinstance(source, exp.Table) else None
            found = set(self.keys(f"{symbol[0]}:{symbol[1]}")) if symbol and symbol[0] in ("ref", "source") else set()
        fixed = set(_fixed(conditions, alias))
        return frozenset(key - fixed for key in found)

    def _of_scope(self, scope: Scope) -> set[Key]:
        """SELECT a, b FROM t: the keys of t whose columns it shows; GROUP BY a: a; DISTINCT: everything;
        ROW_NUMBER() OVER (PARTITION BY a) AS n: a, n. Joins prove nothing."""
        select = scope.expression
        if not isinstance(select, exp.Select):
            return set()
        shown: dict[tuple[str, str], str] = {}
        for value in select.selects:
            if isinstance(taken := value.unalias(), exp.Column):
                shown.setdefault((taken.table, taken.name), value.alias_or_name)
        found = {key for parts, more in _numbered(select) if (key := _shown(parts, shown, more))}
        if group := select.args.get("group"):
            key = _shown(group.expressions, shown)
            return found | ({key} if key else set())
        if select.args.get("distinct"):
            found.add(frozenset(select.named_selects))
        if not select.args.get("joins"):
            for alias, (_, source) in scope.selected_sources.items():
                for known in self.keys_of(source, alias, conditions(select)):
                    if all((alias, name) in shown for name in known):
                        found.add(frozenset(shown[alias, name] for name in known))
        return found


def _shown(parts: list[exp.Expr], shown: Mapping[tuple[str, str], str], more: frozenset[str] = frozenset()) -> Key | None:
    """The names under which columns leave a SELECT; None when one does not, or is none."""
    names = [shown.get((p.table, p.name)) if isinstance(p, exp.Column) else None for p in parts]
    return None if None in names else frozenset(map(str, names)) | more


def _numbered(select: exp.Select) -> Iterator[tuple[list[exp.Expr], frozenset[str]]]:
    for value in select.selects:
        window = value.unalias()
        if isinstance(window, exp.Window) and isinstance(window.this, exp.RowNumber):
            yield window.args.get("partition_by") or [], frozenset({value.alias_or_name})


def conditions(select: exp.Select) -> list[exp.Expr]:
    """WHERE a AND b → [a, b]."""
    where = select.args.get("where")
    return list(where.this.flatten()) if where and isinstance(where.this, exp.And) else [where.this] if where else []


def _fixed(conditions: list[exp.Expr], alias: str) -> Iterator[str]:
    for condition in conditions:
        found = condition.unnest()
        if isinstance(found, exp.Is | exp.EQ) and isinstance(found.expression.unnest(), exp.Null | exp.Literal | exp.Boolean | exp.Cast):
            constant = not list(found.expression.find_all(exp.Column))
            if isinstance(found.this, exp.Column) and found.this.table == alias and constant:
                yield found.this.name


def history_of(project: Linted, source: exp.Expr | Scope) -> Snapshot | None:
    """The snapshot that a FROM or JOIN reads as it is, with all its versions."""
    found = symbols.symbol(source) if isinstance(source, exp.Table) else None
    node = project.resolved.nodes.get(found[1]) if found and found[0] == "ref" else None
    return node if isinstance(node, Snapshot) else None
