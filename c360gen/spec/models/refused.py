"""dbt's words that are not ours: by section, each with the reason, and with what to do instead."""

from __future__ import annotations

_HOOK = "it would run inside of the transaction, or break it: let a role of the target, a scheduler or another node do it"
_HOOKS = {"pre_hook": _HOOK, "post_hook": _HOOK, "pre-hook": _HOOK, "post-hook": _HOOK}
_DATABASE = "a target has one database: say database: under targets:, and several targets where there are several"
_GROUP = "groups tell who may ref a model, which one project need not: say with grants: who may read it, and in meta: whose it is"
_DOCS = "it colours dbt's own graph: c360gen ls shows ours, and meta: keeps notes"
_VERSIONS = "a table has one version here: give the new one a name of its own, and keep the old one as a view until nobody reads it"
_QUOTING = "names are quoted where an engine needs it; a name that is spelled otherwise says quote: true at its column"
_STATIC = "SQL is always analysed: what cannot be is an error"
_TESTS = "say data_tests:"

_NODE = {
    **_HOOKS, "database": _DATABASE, "group": _GROUP, "docs": _DOCS, "static_analysis": _STATIC, "quoting": _QUOTING,
    "sql_header": "a statement in front of every other would change what they mean: set it for the role of the target",
    "query_tag": "set it for the user or the role that runs: ALTER USER … SET QUERY_TAG",
    "snowflake_warehouse": "say warehouse: of the target",
    "copy_grants": "views keep their grants always, and tables are never replaced",
    "packages": "Python models are no SQL: SQL is what the database runs here",
    "python_version": "Python models are no SQL: SQL is what the database runs here",
    "submission_method": "Python models are no SQL: SQL is what the database runs here",
}  # fmt: skip
"""Settings of every node."""

_STORED = {
    "transient": "a transient table has no fail-safe, and history cannot be made anew: set DATA_RETENTION_TIME_IN_DAYS of the schema",
    "unlogged": "an unlogged table is empty after a crash: stages are unlogged already",
    "table_format": "tables are native: transactions over several statements need that",
    "catalog_name": "tables are native: transactions over several statements need that",
    "external_volume": "tables are native: transactions over several statements need that",
    "base_location_subpath": "tables are native: transactions over several statements need that",
    "automatic_clustering": "say cluster_by: Snowflake clusters by itself; ALTER TABLE … SUSPEND RECLUSTER stops it",
    "tmp_relation_type": "a stage is a temporary table always: it is read several times and must not change meanwhile",
    "partition_expiration_days": "rows that go by themselves look deleted, and nobody logs it: erase_<node> does",
    "hours_to_expiration": "rows that go by themselves look deleted, and nobody logs it: erase_<node> does",
    "kms_key_name": "set it for the data set: new tables take it",
    "labels": "set them for the data set; meta: and tags: are for people and selections",
    "resource_tags": "set them for the data set; meta: and tags: are for people and selections",
    "maximum_bytes_billed": "set it for the job or the project: a limit in a procedure stops it in the middle",
    "row_access_policy": "policies are the database's: they must not go and come with a deploy",
    "immutable_where": "nothing is updated that the strategy does not say: lookback, begin and merge_update_columns limit it",
    "partitions": "insert_overwrite replaces the partitions that the batch names",
    "require_partition_filter": "people's queries are limited by the project's quota; a run must see the whole table",
    "copy_partitions": "copying cannot be part of a transaction: insert_overwrite deletes and inserts in one",
    "dist": "no engine here has it: cluster_by and indexes say how rows lie",
    "sort": "no engine here has it: cluster_by and indexes say how rows lie",
    "file_format": "no engine here has it",
    "location_root": "no engine here has it",
    "buckets": "no engine here has it",
}  # fmt: skip
"""Settings of tables."""

_PREDICATES = "a predicate that hides the row of a known key makes a second insert of its update; cursor and lookback say what is read"
_MATERIALIZED_VIEW = "only of materialized views, which each engine refreshes as it likes: a table with a schedule is the same everywhere"

_MODEL = {
    **_NODE, **_STORED,
    "access": _GROUP,
    "incremental_predicates": _PREDICATES, "predicates": _PREDICATES,
    "concurrent_batches": "windows are loaded oldest first, one transaction each, so that the first failure stops the run",
    "freshness": "how fresh a node is, is in node_status; how fresh its sources must be is said under sources:",
    "on_configuration_change": _MATERIALIZED_VIEW, "target_lag": _MATERIALIZED_VIEW, "refresh_mode": _MATERIALIZED_VIEW,
    "initialize": _MATERIALIZED_VIEW, "enable_refresh": _MATERIALIZED_VIEW, "refresh_interval_minutes": _MATERIALIZED_VIEW,
    "max_staleness": _MATERIALIZED_VIEW,
    "secure": "say who may read the view with roles of the target; ALTER VIEW … SET SECURE keeps until the view changes",
    "grant_access_to": "authorized views are a right: say it once for the data set",
    "auto_refresh": "no engine here has it", "backup": "no engine here has it", "bind": "no engine here has it",
}  # fmt: skip

_SNAPSHOT = {
    **_NODE, **_STORED,
    "invalidate_hard_deletes": "say hard_deletes: invalidate",
    "target_schema": "say schema:", "target_database": _DATABASE,
    "full_refresh": "a history cannot be made anew from what the source is today",
    "event_time": "the time of a change is updated_at; of a feed, cursor says when a row came in",
    "quote_columns": _QUOTING,
}  # fmt: skip

