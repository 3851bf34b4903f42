"""Executes the very text of BigQuery and Snowflake procedures on DuckDB: control flow in an interpreter, each statement transpiled.

What it cannot show: locks, visibility between sessions, rights, the types of Snowflake. Nothing here ran on BigQuery or Snowflake.
"""
