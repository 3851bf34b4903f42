-- c360gen | postgres | control tables: run log, state, releases | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 338553c07d91fd2e60d237cbe048c59055dca0e280afab190fcd5e6eee23326d

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
    action           TEXT NOT NULL DEFAULT 'run',
    dry_run          BOOLEAN NOT NULL DEFAULT false,
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
    window_start     TIMESTAMPTZ,
    window_end       TIMESTAMPTZ,
    sqlstate         TEXT,
    message          TEXT,
    detail           TEXT,
    spec_hash        TEXT NOT NULL,
    called_by        TEXT NOT NULL DEFAULT session_user,
    backend_pid      INTEGER NOT NULL DEFAULT pg_backend_pid(),
    query_id         BIGINT,
    CONSTRAINT run_log_pk PRIMARY KEY (run_id),
    CONSTRAINT run_log_status_ck CHECK (status IN ('running', 'succeeded', 'failed', 'abandoned', 'rewound'))
);
CREATE INDEX IF NOT EXISTS run_log_node_ix ON c360_control.run_log (node, run_id DESC);
CREATE INDEX IF NOT EXISTS run_log_running_ix ON c360_control.run_log (node) WHERE status = 'running';
COMMENT ON TABLE c360_control.run_log IS 'One row per run: how it ended, what it read and wrote, and why it failed.';

-- One row per node and window of a microbatch. Delete a row, and the next run loads its window again.
CREATE TABLE IF NOT EXISTS c360_control.windows (
    node         TEXT NOT NULL,
    window_start TIMESTAMPTZ NOT NULL,
    window_end   TIMESTAMPTZ NOT NULL,
    status       TEXT NOT NULL,
    run_id       BIGINT NOT NULL,
    loaded_as_of TIMESTAMPTZ,
    CONSTRAINT windows_pk PRIMARY KEY (node, window_start),
    CONSTRAINT windows_status_ck CHECK (status IN ('running', 'succeeded', 'failed'))
);
COMMENT ON TABLE c360_control.windows IS 'One row per node and window: how its last run ended, and the run time of its last success.';

-- The oldest window that is due at a run time, or NULL: one that is not known yet, or whose last success is older than this run and than
-- the end of its lookback. So an outage of any length fills itself, a failed window is tried again, and an old one is final.
CREATE OR REPLACE FUNCTION c360_control.window_next(p_node TEXT, p_begin TIMESTAMPTZ, p_size TEXT, p_lookback INTEGER, p_until TIMESTAMPTZ)
RETURNS TIMESTAMPTZ
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT min(d.window_start)
      FROM (
            SELECT w.window_start
              FROM c360_control.windows AS w
             WHERE w.node = p_node
               AND w.window_start BETWEEN p_begin AND p_until
               AND (w.loaded_as_of IS NULL
                    OR w.loaded_as_of < LEAST(p_until, w.window_end + p_lookback * ('1 ' || p_size)::INTERVAL))
             UNION ALL
            SELECT n.window_start
              FROM (
                    SELECT p_begin AS window_start
                     UNION ALL
                    SELECT w.window_end
                      FROM c360_control.windows AS w
                     WHERE w.node = p_node
                       AND w.window_start >= p_begin) AS n
             WHERE n.window_start <= p_until
               AND NOT EXISTS (
                    SELECT 1 FROM c360_control.windows AS k WHERE k.node = p_node AND k.window_start = n.window_start)) AS d;
$$;
REVOKE ALL ON FUNCTION c360_control.window_next(TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ) FROM PUBLIC;

