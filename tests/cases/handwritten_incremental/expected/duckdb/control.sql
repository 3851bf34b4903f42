-- c360gen | duckdb | control tables: run log, state, releases | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 718a3133d4c01f59d63dd6fc90bfd8b08faead07b384b0ebf0cd6638c9ed641f

-- One row per node: its watermark, and the proof that time does not run backwards.
CREATE TABLE IF NOT EXISTS c360_control.state (
    node        TEXT NOT NULL PRIMARY KEY,
    watermark   TIMESTAMPTZ,
    last_as_of  TIMESTAMPTZ,
    last_run_id BIGINT
);

-- One row per run. `succeeded` is written by the transaction that writes the data, so it means committed.
CREATE SEQUENCE IF NOT EXISTS c360_control.run_id;
CREATE TABLE IF NOT EXISTS c360_control.run_log (
    run_id           BIGINT NOT NULL,
    node             TEXT NOT NULL,
    status           TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned')),
    as_of            TIMESTAMPTZ,
    started_at       TIMESTAMPTZ NOT NULL,
    finished_at      TIMESTAMPTZ,
    source_rows      BIGINT,
    inserted_rows    BIGINT,
    updated_rows     BIGINT,
    closed_rows      BIGINT,
    deleted_rows     BIGINT,
    revived_rows     BIGINT,
    unchanged_rows   BIGINT,
    dated_by_run     BIGINT,
    quarantined_rows BIGINT,
    watermark_before TIMESTAMPTZ,
    watermark_after  TIMESTAMPTZ,
    message          TEXT,
    spec_hash        TEXT NOT NULL
);

-- Division of exact numbers, as the other engines have it: nine decimals, half away from zero. DuckDB's own gives a DOUBLE.
CREATE OR REPLACE MACRO c360_quotient(n, d) AS (
    CASE WHEN d = 0 THEN error('division by zero') ELSE
        CAST(
            sign(n) * sign(d) * (
                (2 * abs(CAST(CAST(n AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)) * 1000000000
                    + abs(CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)))
                // (2 * abs(CAST(CAST(d AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT)))
            ) AS DECIMAL(38, 0)
        ) * 0.000000001
    END
);

-- What is wrong now: one row per node whose last run did not succeed.
CREATE OR REPLACE VIEW c360_control.run_health AS
SELECT s.node, l.run_id, COALESCE(l.status, 'never run') AS status, l.started_at, l.finished_at, l.message
FROM c360_control.state AS s
LEFT JOIN (
    SELECT r.node, r.run_id, r.status, r.started_at, r.finished_at, r.message
    FROM c360_control.run_log AS r
    QUALIFY row_number() OVER (PARTITION BY r.node ORDER BY r.run_id DESC) = 1
) AS l ON l.node = s.node
WHERE l.status IS DISTINCT FROM 'succeeded';
