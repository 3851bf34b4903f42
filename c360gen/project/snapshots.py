"""A snapshot as written → a node: what it reads, its key, what it tracks, the names of its history columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from c360gen.diagnostics import Diagnostics, nearest_or_list
from c360gen.project import compat, feeds, partitions, texts
from c360gen.project import snapshot_settings as settings
from c360gen.project.columns import declared_columns, find, fold, named
from c360gen.project.config import comments, readers
from c360gen.project.erasure import erasure
from c360gen.project.nodes import Column, Policies, Query, Snapshot
from c360gen.project.query import Catalog
from c360gen.project.references import Known, reference
from c360gen.spec import models as spec
from c360gen.spec.load import Located
from c360gen.terms import types
from c360gen.terms.symbols import cut

OWN_COLUMNS = ("opened_run_id", "closed_run_id")
"""Columns that a history table has besides those of its relation and its interval."""
CHANGED_AT, CHANGE, SIDES = "changed_at", "change", ("before", "after")
"""What a list of changes has besides the key, and the sides of every other column."""


def changed_name(name: str, side: str) -> str:
    """What a list of changes calls the old or the new value of a column."""
    return cut(f"{name}_{side}")


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


def resolve(
    located: Located[spec.Snapshot], ids: tuple[str, ...], catalog: Catalog, known: Known, diagnostics: Diagnostics
) -> Snapshot | None:
    snapshot, config = located.spec, located.spec.config
    before = len(diagnostics.found)
    described = {c.name: c for c in declared_columns(located, snapshot.columns, ("columns",), diagnostics, need_types=False)}
    read = _relation(located, ids, described, catalog, known, diagnostics)
    if read is None:
        return None
    key = read.many("unique_key")
    if not key:
        help = "add unique_key: the column that names a row"
        diagnostics.error("C105", f"snapshot {snapshot.name} has no unique_key", located.span("config"), help)
    updated_at, cursor = read.one("updated_at", *types.TIMES), read.one("cursor", *types.TIMES)
    deleted_flag, deleted_at = read.one("deleted_flag", types.T.BOOLEAN), read.one("deleted_at", *types.TIMES)
    version = read.one("version_column")
    nullable = read.many("nullable_keys")
    for index, name in enumerate(nullable):
        if name in read.columns and name not in key:
            message = f"nullable_keys: {name} is not a column of unique_key"
            diagnostics.error("C401", message, located.span("config", "nullable_keys", index))
    settings.check(located, diagnostics)
    for setting, flag in (("deleted_flag", deleted_flag), ("deleted_at", deleted_at)):
        if flag in key:
            help = "a row would become one of another key when it is deleted: name a column that is no part of it"
            diagnostics.error("C401", f"{setting}: {flag} is a part of the key", located.span("config", setting), help)
    feed = None
    if config.strategy in feeds.STRATEGIES:
        feed = feeds.resolve(located, read.columns, key, updated_at or "", cursor, read.column, diagnostics)
    compat.check(located, diagnostics)
    _physical(located, read.columns, diagnostics)
    names = compat.history_names(config)
    _names(read, key, names.all, described)
    times = () if config.compat else (updated_at, deleted_flag, deleted_at)  # dbt's `check_cols: all` counts them as well
    never = {n for n in (*key, *times, *names.all, *(feeds.others(feed) if feed else ())) if n}
    behaviour = _behaviour(located, read.columns, never, diagnostics)
    detects: Literal["values", "time"] = "time" if config.compat and config.strategy == "timestamp" else "values"
    tracked = _tracked(read, never | set(behaviour)) if detects == "values" else ()
    tracked += tuple(n for n, chosen in behaviour.items() if chosen == "new_version" and n not in tracked)
    if not tracked and detects == "values" and not feed and len(diagnostics.found) == before:
        message = f"snapshot {snapshot.name} tracks no column: nothing would ever be a change"
        diagnostics.error("C401", message, located.span("config"), "let a column say on_change: new_version")
    needed = {n for n in (*key, *names.all, updated_at, version) if n}
    erased = erasure(located, tuple(read.columns.values()), needed, diagnostics)
    if erased is not None:
        settings.check_erasure(located, erased, key, feed, diagnostics)
    if len(diagnostics.found) > before or any(c.told for c in read.columns.values()):
        return None
    columns = _columns(read, described, names, config)
    recorded = {c.name for c in columns}
    partition_by, size = partitions.of(config, recorded)
    return Snapshot(
        name=snapshot.name, kind="snapshot", schema=config.schema_ or "snapshots", identifier=config.alias or snapshot.name,
        columns=columns, depends_on=ids, span=located.span("name"), description=snapshot.description.strip(), key=key,
        nullable_key=nullable, strategy=config.strategy or "", compat=config.compat, queries=read.queries, relation=read.id,
        updated_at=updated_at, detects=detects, horizon="latest" if config.compat else "as_of", tracked=tracked,
        overwritten=tuple(n for n, chosen in behaviour.items() if chosen == "overwrite"), version_column=version,
        hard_deletes="invalidate" if feed and "hard_deletes" not in config.model_fields_set else config.hard_deletes,
        deleted_flag=deleted_flag, deleted_at=deleted_at, feed=feed, valid_from=names.valid_from,
        valid_to=names.valid_to, is_deleted=names.is_deleted, row_id=names.row_id, row_time=names.row_time,
        open_until=config.dbt_valid_to_current,
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


# --- what it reads -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Relation:
    """What a snapshot reads, and the settings that name columns of it."""

    id: str
    """As in depends_on, or `query:` and the snapshot's name."""
    called: str
    """As messages call it."""
    columns: Mapping[str, Column]
    queries: Mapping[str, Query]
    located: Located[spec.Snapshot]
    diagnostics: Diagnostics

    def column(self, name: str, key: str, *loc: str | int) -> str:
        return find(name, self.columns, f"{key}: {self.called}", self.located.span(*loc), self.diagnostics)

    def one(self, key: str, *kinds: exp.DType) -> str | None:
        """A setting that names one column, of one of some types where they are given."""
        given = getattr(self.located.spec.config, key)
        if given is None:
            return None
        name = self.column(given, key, "config", key)
        type_ = self.columns[name].type if name in self.columns else None
        if kinds and type_ is not None and type_.this not in kinds:
            wanted = "a boolean" if kinds == (types.T.BOOLEAN,) else "a time"
            self.diagnostics.error("C401", f"{key}: {name} is {types.text(type_)}, not {wanted}", self.located.span("config", key))
        return name

    def many(self, key: str) -> tuple[str, ...]:
        """A setting that lists columns."""
        given = getattr(self.located.spec.config, key)
        return tuple(self.column(name, key, "config", key, index) for index, name in enumerate(given))


