"""dbt's words that are not ours, and why."""

from __future__ import annotations

NOT_CARRIED: dict[str, frozenset[str]] = {
    "project": frozenset(),
    "sources": frozenset({"loaded_at_query", "loader", "overrides", "quoting"}),
    "tables": frozenset(
        {"tests", "loaded_at_query", "loader", "external", "quoting"}
    ),
    "source_config": frozenset({"event_time", "loaded_at_query", "quoting", "static_analysis"}),
    "columns": frozenset({"constraints", "config", "policy_tags", "granularity", "dimension", "entity"}),
    "data_tests": frozenset(),
    "test_config": frozenset({"error_if", "fail_calc", "group", "limit", "store_failures", "store_failures_as", "warn_if"}),
    "snapshots": frozenset({"docs", "tests", "group", "latest_version", "versions"}),
    "snapshot_config": frozenset(
        {
            "database", "invalidate_hard_deletes", "grants", "persist_docs", "event_time",
            "pre_hook", "post_hook", "quote_columns", "group", "docs", "full_refresh", "target_schema", "target_database",
        }
    ),
    "partition_by": frozenset({"range", "time_ingestion_partitioning", "copy_partitions"}),
    "models": frozenset(
        {"access", "constraints", "deprecation_date", "docs", "group", "latest_version", "tests", "unit_tests", "versions"}
    ),
    "model_config": frozenset(
        {
            "access", "concurrent_batches", "contract", "database", "docs", "freshness", "full_refresh", "grants", "group",
            "incremental_predicates", "on_configuration_change", "on_schema_change", "persist_docs", "post_hook", "pre_hook",
            "sql_header", "predicates", "transient", "require_partition_filter",
        }
    ),
    "seeds": frozenset({"docs", "tests", "group", "latest_version", "versions"}),
    "seed_config": frozenset(
        {
            "column_types", "quote_columns", "database", "full_refresh", "pre_hook", "post_hook", "grants", "persist_docs", "docs",
            "group",
        }
    ),
    "exposures": frozenset({"config", "access", "group"}),
    "file": frozenset(
        {"analyses", "functions", "groups", "macros", "metrics", "saved_queries", "semantic_models", "unit_tests"}
    ),
}  # fmt: skip
"""dbt's keys that a section does not carry yet: an error of their own (C106) instead of `unknown key`."""

_PREDICATES = "a predicate that hides the row of a known key makes a second insert of its update; cursor and lookback say what is read"
WHY_NOT_CARRIED = {
    "incremental_predicates": _PREDICATES,
    "predicates": _PREDICATES,
    "concurrent_batches": "windows are loaded oldest first, one transaction each, so that the first failure stops the run",
}
"""The reason, and what to do instead, for keys that are left out on purpose."""

VALUES_NOT_CARRIED = frozenset({("materialized", "materialized_view")})
"""dbt's values that are not carried yet, with their keys."""
