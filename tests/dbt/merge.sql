{# What dbt runs on Snowflake and BigQuery: its stock MERGE on the hash, here on Postgres. #}
{% macro postgres__snapshot_merge_sql(target, source, insert_cols) %}
  {{ default__snapshot_merge_sql(target, source, insert_cols) }}
{% endmacro %}