def _relation(
    located: Located[spec.Snapshot], ids: tuple[str, ...], described: Mapping[str, Column], catalog: Catalog, known: Known,
    diagnostics: Diagnostics,
) -> _Relation | None:  # fmt: skip
    """The relation, or the SQL, with the columns that it has; None where that is a mistake."""
    before = len(diagnostics.found)
    queries: Mapping[str, Query] = {}
    id_, called = ids[0] if ids else "", ids[0].partition(":")[2] if ids else ""
    if located.sql:
        queries, read = texts.resolve(located, described, catalog, known, diagnostics)
        if len(diagnostics.found) > before:
            return None
        id_, called = f"query:{located.spec.name}", f"the SQL of {located.spec.name}"
    else:
        read = tuple(catalog.columns[id_])
    if not read:
        help = "declare its columns with data_type under sources:"
        diagnostics.error("C105", f"{called} declares no columns", located.span("relation"), help)
        return None
    return _Relation(id_, called, {c.name: c for c in read}, queries, located, diagnostics)


def _names(read: _Relation, key: Collection[str], own: Collection[str], described: Mapping[str, Column]) -> None:
    """A name for each column of the history, its own and those of what it reads, and a type for each of these."""
    located, diagnostics = read.located, read.diagnostics
    for name in (*own, *OWN_COLUMNS):
        if name in read.columns:
            help = "rename it with snapshot_meta_column_names" if name not in OWN_COLUMNS else "this name is taken by the history"
            diagnostics.error("C207", f"{read.called} has a column {name} already", located.span("config"), help)
    listed = {CHANGED_AT, CHANGE, *(changed_name(n, side) for n in read.columns if n not in key for side in SIDES)}
    for index, name in enumerate(key):
        if name in listed:
            message = f"unique_key: {located.spec.name}_changes would have two columns {name}"
            diagnostics.error("C207", message, located.span("config", "unique_key", index), "give the column another name in a view")
    if len({n.lower() for n in own}) < len(own):
        message = "the columns of a history must have different names"
        diagnostics.error("C207", message, located.span("config", "snapshot_meta_column_names"))
    for each in read.columns.values():
        if each.type is None and not each.told:
            help = f"declare its data_type where {read.called} is defined, or CAST it there"
            about = (located.spec.name if read.queries else read.called, each.name)
            diagnostics.error("C304", f"column {each.name} is computed: its type is not known", located.span("relation"), help, about)
    for index, name in enumerate(described):
        if name not in read.columns and name not in own:
            near = nearest_or_list(name, read.columns, "columns")
            diagnostics.error("C205", f"columns: {read.called} has no column {name}", located.span("columns", index, "name"), near)


def _columns(
    read: _Relation, described: Mapping[str, Column], names: compat.HistoryNames, config: spec.SnapshotConfig
) -> tuple[Column, ...]:
    """Those of what it reads, and behind them those of the history."""
    own = [
        Column(c.name, c.type, _describe(described, c.name, c.description), c.origins if read.queries else ((read.id, c.name),))
        for c in read.columns.values()
    ]
    is_deleted = types.TEXT if config.compat else types.BOOLEAN
    until = "NULL" if config.dbt_valid_to_current is None else str(config.dbt_valid_to_current.date())
    history = [
        (names.row_id, types.TEXT, "dbt's md5 of the key and the start of this version; kept for readers, read by no run."),
        (names.row_time, types.TIMESTAMPTZ, "The start of this version once more, as dbt keeps it."),
        (names.valid_from, types.TIMESTAMPTZ, "First instant of this version (UTC, inclusive)."),
        (names.valid_to, types.TIMESTAMPTZ, f"First instant after this version (UTC); {until} while it is current."),
        (names.is_deleted, is_deleted, "Whether this version only says that the key is gone."),
    ]
    return (*own, *(Column(name, type_, _describe(described, name, text)) for name, type_, text in history if name))


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


def _tracked(read: _Relation, others: set[str]) -> tuple[str, ...]:
    """All but the key, the times and what says on_change; check_cols narrows them."""
    config = read.located.spec.config
    if config.strategy == "check" and isinstance(config.check_cols, tuple) and config.check_cols:
        keys = {fold(k, False) for k in config.unique_key} | set(config.unique_key)
        return tuple(dict.fromkeys(c for c in read.many("check_cols") if c not in keys))
    left: set[str] = set()
    if isinstance(config.check_cols, spec.AllExcept):
        excepted = enumerate(config.check_cols.all_except)
        left = {read.column(c, "check_cols", "config", "check_cols", "all_except", i) for i, c in excepted}
    return tuple(c for c in read.columns if c not in others and c not in left)