_SEED = {
    **_NODE, **_STORED,
    "column_types": "say data_type: of each column, under columns:",
    "quote_columns": _QUOTING,
    "full_refresh": "all rows are replaced whenever they changed",
    "event_time": "a seed is loaded whole",
}  # fmt: skip

_OF_MODELS = {
    "access": _GROUP, "group": _GROUP, "docs": _DOCS, "latest_version": _VERSIONS, "versions": _VERSIONS, "tests": _TESTS,
    "deprecation_date": "say it in description:, where readers see it in the database",
    "unit_tests": "say scenarios: days of source rows and what must be there after them",
    "time_spine": "semantic models are left to the tool that asks the questions: models are tables and views like any other",
    "semantic_model": "semantic models are left to the tool that asks the questions: models are tables and views like any other",
}  # fmt: skip

_SEMANTIC = "metrics are left to the tool that asks the questions: exposures say who reads what"

NOT_CARRIED: dict[str, dict[str, str]] = {
    "sources": {
        "loaded_at_query": "say loaded_at_field: and freshness: filter:, which mean the same on every engine",
        "loader": "say it in meta:",
        "overrides": "sources are this project's own: write them anew",
        "quoting": _QUOTING,
    },
    "tables": {
        "loaded_at_query": "say loaded_at_field: and freshness: filter:, which mean the same on every engine",
        "loader": "say it in meta:",
        "external": "c360gen reads sources and never creates them",
        "quoting": _QUOTING,
        "tests": _TESTS,
    },
    "source_config": {
        "event_time": "a model reads by its cursor, or a microbatch by its event_time",
        "loaded_at_query": "say loaded_at_field: and freshness: filter:, which mean the same on every engine",
        "quoting": _QUOTING,
        "static_analysis": _STATIC,
    },
    "columns": {
        "config": "say tags: and meta: beside the column's name",
        "policy_tags": "policies are the database's: they must not go and come with a deploy",
        "granularity": _SEMANTIC, "dimension": _SEMANTIC, "entity": _SEMANTIC,
    },
    "test_config": {
        "error_if": "a test fails by one row, or warns by severity: warn",
        "warn_if": "a test fails by one row, or warns by severity: warn",
        "fail_calc": "a test counts the rows that it returns",
        "limit": "a test shows a few rows and counts all",
        "store_failures": "the query is in tests/: run it where the rows should be kept",
        "store_failures_as": "the query is in tests/: run it where the rows should be kept",
        "group": _GROUP,
    },
    "snapshots": {k: v for k, v in _OF_MODELS.items() if k in ("group", "docs", "latest_version", "versions", "tests")},
    "snapshot_config": _SNAPSHOT,
    "models": _OF_MODELS,
    "model_config": _MODEL,
    "seeds": {
        **{k: v for k, v in _OF_MODELS.items() if k in ("group", "docs", "latest_version", "versions", "tests")},
        "constraints": "its values are checked when it is built; data_tests: look at the whole",
    },
    "seed_config": _SEED,
    "partition_by": {
        "range": "partitions are hours, days, months or years: cluster_by sorts by numbers",
        "time_ingestion_partitioning": "the time of ingestion is not a column of the model: give the rows one and name it as field:",
        "copy_partitions": _STORED["copy_partitions"],
    },
    "constraints": {
        "warn_unenforced": "what an engine does not enforce is checked by every run: there is nothing to warn of",
        "warn_unsupported": "what an engine does not know is checked by every run: there is nothing to warn of",
    },
    "grants": dict.fromkeys(
        ("insert", "update", "delete", "truncate", "all", "roles/bigquery.dataViewer", "roles/bigquery.dataEditor"),
        "say select: only procedures write, and who may call them is the target's runner; BigQuery's role for select is dataViewer",
    ),
    "contract": {"alias_types": "types are written in any engine's words, and mean the same on all"},
    "indexes": {"type": "an index is a btree, which keeps what every strategy looks up: add others in the database"},
    "exposures": {"config": "say enabled:, tags: and meta: beside its name", "access": _GROUP, "group": _GROUP},
    "file": {
        "analyses": "a query that nobody runs needs no compiler: keep it in a folder of its own",
        "functions": "create them in the database, and list them under project: functions:",
        "groups": _GROUP,
        "macros": "model SQL has dbt's few words and no macros: a view, or an ephemeral model, is SQL that is shared",
        "metrics": _SEMANTIC, "saved_queries": _SEMANTIC, "semantic_models": _SEMANTIC,
        "unit_tests": _OF_MODELS["unit_tests"],
    },
}  # fmt: skip
"""dbt's keys that a section does not carry: an error of their own (C106) instead of `unknown key`."""

VALUES_NOT_CARRIED: dict[tuple[str, object], str] = {
    ("type", "custom"): "what one engine alone understands is kept in that database; a check is the same everywhere",
    ("materialized", "materialized_view"): "each engine refreshes one as it likes: a table with a schedule is the same everywhere",
    ("materialized", "dynamic_table"): "only Snowflake has it: a table with a schedule is the same everywhere",
    ("on_schema_change", "ignore"): "a column that is not written would be NULL from then on, in silence: leave it out of the SQL instead",
    ("on_schema_change", "sync_all_columns"): "it drops columns with all they hold: a column that goes is a migration, which keeps it",
}
"""dbt's values that are not carried, with their keys."""