-- Gives a run its window: the oldest that is due, else the one that holds the run time; all at once for a full refresh.
CREATE OR REPLACE FUNCTION c360_control.window_begin(
    p_run_id BIGINT, p_node TEXT, p_begin TIMESTAMPTZ, p_size TEXT, p_lookback INTEGER, p_until TIMESTAMPTZ, p_full_refresh BOOLEAN,
    OUT p_window_start TIMESTAMPTZ, OUT p_window_end TIMESTAMPTZ
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '10s'
AS $$
DECLARE
    c_size CONSTANT INTERVAL := ('1 ' || p_size)::INTERVAL;
    c_last CONSTANT TIMESTAMPTZ := date_trunc(p_size, p_until);
BEGIN
    IF p_full_refresh THEN
        p_window_start := p_begin;
        p_window_end := c_last + c_size;
    ELSE
        p_window_start := COALESCE(c360_control.window_next(p_node, p_begin, p_size, p_lookback, p_until), c_last);
        p_window_end := p_window_start + c_size;
        INSERT INTO c360_control.windows AS w (node, window_start, window_end, status, run_id)
        SELECT p_node, p_window_start, p_window_end, 'running', p_run_id
          FROM c360_control.state AS s
         WHERE s.node = p_node
           AND p_until >= GREATEST(p_begin, s.last_as_of)  -- else the run fails, and says nothing of its window
           AND p_until <= clock_timestamp() + INTERVAL '300 seconds'
        ON CONFLICT (node, window_start) DO UPDATE SET window_end = EXCLUDED.window_end, status = 'running', run_id = EXCLUDED.run_id;
    END IF;
    UPDATE c360_control.run_log AS l
       SET window_start = p_window_start,
           window_end = p_window_end
     WHERE l.run_id = p_run_id AND l.node = p_node AND l.backend_pid = pg_backend_pid() AND l.status IN ('running', 'abandoned');
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('%s is not an open run of this session', p_run_id);
    END IF;
END;
$$;
REVOKE ALL ON FUNCTION c360_control.window_begin(BIGINT, TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- A run makes its stage and drops it; versions of c360gen before 0.1 left theirs, which would be in its way.
DO $$
DECLARE
    v_left REGCLASS;
BEGIN
    FOR v_left IN
        SELECT c.oid FROM pg_class AS c
         WHERE c.relnamespace = to_regnamespace('c360_control') AND c.relkind = 'r' AND c.relpersistence = 'u' AND c.relname LIKE 'stage\_%'
    LOOP
        EXECUTE format('DROP TABLE %s', v_left);
    END LOOP;
END;
$$;

-- Opens a run. First it marks as `abandoned` every `running` row that nobody works on: a live run keeps its own row locked, so
-- SKIP LOCKED passes over it; for the instant before it takes that lock, the process is there and the row is young.
CREATE OR REPLACE FUNCTION c360_control.run_begin(
    p_node TEXT, p_spec_hash TEXT, p_as_of TIMESTAMPTZ, p_action TEXT DEFAULT 'run', p_dry_run BOOLEAN DEFAULT false
)
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
    INSERT INTO c360_control.run_log (node, action, dry_run, status, spec_hash, as_of, query_id)
    SELECT p_node, p_action, p_dry_run, 'running', p_spec_hash, p_as_of,
           (SELECT a.query_id FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = pg_backend_pid())  -- where compute_query_id is on
    RETURNING run_id INTO v_run_id;
    RETURN v_run_id;
END;
$$;
REVOKE ALL ON FUNCTION c360_control.run_begin(TEXT, TEXT, TIMESTAMPTZ, TEXT, BOOLEAN) FROM PUBLIC;

CREATE OR REPLACE FUNCTION c360_control.run_failed(p_run_id BIGINT, p_sqlstate TEXT, p_message TEXT, p_detail TEXT)
RETURNS VOID
LANGUAGE sql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
    UPDATE c360_control.windows AS w
       SET status = 'failed'
     WHERE w.run_id = p_run_id
       AND w.status = 'running'
       AND EXISTS (SELECT 1 FROM c360_control.run_log AS l WHERE l.run_id = p_run_id AND l.backend_pid = pg_backend_pid());
    UPDATE c360_control.run_log
       SET status = 'failed',
           finished_at = clock_timestamp(),
           sqlstate = p_sqlstate,
           message = p_message,
           detail = p_detail
     WHERE run_id = p_run_id
       AND backend_pid = pg_backend_pid()
       AND status IN ('running', 'abandoned');
$$;
REVOKE ALL ON FUNCTION c360_control.run_failed(BIGINT, TEXT, TEXT, TEXT) FROM PUBLIC;

-- Whether a run lives: its process holds a lock on the run log, or has only just begun. Anybody may see locks, while backend_start
-- is NULL to those who may not see the sessions of others.
CREATE OR REPLACE FUNCTION c360_control.run_is_alive(p_pid INTEGER, p_started_at TIMESTAMPTZ)
RETURNS BOOLEAN
LANGUAGE sql
STABLE
AS $$
    SELECT EXISTS (
        SELECT 1 FROM pg_catalog.pg_stat_activity AS a
         WHERE a.pid = p_pid
           AND a.datname = pg_catalog.current_database()
           AND COALESCE(a.backend_start <= p_started_at, true)
           AND (p_started_at > pg_catalog.clock_timestamp() - INTERVAL '10 seconds' OR EXISTS (
                SELECT 1 FROM pg_catalog.pg_locks AS k
                 WHERE k.pid = a.pid
                   AND k.relation = 'c360_control.run_log'::regclass
                   AND k.mode IN ('RowShareLock', 'RowExclusiveLock'))));
$$;

-- What is wrong now: one row per node whose last run did not succeed.
CREATE OR REPLACE VIEW c360_control.run_health AS
SELECT s.node,
       l.run_id,
       CASE WHEN l.status IS NULL THEN 'never run'
            WHEN l.status = 'running' AND NOT c360_control.run_is_alive(l.backend_pid, l.started_at) THEN 'abandoned'
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
           AND r.action = 'run'
         ORDER BY r.run_id DESC
         LIMIT 1) AS l ON true
 WHERE l.status IS NULL OR l.status NOT IN ('succeeded', 'rewound');

-- One row per node: how fresh it is, how its last run ended, how often it has failed since it last succeeded, and who is at work.
-- Of several sessions at work, the oldest holds the node's lock and the others wait for it.
CREATE OR REPLACE VIEW c360_control.node_status AS
SELECT s.node,
       s.last_as_of AS fresh_until,
       s.watermark,
       l.run_id AS last_run_id,
       CASE WHEN l.status IS NULL THEN 'never run'
            WHEN l.status = 'running' AND NOT c360_control.run_is_alive(l.backend_pid, l.started_at) THEN 'abandoned'
            ELSE l.status
       END AS last_status,
       l.started_at AS last_started_at,
       l.finished_at AS last_finished_at,
       f.failures,
       l.message,
       w.at_work
  FROM c360_control.state AS s
  LEFT JOIN LATERAL (
        SELECT r.run_id, r.status, r.started_at, r.finished_at, r.message, r.backend_pid
          FROM c360_control.run_log AS r
         WHERE r.node = s.node
           AND r.action = 'run'
         ORDER BY r.run_id DESC
         LIMIT 1) AS l ON true
 CROSS JOIN LATERAL (
        SELECT COUNT(*) AS failures
          FROM c360_control.run_log AS r
         WHERE r.node = s.node
           AND r.action = 'run'
           AND r.status IN ('failed', 'abandoned')
           AND r.run_id > COALESCE((SELECT MAX(o.run_id) FROM c360_control.run_log AS o
                                     WHERE o.node = s.node AND o.action = 'run' AND o.status = 'succeeded'), 0)) AS f
 CROSS JOIN LATERAL (
        SELECT string_agg(format('pid %s (%s) since %s', r.backend_pid, r.called_by, date_trunc('second', r.started_at)), '; '
                          ORDER BY r.run_id) AS at_work
          FROM c360_control.run_log AS r
         WHERE r.node = s.node
           AND r.status = 'running'
           AND c360_control.run_is_alive(r.backend_pid, r.started_at)) AS w;
