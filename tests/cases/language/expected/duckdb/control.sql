-- c360gen | duckdb | control tables: run log, state, releases | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2f17a78e1b5bc7580467b055f4d8af9064d01eb30f9584a2eb6638f972199b9e

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
    action           TEXT NOT NULL DEFAULT 'run',
    dry_run          BOOLEAN NOT NULL DEFAULT false,
    status           TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned', 'rewound')),
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
    window_start     TIMESTAMPTZ,
    window_end       TIMESTAMPTZ,
    message          TEXT,
    spec_hash        TEXT NOT NULL
);

-- One row per node and window of a microbatch. Delete a row, and the next run loads its window again.
CREATE TABLE IF NOT EXISTS c360_control.windows (
    node         TEXT NOT NULL,
    window_start TIMESTAMPTZ NOT NULL,
    window_end   TIMESTAMPTZ NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed')),
    run_id       BIGINT NOT NULL,
    loaded_as_of TIMESTAMPTZ,
    PRIMARY KEY (node, window_start)
);

-- The oldest window that is due at a run time, or NULL: one that is not known yet, or whose last success is older than this run and than
-- the end of its lookback. So an outage of any length fills itself, a failed window is tried again, and an old one is final.
CREATE OR REPLACE MACRO c360_control.window_next(p_node, p_begin, p_lookback, p_until) AS (
    SELECT min(d.window_start)
    FROM (
        SELECT w.window_start
        FROM c360_control.windows AS w
        WHERE w.node = p_node
          AND w.window_start BETWEEN p_begin AND p_until
          AND (w.loaded_as_of IS NULL OR w.loaded_as_of < LEAST(p_until, w.window_end + p_lookback))
        UNION ALL
        SELECT n.window_start
        FROM (
            SELECT p_begin AS window_start
            UNION ALL
            SELECT w.window_end FROM c360_control.windows AS w WHERE w.node = p_node AND w.window_start >= p_begin
        ) AS n
        WHERE n.window_start <= p_until
          AND NOT EXISTS (SELECT 1 FROM c360_control.windows AS k WHERE k.node = p_node AND k.window_start = n.window_start)
    ) AS d
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
    WHERE r.action = 'run'
    QUALIFY row_number() OVER (PARTITION BY r.node ORDER BY r.run_id DESC) = 1
) AS l ON l.node = s.node
WHERE l.status IS NULL OR l.status NOT IN ('succeeded', 'rewound');


-- One row per node: how fresh it is, how its last run ended, and how often it has failed since it last succeeded.
CREATE OR REPLACE VIEW c360_control.node_status AS
SELECT
    s.node, s.last_as_of AS fresh_until, s.watermark, l.run_id AS last_run_id, COALESCE(l.status, 'never run') AS last_status,
    l.started_at AS last_started_at, l.finished_at AS last_finished_at, COALESCE(f.failures, 0) AS failures, l.message,
    CAST(NULL AS TEXT) AS at_work
FROM c360_control.state AS s
LEFT JOIN (
    SELECT r.node, r.run_id, r.status, r.started_at, r.finished_at, r.message
    FROM c360_control.run_log AS r
    WHERE r.action = 'run'
    QUALIFY row_number() OVER (PARTITION BY r.node ORDER BY r.run_id DESC) = 1
) AS l ON l.node = s.node
LEFT JOIN (
    SELECT r.node, count(*) AS failures
    FROM c360_control.run_log AS r
    LEFT JOIN (
        SELECT o.node, max(o.run_id) AS run_id FROM c360_control.run_log AS o WHERE o.action = 'run' AND o.status = 'succeeded' GROUP BY o.node
    ) AS g ON g.node = r.node
    WHERE r.action = 'run' AND r.status IN ('failed', 'abandoned') AND r.run_id > COALESCE(g.run_id, 0)
    GROUP BY r.node
) AS f ON f.node = s.node;

-- One row per seed: the hash of the rows that were loaded last.
CREATE TABLE IF NOT EXISTS c360_control.seed_state (
    seed      TEXT NOT NULL PRIMARY KEY,
    digest    TEXT NOT NULL,
    loaded_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
