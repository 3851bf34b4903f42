"""Symbols: relations and variables that have no address yet; a target gives them one when SQL is lowered."""

from __future__ import annotations

from typing import Literal

from sqlglot import exp

Kind = Literal["ref", "source", "query", "stage", "columns", "views", "quarantine", "observations", "control"]
KINDS: tuple[str, ...] = ("ref", "source", "query", "stage", "columns", "views", "quarantine", "observations", "control")
"""`query` is the SELECT of a node itself, without a name in the database; `columns` is what the engine's catalog knows of a source:
rows of (c360_name, c360_family); `views` are those, of meta `views`, that read another table than what has the name of the source now: rows
of (c360_name); `quarantine` holds rows kept back, `observations` every event of a feed that was read; `control` is a
table of the control schema."""


def relation(kind: Kind, name: str, alias: str | None = None) -> exp.Table:
    """ref, stg_orders → the symbol "ref"."stg_orders" (a source is named `source.table`)."""
    table = exp.Table(this=exp.to_identifier(name, quoted=True), db=exp.to_identifier(kind, quoted=True))
    if alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
    return table


def symbol(table: exp.Table) -> tuple[str, str] | None:
    """The (kind, name) of a symbolic relation, or None for any other table."""
    return (table.db, table.name) if table.db in KINDS and not table.catalog else None


def variable(name: str) -> exp.Placeholder:
    """A variable of the running procedure, e.g. as_of; each dialect has its own way to say it."""
    return exp.Placeholder(this=name)


def column(name: str, table: str | None = None) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True) if table else None)


VARIABLES: dict[str, str] = {
    "run_id": "run_id", "as_of": "timestamptz", "latest": "timestamptz", "last_as_of": "timestamptz",
    "full_refresh": "boolean", "incremental": "boolean",
    "watermark": "timestamptz", "window_start": "timestamptz", "window_end": "timestamptz", "newest": "timestamptz",
    "source_rows": "bigint", "open_rows": "bigint", "target_rows": "bigint", "new_rows": "bigint",
    "changed_rows": "bigint", "revived_rows": "bigint", "deleted_rows": "bigint", "updated_rows": "bigint",
    "older_rows": "bigint", "dated_by_run": "bigint", "null_keys": "bigint", "null_times": "bigint",
    "future_times": "bigint", "duplicate_keys": "bigint", "blocked_rows": "bigint", "drifted_columns": "bigint",
    "drifted_names": "text", "swapped_views": "bigint", "swapped_names": "text",
    "absent_rows": "bigint", "staged_rows": "bigint", "starting_rows": "bigint", "closing_rows": "bigint",
    "rewind_to": "timestamptz", "erase_key": "text", "dry_run": "boolean", "removed_rows": "bigint", "reopened_rows": "bigint",
    "damaged_rows": "bigint", "damage": "text", "kept_as_of": "timestamptz", "remaining_rows": "bigint", "held_back_rows": "bigint",
    "unknown_rows": "bigint",
    "first_partition": "timestamptz", "moved_rows": "bigint", "outside_rows": "bigint",
    "unmatched_rows": "bigint", "new_keys": "bigint", "unmoved_rows": "bigint", "quarantined_rows": "bigint",
    "oldest": "timestamptz", "event_rows": "bigint", "effective_rows": "bigint", "late_rows": "bigint", "vanished_rows": "bigint",
    "rewritten_rows": "bigint", "unexplained_rows": "bigint", "stale_sources": "bigint", "stale_names": "text",
    "violating_rows": "bigint",
}  # fmt: skip
"""Every variable that a program may use, with its type. A column must not have the name of one, `v_` in front."""

OWN_PREFIX = "c360_"
"""Columns of stage tables that are ours start with it; columns of users must not."""


_LOCALS = (
    "rows", "sample", "written", "message", "in_transaction", "next_watermark", "sqlstate", "detail", "hint", "context", "raise", "until",
)  # fmt: skip
RESERVED = frozenset(
    {f"v_{name}" for name in (*VARIABLES, *_LOCALS)}
    | {"p_as_of", "p_full_refresh", "p_run_id", "p_at", "p_from", "p_to", "p_key", "p_dry_run"}
    | {"c_node", "c_spec_hash", "c_tolerance", "c_lookback", "c_begin", "c_size", "c_page_cost"}
)
"""What procedures call their variables: where a column has such a name, BigQuery would take the column in silence."""


def reserved(column_name: str) -> bool:
    """Whether a user's column would be taken for one of our variables or stage columns."""
    plain = column_name.lower()
    return plain.startswith(OWN_PREFIX) or plain in RESERVED


LONGEST = 63
"""Bytes of a name that every engine takes."""


def cut(name: str, limit: int = LONGEST) -> str:
    """A name that every engine takes: at most so many bytes, a hash in place of what had to go."""
    import hashlib

    raw = name.encode()
    if len(raw) <= limit:
        return name
    return raw[: limit - 9].decode(errors="ignore") + "_" + hashlib.sha256(raw).hexdigest()[:8]
