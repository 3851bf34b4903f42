"""The statements that `dbt snapshot` (dbt-core 1.11, dbt-postgres 1.11, dbt-duckdb 1.11) sends for one snapshot, taken from its log.

Left away: what it asks the catalog (a few milliseconds), comments and empty lines. hard_deletes: invalidate.
"""

from __future__ import annotations

COLUMNS = ("customer_id", "first_name", "last_name", "email", "phone", "created_at", "updated_at")
TRACKED = ("first_name", "last_name", "email", "phone")
NOW = {"postgres": "now()::timestamp without time zone", "duckdb": "now()::timestamp"}
OWN = ("dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_scd_id")


def changed(strategy: str) -> str:
    if strategy == "timestamp":
        return "(snapshotted_data.dbt_valid_from < source_data.updated_at)"
    parts = []
    for c in TRACKED:
        old, new = f'snapshotted_data."{c}"', f'source_data."{c}"'
        parts.append(f"{old} != {new} or (({old} is null) and not ({new} is null)) or ((not {old} is null) and ({new} is null))")
    return f"({' or '.join(parts)})"


def first(strategy: str, engine: str, target: str) -> str:
    """The first run: CREATE TABLE AS."""
    at = "updated_at" if strategy == "timestamp" else NOW[engine]
    return (
        f"create table {target} as (select *, {scd_id(at)} as dbt_scd_id, {at} as dbt_updated_at, {at} as dbt_valid_from, "
        f"coalesce(nullif({at}, {at}), null) as dbt_valid_to from (select * from raw_data.customers) sbq)"
    )


def scd_id(at: str) -> str:
    return f"md5(coalesce(cast(customer_id as varchar ), '') || '|' || coalesce(cast({at} as varchar ), ''))"


def later(strategy: str, engine: str, target: str) -> list[str]:
    """Every later run: a temporary table of what to do, UPDATE, INSERT; in one transaction."""
    now = NOW[engine]
    at = "updated_at" if strategy == "timestamp" else now
    key = "customer_id as dbt_unique_key"
    stage = f"""create temporary table dbt_tmp as (
    with snapshot_query as (select * from raw_data.customers),
    snapshotted_data as (select *, {key} from {target} where dbt_valid_to is null),
    insertions_source_data as (
        select *, {key}, {at} as dbt_updated_at, {at} as dbt_valid_from, coalesce(nullif({at}, {at}), null) as dbt_valid_to,
            {scd_id(at)} as dbt_scd_id
        from snapshot_query
    ),
    updates_source_data as (
        select *, {key}, {at} as dbt_updated_at, {at} as dbt_valid_from, {at} as dbt_valid_to from snapshot_query
    ),
    deletes_source_data as (select *, {key} from snapshot_query),
    insertions as (
        select 'insert' as dbt_change_type, source_data.*
        from insertions_source_data as source_data
        left outer join snapshotted_data on snapshotted_data.dbt_unique_key = source_data.dbt_unique_key
        where snapshotted_data.dbt_unique_key is null
            or (snapshotted_data.dbt_unique_key is not null and ({changed(strategy)}))
    ),
    updates as (
        select 'update' as dbt_change_type, source_data.*, snapshotted_data.dbt_scd_id
        from updates_source_data as source_data
        join snapshotted_data on snapshotted_data.dbt_unique_key = source_data.dbt_unique_key
        where ({changed(strategy)})
    ),
    deletes as (
        select 'delete' as dbt_change_type, source_data.*, {now} as dbt_valid_from, {now} as dbt_updated_at, {now} as dbt_valid_to,
            snapshotted_data.dbt_scd_id
        from snapshotted_data
        left join deletes_source_data as source_data on snapshotted_data.dbt_unique_key = source_data.dbt_unique_key
        where source_data.dbt_unique_key is null
    )
    select * from insertions union all select * from updates union all select * from deletes
)"""
    alias = " as t" if engine == "duckdb" else ""
    table = "t" if engine == "duckdb" else target
    close = f"""update {target}{alias} set dbt_valid_to = s.dbt_valid_to from dbt_tmp as s
    where s.dbt_scd_id::text = {table}.dbt_scd_id::text and s.dbt_change_type::text in ('update'::text, 'delete'::text)
    and {table}.dbt_valid_to is null"""
    names = ", ".join((*COLUMNS, *OWN))
    add = f"insert into {target} ({names}) select {names} from dbt_tmp as s where s.dbt_change_type::text = 'insert'::text"
    return [stage, close, add, "drop table dbt_tmp"]
