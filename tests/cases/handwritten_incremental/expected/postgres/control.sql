-- c360gen | postgres | control tables: run log, state, releases | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b3e2eeb1c7e4824607f9a10fb138e41df3752e5739baebf404667b27cfc902bd

-- One row per node: the lock that every run takes first, the watermark, and the proof that time does not run backwards.
CREATE TABLE IF NOT EXISTS c360_control.state (
    node        TEXT NOT NULL,
    watermark   TIMESTAMPTZ,
    last_as_of  TIMESTAMPTZ,
    last_run_id BIGINT,
    CONSTRAINT state_pk PRIMARY KEY (node)
);
COMMENT ON TABLE c360_control.state IS 'One row per node: its lock, watermark and last run.';

-- One row per run. `succeeded` is written by the transaction that writes the data, so it means committed.
CREATE TABLE IF NOT EXISTS c360_control.run_log (
    run_id           BIGINT GENERATED ALWAYS AS IDENTITY,
    node             TEXT NOT NULL,
    status           TEXT NOT NULL,
    as_of            TIMESTAMPTZ,
    started_at       TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
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
    sqlstate         TEXT,
    message          TEXT,
    detail           TEXT,
    spec_hash        TEXT NOT NULL,
    called_by        TEXT NOT NULL DEFAULT session_user,
    backend_pid      INTEGER NOT NULL DEFAULT pg_backend_pid(),
    CONSTRAINT run_log_pk PRIMARY KEY (run_id),
    CONSTRAINT run_log_status_ck CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned'))
);
CREATE INDEX IF NOT EXISTS run_log_node_ix ON c360_control.run_log (node, run_id DESC);
CREATE INDEX IF NOT EXISTS run_log_running_ix ON c360_control.run_log (node) WHERE status = 'running';
COMMENT ON TABLE c360_control.run_log IS 'One row per run: how it ended, what it read and wrote, and why it failed.';

-- Opens a run. First it marks as `abandoned` every `running` row that nobody works on: a live run keeps its own row locked, so
-- SKIP LOCKED passes over it; for the instant before it takes that lock, the process is there and the row is young.
CREATE OR REPLACE FUNCTION c360_control.run_begin(p_node TEXT, p_spec_hash TEXT, p_as_of TIMESTAMPTZ)
RETURNS BIGINT
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_run_id BIGINT;
BEGIN
    UPDATE c360_control.run_log AS l
       SET status = 'abandoned',
           finished_at = clock_timestamp(),
           message = 'the process ended without a word (killed, terminated or a server crash); nothing of this run was committed'
     WHERE l.run_id IN (
            SELECT r.run_id
              FROM c360_control.run_log AS r
             WHERE r.node = p_node
               AND r.status = 'running'
               AND NOT (r.started_at > clock_timestamp() - INTERVAL '10 seconds' AND EXISTS (
                    SELECT 1 FROM pg_catalog.pg_stat_activity AS a
                     WHERE a.pid = r.backend_pid AND a.pid <> pg_backend_pid() AND COALESCE(a.backend_start <= r.started_at, true)))
               FOR UPDATE SKIP LOCKED);
    INSERT INTO c360_control.run_log (node, status, spec_hash, as_of)
    VALUES (p_node, 'running', p_spec_hash, p_as_of)
    RETURNING run_id INTO v_run_id;
    RETURN v_run_id;
END;
$$;
REVOKE ALL ON FUNCTION c360_control.run_begin(TEXT, TEXT, TIMESTAMPTZ) FROM PUBLIC;

CREATE OR REPLACE FUNCTION c360_control.run_failed(p_run_id BIGINT, p_sqlstate TEXT, p_message TEXT, p_detail TEXT)
RETURNS VOID
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE c360_control.run_log
       SET status = 'failed',
           finished_at = clock_timestamp(),
           sqlstate = p_sqlstate,
           message = p_message,
           detail = p_detail
     WHERE run_id = p_run_id
       AND status IN ('running', 'abandoned');
$$;
REVOKE ALL ON FUNCTION c360_control.run_failed(BIGINT, TEXT, TEXT, TEXT) FROM PUBLIC;

-- What is wrong now: one row per node whose last run did not succeed. A run lives while its process holds a lock on the run log;
-- anybody may see locks, while backend_start is NULL to those who may not see the sessions of others.
CREATE OR REPLACE VIEW c360_control.run_health AS
SELECT s.node,
       l.run_id,
       CASE WHEN l.status IS NULL THEN 'never run'
            WHEN l.status = 'running' AND NOT EXISTS (
                SELECT 1 FROM pg_catalog.pg_stat_activity AS a
                 WHERE a.pid = l.backend_pid
                   AND a.datname = current_database()
                   AND COALESCE(a.backend_start <= l.started_at, true)
                   AND (l.started_at > clock_timestamp() - INTERVAL '10 seconds' OR EXISTS (
                        SELECT 1 FROM pg_catalog.pg_locks AS k
                         WHERE k.pid = a.pid
                           AND k.relation = 'c360_control.run_log'::regclass
                           AND k.mode IN ('RowShareLock', 'RowExclusiveLock'))))
            THEN 'abandoned'
            ELSE l.status
       END AS status,
       l.started_at,
       l.finished_at,
       l.sqlstate,
       l.message,
       l.detail
  FROM c360_control.state AS s
  LEFT JOIN LATERAL (
        SELECT r.run_id, r.status, r.started_at, r.finished_at, r.sqlstate, r.message, r.detail, r.backend_pid
          FROM c360_control.run_log AS r
         WHERE r.node = s.node
         ORDER BY r.run_id DESC
         LIMIT 1) AS l ON true
 WHERE l.status IS DISTINCT FROM 'succeeded';
