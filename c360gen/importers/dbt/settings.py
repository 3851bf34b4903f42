"""dbt's config of a node as ours: what has the same word is carried, what has a reason not to be is noted with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from c360gen.importers.dbt.artifacts import Node
from c360gen.importers.dbt.work import Tell
from c360gen.spec import models as spec

_PLACED = frozenset({"schema", "alias", "database", "enabled", "tags", "meta", "materialized", "target_schema", "delimiter"})
"""What the callers carry, from where dbt has worked it out."""
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_DATE = r"(\d{4}-\d{2}-\d{2}(?:[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?)"
_SAID = re.compile(
    rf"(?:{_DATE}|'{_DATE}'|(?:date|timestamp|timestamptz)\s*\(?\s*'{_DATE}'\s*\)?|'{_DATE}'::\w+|cast\(\s*'{_DATE}'\s+as\s+[\w ]+\)"
    rf"|to_(?:date|timestamp|timestamp_\w+)\(\s*'{_DATE}'\s*(?:,\s*'[^']*'\s*)?\))", re.I,
)  # fmt: skip
"""A date, however an engine wants it written."""
_MATERIALIZED = ("view", "table", "incremental", "ephemeral")
_STRATEGIES = ("append", "merge", "delete+insert", "insert_overwrite", "microbatch")
_REPLACES_BY_DEFAULT = ("postgres", "duckdb")
"""Adapters whose incremental models with a key delete and insert where they say nothing."""


def of_model(node: Node, dialect: str, tell: Tell) -> dict[str, Any]:
    found = _said(node, "model_config", spec.ModelConfig, tell)
    materialized = str(node.config.get("materialized") or "view")
    if materialized not in _MATERIALIZED:
        reason = spec.VALUES_NOT_CARRIED.get(("materialized", materialized), "it is a materialization of your own, or of an adapter")
        tell("decide", materialized, f"materialized: {materialized} became a table: {reason}")
        materialized = "table"
    out: dict[str, Any] = {"materialized": materialized}
    if materialized == "incremental":
        out |= _incremental(found, dialect, tell)
    else:
        if found.pop("event_time", None):
            tell("left out", "event_time", f"event_time: {spec.NOT_CARRIED['source_config']['event_time']}")
        for key in ("incremental_strategy", "on_schema_change", "full_refresh", "batch_size", "begin", "lookback", "merge_update_columns",
                    "merge_exclude_columns"):  # fmt: skip
            found.pop(key, None)
        if found.pop("unique_key", None):
            tell("left out", "unique_key", "unique_key means nothing where it is no incremental: here it would be a primary key")
    if materialized in ("view", "ephemeral"):
        for key in ("partition_by", "cluster_by", "indexes"):
            found.pop(key, None)
    return {**out, **found}


def of_snapshot(node: Node, tell: Tell) -> dict[str, Any]:
    found = _said(node, "snapshot_config", spec.SnapshotConfig, tell)
    out: dict[str, Any] = {"compat": "dbt"}
    for key in ("strategy", "unique_key", "updated_at", "check_cols"):
        if key in found:
            out[key] = found.pop(key)
    if (at := out.get("updated_at")) and not _KEY.fullmatch(str(at).strip('"')):
        tell("decide", "updated_at", f"updated_at: {at} is an expression: give the relation a column for it")
    if node.config.get("invalidate_hard_deletes") and "hard_deletes" not in found:
        tell("said otherwise", "invalidate_hard_deletes", "invalidate_hard_deletes: true is hard_deletes: invalidate")
        found["hard_deletes"] = "invalidate"
    names = {k: v for k, v in dict(found.pop("snapshot_meta_column_names", None) or {}).items() if v}
    if names:
        found["snapshot_meta_column_names"] = names
    if current := found.pop("dbt_valid_to_current", None):
        if date := _SAID.fullmatch(str(current).strip()):
            found["dbt_valid_to_current"] = next(group for group in date.groups() if group)
        else:
            tell("decide", "dbt_valid_to_current", f"dbt_valid_to_current: {current} is an expression: write the date that it gives")
    return {**out, **found}


def of_seed(node: Node, tell: Tell) -> dict[str, Any]:
    said = {k: v for k, v in node.unrendered_config.items() if k != "column_types"}
    found = _said(node.model_copy(update={"unrendered_config": said}), "seed_config", spec.SeedConfig, tell)
    delimiter = node.config.get("delimiter") or ","
    return {**({"delimiter": delimiter} if delimiter != "," else {}), **found}


def of_test(node: Node, tell: Tell, *done: str) -> dict[str, Any]:
    """Severity and condition; `done`: what the query says already."""
    out: dict[str, Any] = {}
    if str(node.config.get("severity", "error")).lower() == "warn":
        out["severity"] = "warn"
    if where := node.config.get("where"):
        out["where"] = where
        if "{{" in str(where):
            tell("decide", "where", "its where: is a template: write what it says")
    for key, value in node.unrendered_config.items():
        if value is not False and key not in done and (reason := spec.NOT_CARRIED["test_config"].get(key)):
            tell("left out", key, f"{key}: {reason}")
    if tags := sorted(set(node.tags)):
        out["tags"] = tags
    if meta := dict(node.config.get("meta") or {}):
        out["meta"] = meta
    return out


def _said(node: Node, section: str, shape: type[BaseModel], tell: Tell) -> dict[str, Any]:
    """What somebody has written for the node, here or for its folder, under our names; in the order of our reference."""
    known = {field.alias or name for name, field in shape.model_fields.items()}
    refused = spec.NOT_CARRIED[section]
    found: dict[str, Any] = {}
    for key in node.unrendered_config:
        value = node.config.get(key, node.unrendered_config[key])
        if key in _PLACED or value in (None, [], {}, ""):
            continue
        if key in known:
            found[key] = value
        elif value is False:
            continue  # it is not done here either
        elif reason := refused.get(key) or refused.get(key.replace("_", "-")):
            hooked = f" ({' '.join(str(node.unrendered_config[key]).split())})" if key.endswith("hook") else ""
            if key != "invalidate_hard_deletes":
                tell("left out", key, f"{key}{hooked}: {reason}")
        else:
            tell("left out", key, f"{key}: no key of c360gen or of dbt; a note of your own is said under meta:")
    for key, shaped in _SHAPED.items():
        if key in found and (value := shaped(found.pop(key), tell)):
            found[key] = value
    ordered = [field.alias or name for name, field in shape.model_fields.items()]
    return {key: found[key] for key in ordered if key in found}


def _keys(value: Any, tell: Tell) -> Any:
    names = [value] if isinstance(value, str) else [str(n) for n in value]
    for name in names:
        if not _KEY.fullmatch(name):
            tell("decide", "unique_key", f"unique_key: {name} is an expression: name its columns, or give the SQL a column for it")
    return names[0] if len(names) == 1 else names


def _schema_change(value: Any, tell: Tell) -> Any:
    if reason := spec.VALUES_NOT_CARRIED.get(("on_schema_change", value)):
        tell("left out", "on_schema_change", f"on_schema_change: {value}: {reason}")
        return None
    return value


def _grants(value: Any, tell: Tell) -> Any:
    out: dict[str, Any] = {}
    for right, roles in dict(value).items():
        who = [roles] if isinstance(roles, str) else list(roles)
        if right in ("select", "roles/bigquery.dataViewer"):
            out.setdefault("select", []).extend(who)
        else:
            tell("left out", right, f"grants: {right}: {spec.NOT_CARRIED['grants'].get(right, 'only select is granted by a node')}")
    return out


def _persisted(value: Any, tell: Tell) -> Any:
    """Comments are written unless somebody says otherwise."""
    return {key: False for key in ("relation", "columns") if value.get(key) is False}


def _contract(value: Any, tell: Tell) -> Any:
    return {"enforced": True} if value.get("enforced") else None


def _partition(value: Any, tell: Tell) -> Any:
    if not isinstance(value, Mapping):
        return value
    for key in value:
        if reason := spec.NOT_CARRIED["partition_by"].get(key):
            tell("decide", "partition_by", f"partition_by: {key}: {reason}")
    return {key: value[key] for key in ("field", "data_type", "granularity") if key in value}


def _indexes(value: Any, tell: Tell) -> Any:
    if any(index.get("type") not in (None, "btree") for index in value):
        tell("left out", "type", f"indexes: type: {spec.NOT_CARRIED['indexes']['type']}")
    kept = [i for i in value if i.get("type") in (None, "btree")]
    return [{"columns": i["columns"], **({"unique": True} if i.get("unique") else {})} for i in kept]


_SHAPED: dict[str, Callable[[Any, Tell], Any]] = {
    "unique_key": _keys, "on_schema_change": _schema_change, "grants": _grants, "persist_docs": _persisted, "contract": _contract,
    "partition_by": _partition, "indexes": _indexes,
}  # fmt: skip
"""Keys whose values are written differently here."""


def _incremental(found: dict[str, Any], dialect: str, tell: Tell) -> dict[str, Any]:
    """How dbt would have loaded it, said in words: adapters have different defaults, and a merge without a key appends."""
    strategy, keyed = found.pop("incremental_strategy", None), bool(found.get("unique_key"))
    if strategy is None and keyed:
        strategy = "delete+insert" if dialect in _REPLACES_BY_DEFAULT else "merge"
        tell("said otherwise", "incremental", f"incremental_strategy: {strategy} is what dbt does on {dialect} where nothing is said")
    elif strategy in (None, "merge", "delete+insert") and not keyed:
        if strategy is not None:
            tell("said otherwise", strategy, f"{strategy} without a unique_key only adds rows: it is called append here")
        strategy = "append"
    elif strategy not in _STRATEGIES:
        tell(
            "decide", str(strategy), f"incremental_strategy: {strategy} is your own or an adapter's: choose one of {', '.join(_STRATEGIES)}"
        )
        strategy = "merge" if keyed else "append"
    out = {"incremental_strategy": strategy}
    if strategy != "microbatch":
        for key in ("event_time", "batch_size", "begin", "lookback"):
            found.pop(key, None)
    else:
        found.setdefault("lookback", 1)  # dbt's default, which no file of the project has to say
    if strategy != "merge":
        for key in ("merge_update_columns", "merge_exclude_columns"):
            found.pop(key, None)
    return out
