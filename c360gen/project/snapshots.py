"""A snapshot as written → a node: what it reads, its key, what it tracks, the names of its history columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from sqlglot import exp

from c360gen.diagnostics import Diagnostics, nearest_or_list
from c360gen.project import compat, feeds, partitions, texts
from c360gen.project.columns import declared_columns, find, fold, named
from c360gen.project.config import comments, readers
from c360gen.project.erasure import erasure
from c360gen.project.nodes import Column, Node, Policies, Query
from c360gen.project.query import Catalog
from c360gen.project.references import Known, reference
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import types

OWN_COLUMNS = ("opened_run_id", "closed_run_id")
"""Columns that a history table has besides those of its relation and its interval."""


def reads(located: Located[spec.Snapshot], known: Known, diagnostics: Diagnostics) -> tuple[str, ...] | None:
    """The one relation, or what its SQL reads, or None when that is not known."""
    if located.sql:
        return texts.reads(located, known, diagnostics)
    if located.spec.relation is None:
        help = "add relation: source('…', '…') or ref('…'), or sql: with a SELECT"
        diagnostics.error("C105", f"snapshot {located.spec.name} has no relation", located.span("name"), help)
        return None
    id_ = reference(located.spec.relation, located.span("relation"), known, diagnostics)
    return (id_,) if id_ else None


def resolve(located: Located[spec.Snapshot], ids: tuple[str, ...], catalog: Catalog, known: Known, diagnostics: Diagnostics) -> Node | None:
    snapshot, config = located.spec, located.spec.config
    before = len(diagnostics.found)
    described = {c.name: c for c in declared_columns(located, snapshot.columns, ("columns",), diagnostics, need_types=False)}
    queries: dict[str, Query] = {}
    if located.sql:
        queries, read = texts.resolve(located, described, catalog, known, diagnostics)
        if len(diagnostics.found) > before:
            return None
        reading, source = f"query:{snapshot.name}", f"the SQL of {snapshot.name}"
    else:
        read, reading, source = tuple(catalog.columns[ids[0]]), ids[0], ids[0].partition(":")[2]
    relation = {c.name: c for c in read}
    if not relation:
        help = "declare its columns with data_type under sources:"
        diagnostics.error("C105", f"{source} declares no columns", located.span("relation"), help)
        return None

    def column(name: str, key: str, *loc: str | int) -> str:
        return find(name, relation, f"{key}: {source}", located.span(*loc), diagnostics)

    def one(key: str, *kinds: exp.DType) -> str | None:
        """A setting that names one column, of one of some types."""
        given = getattr(config, key)
        if given is None:
            return None
        name = column(given, key, "config", key)
        if name in relation and (t := relation[name].type) is not None and t.this not in kinds:
            wanted = "a boolean" if kinds == (types.T.BOOLEAN,) else "a time"
            diagnostics.error("C401", f"{key}: {name} is {types.text(t)}, not {wanted}", located.span("config", key))
        return name

    key = tuple(column(k, "unique_key", "config", "unique_key", i) for i, k in enumerate(config.unique_key))
    if not key:
        diagnostics.error(
            "C105", f"snapshot {snapshot.name} has no unique_key", located.span("config"), "add unique_key: the column that names a row"
        )
    updated_at = one("updated_at", *types.TIMES)
    cursor = one("cursor", *types.TIMES)
    deleted_flag, deleted_at = one("deleted_flag", types.T.BOOLEAN), one("deleted_at", *types.TIMES)
    version = column(config.version_column, "version_column", "config", "version_column") if config.version_column else None
    nullable = tuple(column(k, "nullable_keys", "config", "nullable_keys", i) for i, k in enumerate(config.nullable_keys))
    for index, name in enumerate(nullable):
        if name in relation and name not in key:
            message = f"nullable_keys: {name} is not a column of unique_key"
            diagnostics.error("C401", message, located.span("config", "nullable_keys", index))
    _strategy(located, diagnostics)
    is_feed = config.strategy in feeds.STRATEGIES
    feed = feeds.resolve(located, relation, key, updated_at or "", cursor, column, diagnostics) if is_feed else None
    if not is_feed:
        _policies(located, diagnostics)
    compat.check(located, diagnostics)
    _physical(located, relation, diagnostics)
    names = compat.history_names(config)
    own = names.all
    for name in (*own, *OWN_COLUMNS):
        if name in relation:
            help = "rename it with snapshot_meta_column_names" if name not in OWN_COLUMNS else "this name is taken by the history"
            diagnostics.error("C207", f"{source} has a column {name} already", located.span("config"), help)
    if len({n.lower() for n in own}) < len(own):
        message = "the columns of a history must have different names"
        diagnostics.error("C207", message, located.span("config", "snapshot_meta_column_names"))
    for each in relation.values():
        if each.type is None:
            help = f"declare its data_type where {source} is defined, or CAST it there"
            diagnostics.error("C304", f"column {each.name} is computed: its type is not known", located.span("relation"), help)
    for index, name in enumerate(described):
        if name not in relation and name not in own:
            near = nearest_or_list(name, relation, "columns")
            diagnostics.error("C205", f"columns: {source} has no column {name}", located.span("columns", index, "name"), near)
    times = () if config.compat else (updated_at, deleted_flag, deleted_at)  # dbt's `check_cols: all` counts them as well
    never = {n for n in (*key, *times, *own, *(feeds.others(feed) if feed else ())) if n}
    behaviour = _behaviour(located, relation, never, diagnostics)
    detects: Literal["values", "time"] = "time" if config.compat and config.strategy == "timestamp" else "values"
    tracked = _tracked(located, relation, never | set(behaviour), column) if detects == "values" else ()
    for name, chosen in behaviour.items():
        if chosen == "new_version" and name not in tracked:
            tracked = (*tracked, name)
    if not tracked and detects == "values" and not feed and len(diagnostics.found) == before:
        message = f"snapshot {snapshot.name} tracks no column: nothing would ever be a change"
        diagnostics.error("C401", message, located.span("config"), "let a column say on_change: new_version")
    needed = {n for n in (*key, *own, updated_at, version) if n}
    erased = erasure(located, tuple(relation.values()), needed, diagnostics)
    if len(diagnostics.found) > before:
        return None
    columns = [
        Column(c.name, c.type, described[c.name].description if c.name in described else c.description,
               c.origins if queries else ((ids[0], c.name),))
        for c in relation.values()
    ]  # fmt: skip
    is_deleted = types.TEXT if config.compat else types.BOOLEAN
    until = "NULL" if config.dbt_valid_to_current is None else str(config.dbt_valid_to_current.date())
    history = [
        (names.row_id, types.TEXT, "dbt's md5 of the key and the start of this version; kept for readers, read by no run."),
        (names.row_time, types.TIMESTAMPTZ, "The start of this version once more, as dbt keeps it."),
        (names.valid_from, types.TIMESTAMPTZ, "First instant of this version (UTC, inclusive)."),
        (names.valid_to, types.TIMESTAMPTZ, f"First instant after this version (UTC); {until} while it is current."),
        (names.is_deleted, is_deleted, "Whether this version only says that the key is gone."),
    ]
    columns += [Column(name, type_, _describe(described, name, text)) for name, type_, text in history if name]
    recorded = {c.name for c in columns}
    partition_by, size = partitions.of(config, recorded)
    return Node(
        name=snapshot.name, kind="snapshot", schema=config.schema_ or "snapshots", identifier=config.alias or snapshot.name,
        columns=tuple(columns), depends_on=ids, span=located.span("name"), description=snapshot.description.strip(), key=key,
        strategy=config.strategy or "", compat=config.compat, queries=queries, relation=reading, updated_at=updated_at, detects=detects,
        horizon="latest" if config.compat else "as_of", tracked=tracked,
        overwritten=tuple(n for n, chosen in behaviour.items() if chosen == "overwrite"), version_column=version,
        hard_deletes="invalidate" if feed and "hard_deletes" not in config.model_fields_set else config.hard_deletes,
        deleted_flag=deleted_flag, deleted_at=deleted_at, feed=feed, valid_from=names.valid_from,
        valid_to=names.valid_to, is_deleted=names.is_deleted, row_id=names.row_id, row_time=names.row_time,
        open_until=config.dbt_valid_to_current, nullable_key=nullable,
        policies=Policies(
            config.on_duplicate_key, config.on_null_key, config.on_null_updated_at, config.on_future_updated_at,
            config.on_unmoved_timestamp, config.on_empty_source, config.max_delete_fraction, config.min_delete_rows,
            config.future_tolerance,
        ),
        erasure=erased, source_delta=config.source_delta.deletes if config.source_delta else None, lookback=config.lookback,
        partition_by=partition_by, partition_size=size, cluster_by=tuple(named(n, recorded) for n in config.cluster_by),
        indexes=tuple((tuple(named(n, recorded) for n in i.columns), i.unique) for i in config.indexes),
        readers=readers(config, known.specs.project.spec), comments=comments(config), tags=(*snapshot.tags, *config.tags),
    )  # fmt: skip


def _describe(described: Mapping[str, Column], name: str, otherwise: str) -> str:
    return described[name].description if name in described and described[name].description else otherwise


def _physical(located: Located[spec.Snapshot], relation: Mapping[str, Column], diagnostics: Diagnostics) -> None:
    """partition_by, cluster_by and indexes name columns of the history."""
    config = located.spec.config
    history = {**relation, **{name: Column(name, types.TIMESTAMPTZ) for name in compat.history_names(config).all}}
    partitions.check(located, history, "the history", diagnostics)
    listed: list[tuple[str, str, tuple[str | int, ...]]] = [
        ("cluster_by", name, ("cluster_by", i)) for i, name in enumerate(config.cluster_by)
    ]
    listed += [("indexes", name, ("indexes", i)) for i, index in enumerate(config.indexes) for name in index.columns]
    for what, name, loc in listed:
        find(name, history, f"{what}: the history", located.span("config", *loc), diagnostics)


def _strategy(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    snapshot, config = located.spec, located.spec.config
    if config.strategy is None:
        help = "add strategy: timestamp (with updated_at), check (with check_cols), or for feeds changelog or daily_copies"
        diagnostics.error("C105", f"snapshot {snapshot.name} has no strategy", located.span("config"), help)
    elif config.strategy == "timestamp" and config.updated_at is None:
        help = "name the column that moves when a row changes, or use strategy: check"
        diagnostics.error("C105", "strategy timestamp needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "timestamp" and config.check_cols:
        help = "remove it, or use strategy: check; a column that should not count says on_change: ignore"
        diagnostics.error(
            "C401", "strategy timestamp tracks every column: check_cols means nothing", located.key_span("config", "check_cols"), help
        )
    elif config.strategy == "changelog" and config.updated_at is None:
        help = "name the column that says when an event happened"
        diagnostics.error("C105", "strategy changelog needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "daily_copies" and config.updated_at is None:
        help = "name the column that dates the copy of a row"
        diagnostics.error("C105", "strategy daily_copies needs updated_at", located.span("config", "strategy"), help)
    elif config.strategy == "check" and not config.check_cols:
        help = "add check_cols: all, or a list of columns"
        diagnostics.error("C105", "strategy check needs check_cols", located.span("config", "strategy"), help)


def _policies(located: Located[spec.Snapshot], diagnostics: Diagnostics) -> None:
    """Settings that mean nothing without another one, or that would lose changes in silence."""
    config = located.spec.config

    def wrong(key: str, message: str, help: str | None = None, code: str = "C401") -> None:
        if key in config.model_fields_set:
            diagnostics.error(code, message, located.key_span("config", key), help)

    if config.dbt_valid_to_current is not None and config.dbt_valid_to_current.year < 2100:
        message = f"dbt_valid_to_current: {config.dbt_valid_to_current.date()} will come, and open versions would look as if they had ended"
        wrong("dbt_valid_to_current", message, "use a time that no row can have, such as '9999-12-31'")
    for key in feeds.KEYS:
        wrong(key, f"{key} is a setting of strategy: changelog" + ("" if key in feeds.CHANGELOG_KEYS else " or daily_copies"))
    if config.strategy == "check":
        for key in ("on_null_updated_at", "on_future_updated_at", "on_unmoved_timestamp", "source_delta"):
            wrong(key, f"{key} is a setting of strategy: timestamp", "strategy check finds a change whatever its time says")
    if config.hard_deletes == "ignore":
        for key in ("deleted_flag", "deleted_at", "on_empty_source", "max_delete_fraction", "min_delete_rows"):
            wrong(key, f"{key} means nothing while hard_deletes is ignore", "add hard_deletes: invalidate or new_record")
    if config.max_delete_fraction is None:
        wrong("min_delete_rows", "min_delete_rows needs max_delete_fraction", code="C105")
    if config.on_duplicate_key == "latest" and not (config.version_column or config.updated_at):
        help = "add version_column, or updated_at"
        wrong("on_duplicate_key", "on_duplicate_key: latest needs a column that tells which row is the latest", help, "C105")
    if config.on_duplicate_key != "latest":
        wrong("version_column", "version_column needs on_duplicate_key: latest", code="C105")
    if config.nullable_keys and set(config.nullable_keys) >= set(config.unique_key):
        wrong("on_null_key", "on_null_key means nothing where every column of the key may be NULL")
    if config.source_delta is None:
        wrong("lookback", "lookback of a snapshot needs source_delta: true", code="C105")
    elif config.on_unmoved_timestamp != "ignore" and config.compat is None:
        help = "say on_unmoved_timestamp: ignore as well, which accepts that, or omit source_delta"
        wrong("source_delta", "source_delta cannot see a row that changes without its updated_at", help)
    if config.source_delta and config.version_column not in (None, config.updated_at):
        help = "omit source_delta, or tell the latest row by updated_at"
        wrong("version_column", "with source_delta the row with the latest version may not be among those that are read", help)
    if config.source_delta and config.source_delta.deletes == "none" and config.hard_deletes != "ignore" and not (
        config.deleted_flag or config.deleted_at
    ):  # fmt: skip
        help = "say deletes: anti_join, or name deleted_flag or deleted_at, or say hard_deletes: ignore"
        wrong("source_delta", "with deletes: none no deletion would ever be found", help)


def _behaviour(
    located: Located[spec.Snapshot], relation: Mapping[str, Column], never: set[str], diagnostics: Diagnostics
) -> dict[str, str]:
    """on_change of the columns that say it."""
    found: dict[str, str] = {}
    config = located.spec.config
    listed = config.check_cols if isinstance(config.check_cols, tuple) else ()
    for index, each in enumerate(located.spec.columns):
        name = fold(each.name, each.quote)
        if each.on_change is None:
            continue
        at = located.span("columns", index, "on_change")
        if name in never:
            diagnostics.error("C401", f"on_change: {name} has a part of its own in the history", at)
        elif each.on_change != "new_version" and name in {fold(c, False) for c in listed}:
            diagnostics.error("C401", f"on_change: {name} is listed in check_cols, which makes it a new version", at)
        elif each.on_change == "overwrite" and config.strategy in feeds.STRATEGIES:
            help = "say on_change: ignore: a version keeps what the event said that began it"
            diagnostics.error("C401", f"on_change: nothing is overwritten from a feed, and so {name} is not", at, help)
        elif name in relation:
            found[name] = each.on_change
    return found


def _tracked(
    located: Located[spec.Snapshot], relation: Mapping[str, Column], others: set[str], column: Callable[..., str]
) -> tuple[str, ...]:
    """All but the key, the times and what says on_change; check_cols narrows them."""
    config = located.spec.config
    if config.strategy == "check" and isinstance(config.check_cols, tuple) and config.check_cols:
        listed = [column(c, "check_cols", "config", "check_cols", i) for i, c in enumerate(config.check_cols)]
        keys = {fold(k, False) for k in config.unique_key} | set(config.unique_key)
        return tuple(dict.fromkeys(c for c in listed if c not in keys))
    left: set[str] = set()
    if isinstance(config.check_cols, spec.AllExcept):
        excepted = enumerate(config.check_cols.all_except)
        left = {column(c, "check_cols", "config", "check_cols", "all_except", i) for i, c in excepted}
    return tuple(c for c in relation if c not in others and c not in left)
