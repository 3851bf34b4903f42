-- c360gen | postgres | deploy of customer_360 to target postgres, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 167590e5607d677533135669be9b0e276ddabed95b69f3e072850842616355ac

BEGIN;
SET LOCAL lock_timeout = '10s';
SET LOCAL client_min_messages = warning;  -- that something exists already is not news
SET LOCAL search_path = pg_catalog, pg_temp;  -- nothing that others may have created elsewhere runs with our rights
SET LOCAL timezone = 'UTC';  -- a view keeps what a constant means to whoever creates it
SET LOCAL datestyle = 'ISO, MDY';

-- Guard: a database in another released state is not touched. Changing it is what migrations are for.
DO $$
DECLARE
    v_released TEXT;
BEGIN
    IF current_setting('server_version_num')::integer < 150000 THEN
        RAISE EXCEPTION 'PostgreSQL 15 or later is needed, this is %', current_setting('server_version');
    END IF;
    IF to_regclass(format('%I.release', 'c360_control')) IS NOT NULL THEN
        SELECT r.shape INTO v_released FROM c360_control.release AS r ORDER BY r.release_id DESC LIMIT 1;
        IF v_released <> 'd57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c' THEN
            RAISE EXCEPTION USING
                MESSAGE = format('this database is in the released state %s, not in %s', left(v_released, 12), left('d57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c', 12)),
                DETAIL = 'Tables, columns, types, keys or strategies differ. Nothing was changed.',
                HINT = 'deploy.sql is for an empty database or the same state; go from one state to another with a migration.';
        END IF;
    END IF;
    -- A run that is under way is waited for, at most lock_timeout: what is created below would meet its locks in another order.
    IF to_regclass(format('%I.run_log', 'c360_control')) IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %I.run_log IN EXCLUSIVE MODE', 'c360_control');
    END IF;
END;
$$;

CREATE SCHEMA IF NOT EXISTS c360_control;
CREATE SCHEMA IF NOT EXISTS int;

-- One row per released state, never changed.
CREATE TABLE IF NOT EXISTS c360_control.release (
    release_id  BIGINT GENERATED ALWAYS AS IDENTITY,
    shape       TEXT NOT NULL,
    released_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    released_by TEXT NOT NULL DEFAULT session_user,
    CONSTRAINT release_pk PRIMARY KEY (release_id)
);
COMMENT ON TABLE c360_control.release IS 'One row per released state of the tables; deploy.sql compares with the last.';


-- ==================== control.sql: control tables: run log, state, releases

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


-- ==================== tables/latest.sql: incremental int.latest

CREATE TABLE IF NOT EXISTS int.latest (
  id BIGINT NOT NULL,
  email TEXT,
  updated_at TIMESTAMPTZ,
  CONSTRAINT latest_pk PRIMARY KEY (id)
);

INSERT INTO c360_control.state (node) VALUES ('int.latest') ON CONFLICT (node) DO NOTHING;


-- ==================== procedures/run_latest.sql: run of int.latest

