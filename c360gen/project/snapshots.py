"""A snapshot as written → a node: what it reads, its key, what it tracks, the names of its history columns."""

from __future__ import annotations

from collections.abc import Callable

from c360gen.diagnostics import Diagnostics, nearest_or_list
from c360gen.project.columns import declared_columns, fold, tests_of
from c360gen.project.nodes import Column, Node, Test
from c360gen.project.query import Catalog
from c360gen.project.references import Known, reference
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import types

OWN_COLUMNS = ("opened_run_id", "closed_run_id")
"""Columns that a history table has besides those of its relation and its interval."""


def reads(located: Located[spec.Snapshot], known: Known, diagnostics: Diagnostics) -> tuple[str, ...] | None:
    """The one relation, or None when it is not known."""
    if located.spec.relation is None:
        help = "add relation: source('…', '…') or ref('…')"
        diagnostics.error("C105", f"snapshot {located.spec.name} has no relation", located.span("name"), help)
        return None
    id_ = reference(located.spec.relation, located.span("relation"), known, diagnostics)
    return (id_,) if id_ else None


def resolve(located: Located[spec.Snapshot], ids: tuple[str, ...], catalog: Catalog, diagnostics: Diagnostics) -> Node | None:
    snapshot, config = located.spec, located.spec.config
    before = len(diagnostics.found)
    relation = {c.name: c for c in catalog.columns[ids[0]]}
    if not relation:
        help = "declare its columns with data_type under sources:"
        diagnostics.error("C105", f"{ids[0].partition(':')[2]} declares no columns", located.span("relation"), help)
        return None

    def column(name: str, key: str, *loc: str | int) -> str:
        folded = name if name in relation else fold(name, False)
        if folded not in relation:
            help = nearest_or_list(folded, relation, "columns")
            diagnostics.error("C205", f"{key}: {ids[0].partition(':')[2]} has no column {name}", located.span(*loc), help)
        return folded

    key = tuple(column(k, "unique_key", "config", "unique_key", i) for i, k in enumerate(config.unique_key))
    if not key:
        diagnostics.error(
            "C105", f"snapshot {snapshot.name} has no unique_key", located.span("config"), "add unique_key: the column that names a row"
        )
    updated_at = column(config.updated_at, "updated_at", "config", "updated_at") if config.updated_at else None
    _strategy(located, diagnostics)
    if updated_at in relation and (t := relation[str(updated_at)].type) is not None and t.this not in types.TIMES:
        message = f"updated_at: {updated_at} is {types.text(t)}, not a time"
        diagnostics.error("C401", message, located.span("config", "updated_at"))
    history = {*relation, config.snapshot_meta_column_names.dbt_valid_from, config.snapshot_meta_column_names.dbt_valid_to}
    listed: list[tuple[str, str, tuple[str | int, ...]]] = []
    if config.partition_by:
        listed.append(("partition_by", config.partition_by, ("partition_by",)))
    listed += [("cluster_by", name, ("cluster_by", i)) for i, name in enumerate(config.cluster_by)]
    listed += [("indexes", name, ("indexes", i)) for i, index in enumerate(config.indexes) for name in index.columns]
    for what, name, loc in listed:
        if name not in history:
            near = nearest_or_list(str(name), history, "columns")
            diagnostics.error("C205", f"{what}: the history has no column {name}", located.span("config", *loc), near)
    tracked = _tracked(located, relation, key, updated_at, column)
    names = config.snapshot_meta_column_names
    for name in (names.dbt_valid_from, names.dbt_valid_to, *OWN_COLUMNS):
        if name in relation:
            help = "rename it with snapshot_meta_column_names" if name not in OWN_COLUMNS else "this name is taken by the history"
            diagnostics.error("C207", f"{ids[0].partition(':')[2]} has a column {name} already", located.span("config"), help)
    for source in relation.values():
        if source.type is None:
            help = f"declare its data_type where {ids[0].partition(':')[2]} is defined, or CAST it there"
            diagnostics.error("C304", f"column {source.name} is computed: its type is not known", located.span("relation"), help)
    described = {c.name: c for c in declared_columns(located, snapshot.columns, ("columns",), diagnostics, need_types=False)}
    for index, name in enumerate(described):
        if name not in relation and name not in (names.dbt_valid_from, names.dbt_valid_to):
            near = nearest_or_list(name, relation, "columns")
            diagnostics.error(
                "C205", f"columns: {ids[0].partition(':')[2]} has no column {name}", located.span("columns", index, "name"), near
            )
    if len(diagnostics.found) > before:
        return None
    columns = [
        Column(c.name, c.type, described[c.name].description if c.name in described else c.description, ((ids[0], c.name),))
        for c in relation.values()
    ]
    columns += [
        Column(
            names.dbt_valid_from,
            types.TIMESTAMPTZ,
            _describe(described, names.dbt_valid_from, "First instant of this version (UTC, inclusive)."),
        ),
        Column(
            names.dbt_valid_to,
            types.TIMESTAMPTZ,
            _describe(described, names.dbt_valid_to, "First instant after this version (UTC); NULL while it is current."),
        ),
    ]
    return Node(
        name=snapshot.name, kind="snapshot", schema=config.schema_ or "snapshots", identifier=config.alias or snapshot.name,
        columns=tuple(columns), depends_on=ids, span=located.span("name"), description=snapshot.description.strip(), key=key,
        strategy=config.strategy or "", relation=ids[0], updated_at=updated_at, tracked=tracked,
        hard_deletes=config.hard_deletes, valid_from=names.dbt_valid_from, valid_to=names.dbt_valid_to,
        partition_by=config.partition_by, cluster_by=config.cluster_by,
        indexes=tuple((i.columns, i.unique) for i in config.indexes), tests=_tests(snapshot),
        tags=(*snapshot.tags, *config.tags),
    )  # fmt: skip


def _describe(described: dict[str, Column], name: str, otherwise: str) -> str:
    return described[name].description if name in described and described[name].description else otherwise


def _tests(snapshot: spec.Snapshot) -> tuple[Test, ...]:
    return tests_of(snapshot.columns)


def _strategy(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    snapshot, config = located.spec, located.spec.config
    if config.strategy is None:
        help = "add strategy: timestamp (with updated_at) or strategy: check (with check_cols)"
        diagnostics.error("C105", f"snapshot {snapshot.name} has no strategy", located.span("config"), help)
    elif config.strategy == "timestamp" and config.updated_at is None:
        help = "name the column that moves when a row changes, or use strategy: check"
        diagnostics.error("C105", "strategy timestamp needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "timestamp" and config.check_cols:
        help = "remove it, or use strategy: check"
        diagnostics.error(
            "C401", "strategy timestamp tracks every column: check_cols means nothing", located.key_span("config", "check_cols"), help
        )
    elif config.strategy == "check" and not config.check_cols:
        help = "add check_cols: all, or a list of columns"
        diagnostics.error("C105", "strategy check needs check_cols", located.span("config", "strategy"), help)


def _tracked(
    located: Located[spec.Snapshot],
    relation: dict[str, Column],
    key: tuple[str, ...],
    updated_at: str | None,
    column: Callable[..., str],
) -> tuple[str, ...]:
    """All but the key and updated_at; check_cols narrows them."""
    config = located.spec.config
    if config.strategy == "check" and config.check_cols != "all":
        listed = [column(c, "check_cols", "config", "check_cols", i) for i, c in enumerate(config.check_cols)]
        return tuple(dict.fromkeys(c for c in listed if c not in key))
    return tuple(c for c in relation if c not in key and c != updated_at)