-- Brings latest up to date with its query.
--
--   CALL c360_control.run_latest();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_latest('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_latest(p_full_refresh => true);
--        replaces every row, in one transaction
--   CALL c360_control.apply_latest();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   a row of a known id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share id must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_latest(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL,
    IN    p_full_refresh BOOLEAN     DEFAULT false
)
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
SET datestyle = 'ISO, MDY'  -- what is cast to text is the same in every session
SET intervalstyle = 'postgres'
SET extra_float_digits = '1'
SET lock_timeout = '10s'
SET row_security = 'off'  -- what a policy hides would look deleted: the run fails instead
SET plan_cache_mode = 'force_custom_plan'  -- each run is planned for its own window
SET jit = 'off'  -- compiling costs more than it saves
SET work_mem = '64MB'
SET parallel_tuple_cost = '0'  -- rows that are unchanged stay with the worker that reads them
SET default_tablespace = ''  -- for the stage
AS $$
DECLARE
    c_node CONSTANT TEXT := 'int.latest';
    c_spec_hash CONSTANT TEXT := 'aa99845f4237a374d01c2cfa334d2640825d42c4d6ca5181dd8e86a61f86176c';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_page_cost CONSTANT TEXT := current_setting('random_page_cost');
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_full_refresh BOOLEAN := COALESCE(p_full_refresh, false);
    v_incremental BOOLEAN;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_new_rows BIGINT;
    v_updated_rows BIGINT;
    v_older_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_source_rows BIGINT;
    v_duplicate_keys BIGINT;
    v_target_rows BIGINT;
    v_rows BIGINT;
    v_sample TEXT;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC007',
            MESSAGE = format('%s must run under READ COMMITTED, not %s', c_node, current_setting('transaction_isolation')),
            HINT = 'A snapshot from before the lock would not see the run before.';
    END IF;

    -- 1. Lock: the run's own log row first, so that others see that it lives, then the node's row. Each is a statement of its
    --    own, so that every later one sees what the run before has committed.
    PERFORM 1
       FROM c360_control.run_log AS l
      WHERE l.run_id = p_run_id AND l.node = c_node AND l.backend_pid = pg_backend_pid() AND l.status IN ('running', 'abandoned')
        FOR UPDATE;
    IF p_run_id IS NOT NULL AND NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s: %s is not an open run of this session', c_node, p_run_id),
            HINT = 'Leave p_run_id NULL: the run opens its own row of the log.';
    END IF;
    SELECT s.watermark, s.last_as_of INTO v_watermark, v_last_as_of
      FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC008',
            MESSAGE = format('%s is not deployed', c_node),
            HINT = 'Run deploy.sql first.';
    END IF;
    IF p_run_id IS NULL THEN
        p_run_id := c360_control.run_begin(c_node, c_spec_hash, p_as_of);
    END IF;
    v_run_id := p_run_id;
    PERFORM set_config('lock_timeout', '5min', TRUE);  -- ten seconds are for waiting, not for throwing work away

    -- 2. The run time, read after the lock: a run that waited is not older than the run it waited for.
    v_as_of := COALESCE(p_as_of, clock_timestamp());
    v_latest := v_as_of + c_tolerance;
    IF v_as_of < v_last_as_of OR v_as_of > clock_timestamp() + c_tolerance THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC005',
            MESSAGE = format('%s: the run time %s is %s', c_node, v_as_of,
                CASE WHEN v_as_of < v_last_as_of THEN format('before that of the last run, %s', v_last_as_of) ELSE 'in the future' END),
            HINT = 'Nothing was written. Repeat runs in ascending order of p_as_of.';
    END IF;
    v_incremental := v_last_as_of IS NOT NULL AND NOT v_full_refresh;

    -- The columns of raw.customers must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('id', 'integer'),
      ('email', 'text'),
      ('city', 'text'),
      ('updated_at', 'timestamptz')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        CAST(a.attname AS TEXT) AS c360_name,
        CASE
          WHEN t.typname IN ('int2', 'int4', 'int8')
          THEN 'integer'
          WHEN t.typname = 'numeric'
          AND information_schema._pg_numeric_scale(t.oid, CASE WHEN d.typbasetype = 0 THEN a.atttypmod ELSE d.typtypmod END) = 0
          THEN 'integer'
          WHEN t.typcategory = 'N'
          THEN 'number'
          WHEN t.typcategory = 'S'
          THEN 'text'
          WHEN t.typcategory = 'B'
          THEN 'boolean'
          ELSE CAST(t.typname AS TEXT)
        END AS c360_family
      FROM pg_catalog.pg_attribute AS a
      JOIN pg_catalog.pg_class AS c
        ON c.oid = a.attrelid
      JOIN pg_catalog.pg_namespace AS n
        ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_type AS d
        ON d.oid = a.atttypid
      JOIN pg_catalog.pg_type AS t
        ON t.oid = CASE WHEN d.typbasetype = 0 THEN d.oid ELSE d.typbasetype END
      WHERE
        n.nspname = 'raw' AND c.relname = 'customers' AND a.attnum > 0 AND NOT a.attisdropped
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
    INTO v_missing_tables, v_drifted_columns, v_drifted_names;

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: raw.customers is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw.customers are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Read the batch once and look its keys up in the target.
    IF NOT v_incremental THEN
        CREATE UNLOGGED TABLE c360_control.stage_latest AS
        SELECT
          CASE
            WHEN b.id IS NULL
            THEN 'null_key'
            WHEN t.id IS NULL
            THEN 'insert'
            WHEN b.email IS DISTINCT FROM t.email OR b.updated_at IS DISTINCT FROM t.updated_at
            THEN 'update'
            ELSE 'same'
          END AS c360_action,
          t.ctid AS c360_row,
          b.c360_copies,
          b.c360_position,
          CAST(b.id AS BIGINT) AS id,
          CAST(b.email AS TEXT) AS email,
          CAST(b.updated_at AS TIMESTAMPTZ) AS updated_at
        FROM (
          SELECT
            m.id,
            m.email,
            m.updated_at,
            COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
            ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id) AS c360_position
          FROM (
            SELECT
              customers.id AS id,
              customers.email AS email,
              customers.updated_at AS updated_at
            FROM raw.customers AS customers
          ) AS m
        ) AS b
        LEFT JOIN int.latest AS t
          ON t.id = b.id AND NOT v_full_refresh;
    END IF;

    -- Read the batch once and look its keys up in the target.
    IF v_incremental THEN
        CREATE UNLOGGED TABLE c360_control.stage_latest AS
        SELECT
          CASE
            WHEN b.id IS NULL
            THEN 'null_key'
            WHEN t.id IS NULL
            THEN 'insert'
            WHEN b.email IS DISTINCT FROM t.email OR b.updated_at IS DISTINCT FROM t.updated_at
            THEN 'update'
            ELSE 'same'
          END AS c360_action,
          t.ctid AS c360_row,
          b.c360_copies,
          b.c360_position,
          CAST(b.id AS BIGINT) AS id,
          CAST(b.email AS TEXT) AS email,
          CAST(b.updated_at AS TIMESTAMPTZ) AS updated_at
        FROM (
          SELECT
            m.id,
            m.email,
            m.updated_at,
            COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
            ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id) AS c360_position
          FROM (
            SELECT
              customers.id AS id,
              customers.email AS email,
              customers.updated_at AS updated_at
            FROM raw.customers AS customers
            WHERE
              customers.updated_at > (
                SELECT
                  MAX(t.updated_at) AS _col_0
                FROM int.latest AS t
              )
          ) AS m
        ) AS b
        LEFT JOIN int.latest AS t
          ON t.id = b.id AND NOT v_full_refresh;
    END IF;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
      COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows
    FROM c360_control.stage_latest AS s
    INTO v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of the query of latest have no id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Rows that share a key must be equal in every column.
    SELECT
      COUNT(*) AS duplicate_keys
    FROM (
      SELECT
        d.id
      FROM (
        SELECT DISTINCT
          s.id,
          s.email,
          s.updated_at
        FROM c360_control.stage_latest AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
      ) AS d
      GROUP BY
        d.id
      HAVING
        COUNT(*) > 1
    ) AS r
    INTO v_duplicate_keys;

    -- Which of two different rows would win would be chance.
    IF v_duplicate_keys > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_latest AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC001',
            MESSAGE = format('%s: %s values of id occur in several rows that differ', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.';
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
        SELECT
          COUNT(*) AS target_rows
        FROM int.latest AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM int.latest AS t
        WHERE
          TRUE;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_target_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to remove, %s found', c_node, v_target_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
        PERFORM set_config('random_page_cost', '0', TRUE);  -- addresses are known, and in the table's order: read these rows, not all
        UPDATE int.latest AS t SET email = s.email, updated_at = s.updated_at
        FROM (
          SELECT
            s.c360_action,
            s.c360_position,
            s.c360_row,
            s.email,
            s.id,
            s.updated_at
          FROM c360_control.stage_latest AS s
          ORDER BY
            s.c360_row
        ) AS s
        WHERE
          t.ctid = s.c360_row AND t.id = s.id AND s.c360_action = 'update' AND s.c360_position = 1;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_updated_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to update, %s found', c_node, v_updated_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
        PERFORM set_config('random_page_cost', c_page_cost, TRUE);
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
        INSERT INTO int.latest (
          id,
          email,
          updated_at
        )
        SELECT
          s.id,
          s.email,
          s.updated_at
        FROM c360_control.stage_latest AS s
        WHERE
          s.c360_action = 'insert' AND s.c360_position = 1
        ORDER BY
          s.id;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_new_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to insert, %s found', c_node, v_new_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_latest;
    IF NOT v_incremental THEN
        ANALYZE int.latest;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           source_rows = v_source_rows,
           inserted_rows = v_new_rows,
           updated_rows = v_updated_rows,
           deleted_rows = CASE WHEN v_full_refresh THEN v_target_rows ELSE 0 END,
           unchanged_rows = v_source_rows - v_new_rows - v_updated_rows - v_older_rows,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_latest(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_latest(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL,
    IN p_full_refresh BOOLEAN     DEFAULT false
)
LANGUAGE plpgsql
AS $$
DECLARE
    v_run_id BIGINT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
    v_context TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_latest()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('int.latest', 'aa99845f4237a374d01c2cfa334d2640825d42c4d6ca5181dd8e86a61f86176c', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_latest(v_run_id, p_as_of, p_full_refresh);
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN  -- OTHERS alone would miss a timeout and a cancel
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT,
                v_context = PG_EXCEPTION_CONTEXT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RETURN;
    END IF;

    IF v_sqlstate !~ '^ZC' THEN
        v_detail := COALESCE(NULLIF(v_detail, ''), v_context);  -- where it failed
        v_hint := CASE v_sqlstate
            WHEN '55P03'
            THEN 'Another session holds the lock: a run of this node, see c360_control.run_log where status is running, or a deploy.'
            WHEN '53100'
            THEN 'Disk or shared memory is full. In a container raise shm_size; see settings: of the target, max_parallel_workers_per_gather.'
            ELSE COALESCE(NULLIF(v_hint, ''), 'See c360_control.run_log.')
        END;
    END IF;
    PERFORM c360_control.run_failed(v_run_id, v_sqlstate, v_message, v_detail);
    COMMIT;
    RAISE EXCEPTION USING
        ERRCODE = v_sqlstate,
        MESSAGE = v_message,
        DETAIL = pg_catalog.concat_ws(' ', NULLIF(v_detail, ''), pg_catalog.format('Logged as run %s in c360_control.run_log.', v_run_id)),
        HINT = v_hint;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_latest(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== jobs/prune_run_log.sql: retention of the run log

-- CALL c360_control.prune_run_log();
-- Rows of the run log that are older than 400 days go; the last success of every node stays, and so does what still runs.
-- A history can be rewound to runs that are in the log.
CREATE OR REPLACE PROCEDURE c360_control.prune_run_log(p_keep INTERVAL DEFAULT INTERVAL '400 days')
LANGUAGE sql
AS $$
    DELETE FROM c360_control.run_log AS l
     WHERE l.started_at < clock_timestamp() - p_keep
       AND l.status <> 'running'
       AND l.run_id NOT IN (SELECT s.last_run_id FROM c360_control.state AS s WHERE s.last_run_id IS NOT NULL)
       AND (l.status <> 'succeeded' OR l.action <> 'run' OR EXISTS (
            SELECT 1 FROM c360_control.run_log AS o WHERE o.node = l.node AND o.action = 'run' AND o.status = 'succeeded' AND o.as_of > l.as_of));
$$;
REVOKE ALL ON PROCEDURE c360_control.prune_run_log(INTERVAL) FROM PUBLIC;


INSERT INTO c360_control.release (shape)
SELECT 'd57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c'
 WHERE NOT EXISTS (SELECT 1 FROM c360_control.release AS r WHERE r.shape = 'd57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c');

COMMIT;
