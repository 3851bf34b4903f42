-- c360gen | postgres | deploy of customer_360 to target postgres, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 240ff69fe14e258dc50edf1df21b52519b9f2112d7c983c1ae0b7b95521bc3dc

BEGIN;
SET LOCAL lock_timeout = '10s';
SET LOCAL client_min_messages = warning;  -- that something exists already is not news
SET LOCAL search_path = pg_catalog, pg_temp;  -- nothing that others may have created elsewhere runs with our rights
SET LOCAL timezone = 'UTC';  -- a view keeps what a constant means to whoever creates it
SET LOCAL datestyle = 'ISO, MDY';
SET LOCAL ROLE c360_owner;  -- everything below belongs to this role; roles.sql creates it

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
        IF v_released <> '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f' THEN
            RAISE EXCEPTION USING
                MESSAGE = format('this database is in the released state %s, not in %s', left(v_released, 12), left('7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f', 12)),
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
CREATE SCHEMA IF NOT EXISTS intermediate;
CREATE SCHEMA IF NOT EXISTS marts;
CREATE SCHEMA IF NOT EXISTS snapshots;
CREATE SCHEMA IF NOT EXISTS staging;

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


-- ==================== tables/customer_snapshot.sql: snapshot snapshots.customer_snapshot

CREATE TABLE IF NOT EXISTS snapshots.customer_snapshot (
  customer_id BIGINT NOT NULL,
  first_name TEXT,
  last_name TEXT,
  email TEXT,
  phone TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT customer_snapshot_pk PRIMARY KEY (customer_id, valid_from),
  CONSTRAINT customer_snapshot_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.customer_snapshot IS 'History of every customer, one row per version of name, e-mail address and telephone number.';

COMMENT ON COLUMN snapshots.customer_snapshot.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.customer_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.customer_snapshot.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS customer_snapshot_open_uq ON snapshots.customer_snapshot(customer_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snapshots.customer_snapshot') ON CONFLICT (node) DO NOTHING;


-- ==================== views/customer_snapshot.sql: views of snapshots.customer_snapshot

CREATE OR REPLACE VIEW snapshots.customer_snapshot_current AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.customer_snapshot_current IS 'The open versions of customer_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.customer_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    first_name TEXT,
    last_name TEXT,
    email TEXT,
    phone TEXT,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.customer_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snapshots.customer_snapshot_as_of(TIMESTAMPTZ) IS 'customer_snapshot as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.customer_snapshot_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    first_name_before TEXT,
    first_name_after TEXT,
    last_name_before TEXT,
    last_name_after TEXT,
    email_before TEXT,
    email_after TEXT,
    phone_before TEXT,
    phone_after TEXT,
    created_at_before TIMESTAMPTZ,
    created_at_after TIMESTAMPTZ,
    updated_at_before TIMESTAMPTZ,
    updated_at_after TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v.customer_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.first_name AS first_name_before,
  v.first_name AS first_name_after,
  b.last_name AS last_name_before,
  v.last_name AS last_name_after,
  b.email AS email_before,
  v.email AS email_after,
  b.phone AS phone_before,
  v.phone AS phone_after,
  b.created_at AS created_at_before,
  v.created_at AS created_at_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.customer_snapshot AS v
LEFT JOIN snapshots.customer_snapshot AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.first_name AS first_name_before,
  CAST(NULL AS TEXT) AS first_name_after,
  v.last_name AS last_name_before,
  CAST(NULL AS TEXT) AS last_name_after,
  v.email AS email_before,
  CAST(NULL AS TEXT) AS email_after,
  v.phone AS phone_before,
  CAST(NULL AS TEXT) AS phone_after,
  v.created_at AS created_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS created_at_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.customer_snapshot AS v
LEFT JOIN snapshots.customer_snapshot AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snapshots.customer_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in customer_snapshot after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snapshots.customer_snapshot_health AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
  ORDER BY
    p.c360_key) AS example
FROM (
  SELECT
    j.c360_problem,
    j.c360_key,
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
  FROM (
    SELECT
      CASE
        WHEN v.c360_open > 1
        THEN 'two_open'
        WHEN v.valid_to <= v.valid_from
        THEN 'inverted'
        WHEN v.c360_next IS NOT NULL AND (
          v.valid_to IS NULL OR v.valid_to > v.c360_next
        )
        THEN 'overlap'
      END AS c360_problem,
      COALESCE(CAST(v.customer_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM snapshots.customer_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snapshots.customer_snapshot_health IS 'What is wrong with the history customer_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.customer_snapshot_health.problem IS 'two_open, inverted or overlap.';

COMMENT ON COLUMN snapshots.customer_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.customer_snapshot_health.example IS 'Up to five keys.';


-- ==================== tables/order_snapshot.sql: snapshot snapshots.order_snapshot

CREATE TABLE IF NOT EXISTS snapshots.order_snapshot (
  order_id BIGINT NOT NULL,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT order_snapshot_pk PRIMARY KEY (order_id, valid_from),
  CONSTRAINT order_snapshot_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.order_snapshot IS 'History of every order from pending over shipped to delivered.';

COMMENT ON COLUMN snapshots.order_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.order_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.order_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.order_snapshot.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS order_snapshot_open_uq ON snapshots.order_snapshot(order_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snapshots.order_snapshot') ON CONFLICT (node) DO NOTHING;


-- ==================== views/order_snapshot.sql: views of snapshots.order_snapshot

CREATE OR REPLACE VIEW snapshots.order_snapshot_current AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.order_snapshot_current IS 'The open versions of order_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.order_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.order_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    order_id BIGINT,
    customer_id BIGINT,
    order_date DATE,
    status TEXT,
    total_amount NUMERIC(12, 2),
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.order_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snapshots.order_snapshot_as_of(TIMESTAMPTZ) IS 'order_snapshot as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.order_snapshot_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    order_id BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    customer_id_before BIGINT,
    customer_id_after BIGINT,
    order_date_before DATE,
    order_date_after DATE,
    status_before TEXT,
    status_after TEXT,
    total_amount_before NUMERIC(12, 2),
    total_amount_after NUMERIC(12, 2),
    updated_at_before TIMESTAMPTZ,
    updated_at_after TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v.order_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.customer_id AS customer_id_before,
  v.customer_id AS customer_id_after,
  b.order_date AS order_date_before,
  v.order_date AS order_date_after,
  b.status AS status_before,
  v.status AS status_after,
  b.total_amount AS total_amount_before,
  v.total_amount AS total_amount_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.order_snapshot AS v
LEFT JOIN snapshots.order_snapshot AS b
  ON b.order_id = v.order_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.order_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.customer_id AS customer_id_before,
  CAST(NULL AS BIGINT) AS customer_id_after,
  v.order_date AS order_date_before,
  CAST(NULL AS DATE) AS order_date_after,
  v.status AS status_before,
  CAST(NULL AS TEXT) AS status_after,
  v.total_amount AS total_amount_before,
  CAST(NULL AS DECIMAL(12, 2)) AS total_amount_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.order_snapshot AS v
LEFT JOIN snapshots.order_snapshot AS n
  ON n.order_id = v.order_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snapshots.order_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in order_snapshot after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snapshots.order_snapshot_health AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
  ORDER BY
    p.c360_key) AS example
FROM (
  SELECT
    j.c360_problem,
    j.c360_key,
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
  FROM (
    SELECT
      CASE
        WHEN v.c360_open > 1
        THEN 'two_open'
        WHEN v.valid_to <= v.valid_from
        THEN 'inverted'
        WHEN v.c360_next IS NOT NULL AND (
          v.valid_to IS NULL OR v.valid_to > v.c360_next
        )
        THEN 'overlap'
        WHEN v.valid_to < v.c360_next
        THEN 'gap'
        WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
        THEN 'orphan'
      END AS c360_problem,
      COALESCE(CAST(v.order_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.order_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
      FROM snapshots.order_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snapshots.order_snapshot_health IS 'What is wrong with the history order_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.order_snapshot_health.problem IS 'two_open, inverted or overlap, gap or orphan.';

COMMENT ON COLUMN snapshots.order_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.order_snapshot_health.example IS 'Up to five keys.';


-- ==================== tables/payment_snapshot.sql: snapshot snapshots.payment_snapshot

CREATE TABLE IF NOT EXISTS snapshots.payment_snapshot (
  payment_id BIGINT NOT NULL,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT payment_snapshot_pk PRIMARY KEY (payment_id, valid_from),
  CONSTRAINT payment_snapshot_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.payment_snapshot IS 'History of every payment from pending over completed to refunded.';

COMMENT ON COLUMN snapshots.payment_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.payment_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.payment_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.payment_snapshot.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS payment_snapshot_open_uq ON snapshots.payment_snapshot(payment_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snapshots.payment_snapshot') ON CONFLICT (node) DO NOTHING;


-- ==================== views/payment_snapshot.sql: views of snapshots.payment_snapshot

CREATE OR REPLACE VIEW snapshots.payment_snapshot_current AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snapshots.payment_snapshot_current IS 'The open versions of payment_snapshot: one row per key.';

COMMENT ON COLUMN snapshots.payment_snapshot_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.payment_snapshot_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    payment_id BIGINT,
    order_id BIGINT,
    payment_method TEXT,
    amount NUMERIC(12, 2),
    status TEXT,
    updated_at TIMESTAMPTZ,
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM snapshots.payment_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snapshots.payment_snapshot_as_of(TIMESTAMPTZ) IS 'payment_snapshot as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snapshots.payment_snapshot_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    payment_id BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    order_id_before BIGINT,
    order_id_after BIGINT,
    payment_method_before TEXT,
    payment_method_after TEXT,
    amount_before NUMERIC(12, 2),
    amount_after NUMERIC(12, 2),
    status_before TEXT,
    status_after TEXT,
    updated_at_before TIMESTAMPTZ,
    updated_at_after TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v.payment_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.order_id AS order_id_before,
  v.order_id AS order_id_after,
  b.payment_method AS payment_method_before,
  v.payment_method AS payment_method_after,
  b.amount AS amount_before,
  v.amount AS amount_after,
  b.status AS status_before,
  v.status AS status_after,
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM snapshots.payment_snapshot AS v
LEFT JOIN snapshots.payment_snapshot AS b
  ON b.payment_id = v.payment_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.payment_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.order_id AS order_id_before,
  CAST(NULL AS BIGINT) AS order_id_after,
  v.payment_method AS payment_method_before,
  CAST(NULL AS TEXT) AS payment_method_after,
  v.amount AS amount_before,
  CAST(NULL AS DECIMAL(12, 2)) AS amount_after,
  v.status AS status_before,
  CAST(NULL AS TEXT) AS status_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMPTZ) AS updated_at_after
FROM snapshots.payment_snapshot AS v
LEFT JOIN snapshots.payment_snapshot AS n
  ON n.payment_id = v.payment_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snapshots.payment_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in payment_snapshot after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snapshots.payment_snapshot_health AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
  ORDER BY
    p.c360_key) AS example
FROM (
  SELECT
    j.c360_problem,
    j.c360_key,
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
  FROM (
    SELECT
      CASE
        WHEN v.c360_open > 1
        THEN 'two_open'
        WHEN v.valid_to <= v.valid_from
        THEN 'inverted'
        WHEN v.c360_next IS NOT NULL AND (
          v.valid_to IS NULL OR v.valid_to > v.c360_next
        )
        THEN 'overlap'
        WHEN v.valid_to < v.c360_next
        THEN 'gap'
        WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
        THEN 'orphan'
      END AS c360_problem,
      COALESCE(CAST(v.payment_id AS TEXT), 'NULL') AS c360_key
    FROM (
      SELECT
        h.payment_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
      FROM snapshots.payment_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snapshots.payment_snapshot_health IS 'What is wrong with the history payment_snapshot: no row when it is sound.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.problem IS 'two_open, inverted or overlap, gap or orphan.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snapshots.payment_snapshot_health.example IS 'Up to five keys.';


-- ==================== views/stg_customers.sql: view staging.stg_customers

CREATE OR REPLACE VIEW staging.stg_customers AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name) AS first_name,
  TRIM(customers.last_name) AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM raw_data.customers AS customers;


-- ==================== views/stg_interactions.sql: view staging.stg_interactions

CREATE OR REPLACE VIEW staging.stg_interactions AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM raw_data.interactions AS interactions;


-- ==================== views/stg_orders.sql: view staging.stg_orders

CREATE OR REPLACE VIEW staging.stg_orders AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM raw_data.orders AS orders;


-- ==================== views/stg_payments.sql: view staging.stg_payments

CREATE OR REPLACE VIEW staging.stg_payments AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM raw_data.payments AS payments;


-- ==================== tables/int_customer_orders.sql: incremental intermediate.int_customer_orders

CREATE TABLE IF NOT EXISTS intermediate.int_customer_orders (
  order_id BIGINT NOT NULL,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT int_customer_orders_pk PRIMARY KEY (order_id)
);

COMMENT ON TABLE intermediate.int_customer_orders IS 'Orders, the latest state of each.';

CREATE INDEX IF NOT EXISTS int_customer_orders_customer_id_ix ON intermediate.int_customer_orders(customer_id);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_customer_orders') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/int_interactions.sql: incremental intermediate.int_interactions

CREATE TABLE IF NOT EXISTS intermediate.int_interactions (
  interaction_id BIGINT,
  customer_id BIGINT,
  channel TEXT,
  subject TEXT,
  occurred_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_interactions IS 'Every contact with a customer, appended as it comes.';

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_interactions') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/int_payments.sql: incremental intermediate.int_payments

CREATE TABLE IF NOT EXISTS intermediate.int_payments (
  payment_id BIGINT NOT NULL,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_payments IS 'Payments, the latest state of each.';

CREATE INDEX IF NOT EXISTS int_payments_key_ix ON intermediate.int_payments(payment_id);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_payments') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/mart_customer_360.sql: table marts.mart_customer_360

CREATE TABLE IF NOT EXISTS marts.mart_customer_360 (
  customer_id BIGINT NOT NULL,
  full_name TEXT,
  email TEXT,
  order_count BIGINT,
  lifetime_value DECIMAL(38, 2),
  average_order_value DECIMAL(38, 2),
  days_since_last_order BIGINT,
  months_as_customer BIGINT,
  payment_count BIGINT,
  refund_rate DECIMAL(9, 4),
  paid_amount DECIMAL(38, 2),
  favourite_payment_method TEXT,
  interaction_count BIGINT,
  last_channel TEXT,
  version_count BIGINT,
  segment TEXT,
  CONSTRAINT mart_customer_360_pk PRIMARY KEY (customer_id)
);

COMMENT ON TABLE marts.mart_customer_360 IS 'One row per current customer - value, recency, payment behaviour, contacts, segment.';

COMMENT ON COLUMN marts.mart_customer_360.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN marts.mart_customer_360.lifetime_value IS 'Sum of all orders that were not cancelled, in euro.';

COMMENT ON COLUMN marts.mart_customer_360.days_since_last_order IS 'Whole days between the last order and the run.';

COMMENT ON COLUMN marts.mart_customer_360.months_as_customer IS 'Months of 30 days since the first order, truncated.';

COMMENT ON COLUMN marts.mart_customer_360.refund_rate IS 'Share of payments that were refunded.';

COMMENT ON COLUMN marts.mart_customer_360.version_count IS 'Versions of the customer in the history.';

INSERT INTO c360_control.state (node) VALUES ('marts.mart_customer_360') ON CONFLICT (node) DO NOTHING;


-- ==================== procedures/run_customer_snapshot.sql: run of snapshots.customer_snapshot

-- Brings the history customer_snapshot up to date with raw_data.customers.
--
--   CALL c360_control.run_customer_snapshot();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_customer_snapshot('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_customer_snapshot();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   a row of raw_data.customers is new or changed when any of its columns but customer_id, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.customers closes at the run time
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC004 the source is empty
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_customer_snapshot(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    c_node CONSTANT TEXT := 'snapshots.customer_snapshot';
    c_spec_hash CONSTANT TEXT := 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_page_cost CONSTANT TEXT := current_setting('random_page_cost');
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_staged_rows BIGINT;
    v_absent_rows BIGINT;
    v_starting_rows BIGINT;
    v_closing_rows BIGINT;
    v_deleted_rows BIGINT;
    v_revived_rows BIGINT;
    v_dated_by_run BIGINT;
    v_blocked_rows BIGINT;
    v_new_rows BIGINT;
    v_unmatched_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_future_times BIGINT;
    v_source_rows BIGINT;
    v_open_rows BIGINT;
    v_new_keys BIGINT;
    v_duplicate_keys BIGINT;
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

    -- The columns of raw_data.customers must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 7 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('customer_id', 'integer'),
      ('first_name', 'text'),
      ('last_name', 'text'),
      ('email', 'text'),
      ('phone', 'text'),
      ('created_at', 'timestamptz'),
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
        n.nspname = 'raw_data' AND c.relname = 'customers' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.customers is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.customers are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    CREATE UNLOGGED TABLE c360_control.stage_customer_snapshot AS
    SELECT
      d.c360_action,
      CAST(NULL AS BIGINT) AS c360_rows,
      d.c360_row,
      d.c360_open_from,
      CASE
        WHEN d.c360_action IN ('new', 'change', 'revive')
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          ) AND d.updated_at <= v_as_of
          THEN d.updated_at
          ELSE v_as_of
        END
      END AS c360_starts_at,
      CASE
        WHEN d.c360_action = 'change'
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          ) AND d.updated_at <= v_as_of
          THEN d.updated_at
          ELSE v_as_of
        END
        WHEN d.c360_action = 'delete'
        THEN v_as_of
      END AS c360_ends_at,
      CAST(d.customer_id AS BIGINT) AS customer_id,
      CAST(d.first_name AS TEXT) AS first_name,
      CAST(d.last_name AS TEXT) AS last_name,
      CAST(d.email AS TEXT) AS email,
      CAST(d.phone AS TEXT) AS phone,
      CAST(d.created_at AS TIMESTAMPTZ) AS created_at,
      CAST(d.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND e.c360_boundary > v_as_of
          THEN 'blocked'
          WHEN e.c360_action = 'new' AND e.c360_boundary IS NOT NULL
          THEN 'revive'
          ELSE e.c360_action
        END AS c360_action,
        e.c360_boundary AS c360_boundary,
        e.c360_row,
        e.c360_open_from,
        e.customer_id,
        e.first_name,
        e.last_name,
        e.email,
        e.phone,
        e.created_at,
        e.updated_at
      FROM (
        SELECT
          x.c360_action,
          x.c360_row,
          x.c360_open_from,
          x.customer_id,
          x.first_name,
          x.last_name,
          x.email,
          x.phone,
          x.created_at,
          x.updated_at,
          CASE
            WHEN x.c360_open_from IS NOT NULL
            THEN x.c360_open_from
            WHEN EXISTS(
              SELECT
                1
              FROM snapshots.customer_snapshot AS a
            )
            THEN (
              SELECT
                MAX(p.valid_to) AS c360_boundary
              FROM snapshots.customer_snapshot AS p
              WHERE
                p.customer_id = x.customer_id
            )
          END AS c360_boundary
        FROM (
          SELECT
            w.c360_action,
            w.c360_row,
            w.c360_open_from,
            w.customer_id,
            w.first_name,
            w.last_name,
            w.email,
            w.phone,
            w.created_at,
            w.updated_at
          FROM (
            SELECT
              CASE
                WHEN s.c360_present IS NULL
                THEN 'delete'
                WHEN s.customer_id IS NULL
                THEN 'null_key'
                WHEN s.updated_at IS NULL OR s.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
                THEN 'null_time'
                WHEN s.updated_at > v_latest
                THEN 'future_time'
                WHEN o.valid_from IS NULL
                THEN 'new'
                WHEN s.first_name IS DISTINCT FROM o.first_name
                OR s.last_name IS DISTINCT FROM o.last_name
                OR s.email IS DISTINCT FROM o.email
                OR s.phone IS DISTINCT FROM o.phone
                OR s.created_at IS DISTINCT FROM o.created_at
                THEN 'change'
              END AS c360_action,
              o.c360_row,
              o.valid_from AS c360_open_from,
              COALESCE(s.customer_id, o.customer_id) AS customer_id,
              s.first_name AS first_name,
              s.last_name AS last_name,
              s.email AS email,
              s.phone AS phone,
              s.created_at AS created_at,
              s.updated_at AS updated_at
            FROM (
              SELECT
                r.customer_id,
                r.first_name,
                r.last_name,
                r.email,
                r.phone,
                r.created_at,
                r.updated_at,
                TRUE AS c360_present
              FROM raw_data.customers AS r
            ) AS s
            FULL JOIN (
              SELECT
                h.customer_id,
                h.first_name,
                h.last_name,
                h.email,
                h.phone,
                h.created_at,
                h.valid_from,
                h.ctid AS c360_row
              FROM snapshots.customer_snapshot AS h
              WHERE
                h.valid_to IS NULL
            ) AS o
              ON o.customer_id = s.customer_id
          ) AS w
          WHERE
            w.c360_action IS NOT NULL
        ) AS x
        OFFSET 0
      ) AS e
    ) AS d
    UNION ALL
    SELECT
      'source' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS customer_id,
      NULL AS first_name,
      NULL AS last_name,
      NULL AS email,
      NULL AS phone,
      NULL AS created_at,
      NULL AS updated_at
    FROM raw_data.customers AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS customer_id,
      NULL AS first_name,
      NULL AS last_name,
      NULL AS email,
      NULL AS phone,
      NULL AS created_at,
      NULL AS updated_at
    FROM snapshots.customer_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN NOT s.c360_action IN ('source', 'open') THEN 1 END) AS staged_rows,
      COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS absent_rows,
      COUNT(CASE WHEN s.c360_action IN ('new', 'change', 'revive') THEN 1 END) AS starting_rows,
      COUNT(CASE WHEN s.c360_ends_at IS NOT NULL THEN 1 END) AS closing_rows,
      COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS deleted_rows,
      COUNT(CASE WHEN s.c360_action = 'revive' THEN 1 END) AS revived_rows,
      COUNT(CASE WHEN s.c360_starts_at IS NOT NULL AND s.c360_starts_at IS DISTINCT FROM s.updated_at THEN 1 END) AS dated_by_run,
      COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
      COUNT(CASE WHEN s.c360_action = 'new' THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_open_from IS NULL AND NOT s.c360_action IN ('source', 'open') THEN 1 END) AS unmatched_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(CASE WHEN s.c360_action = 'future_time' THEN 1 END) AS future_times,
      MAX(CASE WHEN s.c360_action = 'source' THEN s.c360_rows END) AS source_rows,
      MAX(CASE WHEN s.c360_action = 'open' THEN s.c360_rows END) AS open_rows,
      (
        SELECT
          COUNT(*)
        FROM (
          SELECT DISTINCT
            k.customer_id
          FROM c360_control.stage_customer_snapshot AS k
          WHERE
            k.c360_action IN ('new', 'revive')
        ) AS u
      ) AS new_keys
    FROM c360_control.stage_customer_snapshot AS s
    INTO v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_new_rows, v_unmatched_rows, v_null_keys, v_null_times, v_future_times, v_source_rows,
         v_open_rows, v_new_keys;

    -- Only where the numbers do not add up, look for the keys that occur twice.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            r.customer_id
          FROM raw_data.customers AS r
          GROUP BY
            r.customer_id
          HAVING
            COUNT(*) > 1
        ) AS d
        INTO v_duplicate_keys;
    END IF;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of raw_data.customers have no customer_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Each key must occur once.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS TEXT), 'NULL') AS c360_key
          FROM (
            SELECT
              r.customer_id
            FROM raw_data.customers AS r
            GROUP BY
              r.customer_id
            HAVING
              COUNT(*) > 1
          ) AS s
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC001',
            MESSAGE = format('%s: %s values of customer_id occur in several rows of raw_data.customers', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Every row must have a time.
    IF v_null_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_customer_snapshot AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of raw_data.customers have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- No time may lie beyond the clock and its tolerance.
    IF v_future_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_customer_snapshot AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC009',
            MESSAGE = format('%s: %s rows of raw_data.customers have updated_at later than %s', c_node, v_future_times, v_latest),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Compare the clocks.';
    END IF;

    -- An empty source is more likely a failed load than the end of everything.
    IF v_open_rows > 0 AND v_source_rows = 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC004',
            MESSAGE = format('%s: raw_data.customers is empty while %s versions are open', c_node, v_open_rows),
            HINT = 'Nothing was written. Load the source first.';
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_customer_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC010',
            MESSAGE = format('%s: %s keys have versions that begin at or end after the run time %s and cannot be closed or followed at it', c_node, v_blocked_rows, v_as_of),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Run again once that time has passed.';
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
        PERFORM set_config('random_page_cost', '0', TRUE);  -- addresses are known, and in the table's order: read these rows, not all
        UPDATE snapshots.customer_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
        FROM (
          SELECT
            s.c360_ends_at,
            s.c360_open_from,
            s.c360_row,
            s.customer_id
          FROM c360_control.stage_customer_snapshot AS s
          ORDER BY
            s.c360_row
        ) AS s
        WHERE
          t.ctid = s.c360_row
          AND t.customer_id = s.customer_id
          AND t.valid_from = s.c360_open_from
          AND t.valid_to IS NULL
          AND s.c360_ends_at IS NOT NULL;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_closing_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to close, %s found', c_node, v_closing_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
        PERFORM set_config('random_page_cost', c_page_cost, TRUE);
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
        INSERT INTO snapshots.customer_snapshot (
          customer_id,
          first_name,
          last_name,
          email,
          phone,
          created_at,
          updated_at,
          valid_from,
          opened_run_id
        )
        SELECT
          s.customer_id,
          s.first_name,
          s.last_name,
          s.email,
          s.phone,
          s.created_at,
          s.updated_at,
          s.c360_starts_at AS valid_from,
          v_run_id AS opened_run_id
        FROM c360_control.stage_customer_snapshot AS s
        WHERE
          s.c360_action IN ('new', 'change', 'revive')
        ORDER BY
          s.customer_id;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_starting_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to insert, %s found', c_node, v_starting_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_customer_snapshot;
    IF v_last_as_of IS NULL THEN
        ANALYZE snapshots.customer_snapshot;  -- who reads it next is planned for what it holds now
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
           inserted_rows = v_starting_rows,
           closed_rows = v_closing_rows,
           deleted_rows = v_deleted_rows,
           revived_rows = v_revived_rows,
           unchanged_rows = v_source_rows - (v_staged_rows - v_absent_rows),
           dated_by_run = v_dated_by_run,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_customer_snapshot(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_customer_snapshot(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_customer_snapshot()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('snapshots.customer_snapshot', 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_customer_snapshot(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_customer_snapshot(TIMESTAMPTZ) FROM PUBLIC;


-- ==================== procedures/run_order_snapshot.sql: run of snapshots.order_snapshot

-- Brings the history order_snapshot up to date with raw_data.orders.
--
--   CALL c360_control.run_order_snapshot();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_order_snapshot('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_order_snapshot();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   a row of raw_data.orders is new or changed when status, total_amount differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.orders stays open
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_order_snapshot(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    c_node CONSTANT TEXT := 'snapshots.order_snapshot';
    c_spec_hash CONSTANT TEXT := '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_page_cost CONSTANT TEXT := current_setting('random_page_cost');
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_staged_rows BIGINT;
    v_absent_rows BIGINT;
    v_starting_rows BIGINT;
    v_closing_rows BIGINT;
    v_deleted_rows BIGINT;
    v_revived_rows BIGINT;
    v_dated_by_run BIGINT;
    v_blocked_rows BIGINT;
    v_null_keys BIGINT;
    v_source_rows BIGINT;
    v_open_rows BIGINT;
    v_duplicate_keys BIGINT;
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

    -- The columns of raw_data.orders must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('order_id', 'integer'),
      ('customer_id', 'integer'),
      ('order_date', 'date'),
      ('status', 'text'),
      ('total_amount', 'number'),
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
        n.nspname = 'raw_data' AND c.relname = 'orders' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.orders is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.orders are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    CREATE UNLOGGED TABLE c360_control.stage_order_snapshot AS
    SELECT
      d.c360_action,
      CAST(NULL AS BIGINT) AS c360_rows,
      d.c360_row,
      d.c360_open_from,
      CASE
        WHEN d.c360_action IN ('new', 'change', 'revive')
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          )
          AND d.updated_at <= v_as_of
          AND d.updated_at <> CAST('-infinity' AS TIMESTAMPTZ)
          THEN d.updated_at
          ELSE v_as_of
        END
      END AS c360_starts_at,
      CASE
        WHEN d.c360_action = 'change'
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          )
          AND d.updated_at <= v_as_of
          AND d.updated_at <> CAST('-infinity' AS TIMESTAMPTZ)
          THEN d.updated_at
          ELSE v_as_of
        END
      END AS c360_ends_at,
      CAST(d.order_id AS BIGINT) AS order_id,
      CAST(d.customer_id AS BIGINT) AS customer_id,
      CAST(d.order_date AS DATE) AS order_date,
      CAST(d.status AS TEXT) AS status,
      CAST(d.total_amount AS DECIMAL(12, 2)) AS total_amount,
      CAST(d.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND e.c360_boundary > v_as_of
          THEN 'blocked'
          WHEN e.c360_action = 'new' AND e.c360_boundary IS NOT NULL
          THEN 'revive'
          ELSE e.c360_action
        END AS c360_action,
        e.c360_boundary AS c360_boundary,
        e.c360_row,
        e.c360_open_from,
        e.order_id,
        e.customer_id,
        e.order_date,
        e.status,
        e.total_amount,
        e.updated_at
      FROM (
        SELECT
          x.c360_action,
          x.c360_row,
          x.c360_open_from,
          x.order_id,
          x.customer_id,
          x.order_date,
          x.status,
          x.total_amount,
          x.updated_at,
          CASE
            WHEN x.c360_open_from IS NOT NULL
            THEN x.c360_open_from
            WHEN EXISTS(
              SELECT
                1
              FROM snapshots.order_snapshot AS a
            )
            THEN (
              SELECT
                MAX(p.valid_to) AS c360_boundary
              FROM snapshots.order_snapshot AS p
              WHERE
                p.order_id = x.order_id
            )
          END AS c360_boundary
        FROM (
          SELECT
            w.c360_action,
            w.c360_row,
            w.c360_open_from,
            w.order_id,
            w.customer_id,
            w.order_date,
            w.status,
            w.total_amount,
            w.updated_at
          FROM (
            SELECT
              CASE
                WHEN s.order_id IS NULL
                THEN 'null_key'
                WHEN c.c360_copies > 1
                THEN 'duplicate_key'
                WHEN o.valid_from IS NULL
                THEN 'new'
                WHEN s.status IS DISTINCT FROM o.status OR s.total_amount IS DISTINCT FROM o.total_amount
                THEN 'change'
              END AS c360_action,
              o.c360_row,
              o.valid_from AS c360_open_from,
              s.order_id AS order_id,
              s.customer_id AS customer_id,
              s.order_date AS order_date,
              s.status AS status,
              s.total_amount AS total_amount,
              s.updated_at AS updated_at
            FROM (
              SELECT
                r.order_id,
                r.customer_id,
                r.order_date,
                r.status,
                CAST(r.total_amount AS DECIMAL(12, 2)) AS total_amount,
                r.updated_at,
                TRUE AS c360_present
              FROM raw_data.orders AS r
            ) AS s
            LEFT JOIN (
              SELECT
                h.order_id,
                h.status,
                h.total_amount,
                h.valid_from,
                h.ctid AS c360_row
              FROM snapshots.order_snapshot AS h
              WHERE
                h.valid_to IS NULL
            ) AS o
              ON o.order_id = s.order_id
            LEFT JOIN (
              SELECT
                r.order_id,
                COUNT(*) AS c360_copies
              FROM raw_data.orders AS r
              GROUP BY
                r.order_id
              HAVING
                COUNT(*) > 1
            ) AS c
              ON c.order_id = s.order_id
          ) AS w
          WHERE
            w.c360_action IS NOT NULL
        ) AS x
        OFFSET 0
      ) AS e
    ) AS d
    UNION ALL
    SELECT
      'source' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS order_id,
      NULL AS customer_id,
      NULL AS order_date,
      NULL AS status,
      NULL AS total_amount,
      NULL AS updated_at
    FROM raw_data.orders AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS order_id,
      NULL AS customer_id,
      NULL AS order_date,
      NULL AS status,
      NULL AS total_amount,
      NULL AS updated_at
    FROM snapshots.order_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN NOT s.c360_action IN ('source', 'open') THEN 1 END) AS staged_rows,
      COUNT(CASE WHEN FALSE THEN 1 END) AS absent_rows,
      COUNT(CASE WHEN s.c360_action IN ('new', 'change', 'revive') THEN 1 END) AS starting_rows,
      COUNT(CASE WHEN s.c360_ends_at IS NOT NULL THEN 1 END) AS closing_rows,
      COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS deleted_rows,
      COUNT(CASE WHEN s.c360_action = 'revive' THEN 1 END) AS revived_rows,
      COUNT(CASE WHEN s.c360_starts_at IS NOT NULL AND s.c360_starts_at IS DISTINCT FROM s.updated_at THEN 1 END) AS dated_by_run,
      COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      MAX(CASE WHEN s.c360_action = 'source' THEN s.c360_rows END) AS source_rows,
      MAX(CASE WHEN s.c360_action = 'open' THEN s.c360_rows END) AS open_rows,
      (
        SELECT
          COUNT(*)
        FROM (
          SELECT DISTINCT
            k.order_id
          FROM c360_control.stage_order_snapshot AS k
          WHERE
            k.c360_action = 'duplicate_key'
        ) AS u
      ) AS duplicate_keys
    FROM c360_control.stage_order_snapshot AS s
    INTO v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_null_keys, v_source_rows, v_open_rows, v_duplicate_keys;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of raw_data.orders have no order_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Each key must occur once.
    IF v_duplicate_keys > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_order_snapshot AS s
          WHERE
            s.c360_action = 'duplicate_key'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC001',
            MESSAGE = format('%s: %s values of order_id occur in several rows of raw_data.orders', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_order_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC010',
            MESSAGE = format('%s: %s keys have versions that begin at or end after the run time %s and cannot be closed or followed at it', c_node, v_blocked_rows, v_as_of),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Run again once that time has passed.';
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
        PERFORM set_config('random_page_cost', '0', TRUE);  -- addresses are known, and in the table's order: read these rows, not all
        UPDATE snapshots.order_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
        FROM (
          SELECT
            s.c360_ends_at,
            s.c360_open_from,
            s.c360_row,
            s.order_id
          FROM c360_control.stage_order_snapshot AS s
          ORDER BY
            s.c360_row
        ) AS s
        WHERE
          t.ctid = s.c360_row
          AND t.order_id = s.order_id
          AND t.valid_from = s.c360_open_from
          AND t.valid_to IS NULL
          AND s.c360_ends_at IS NOT NULL;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_closing_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to close, %s found', c_node, v_closing_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
        PERFORM set_config('random_page_cost', c_page_cost, TRUE);
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
        INSERT INTO snapshots.order_snapshot (
          order_id,
          customer_id,
          order_date,
          status,
          total_amount,
          updated_at,
          valid_from,
          opened_run_id
        )
        SELECT
          s.order_id,
          s.customer_id,
          s.order_date,
          s.status,
          s.total_amount,
          s.updated_at,
          s.c360_starts_at AS valid_from,
          v_run_id AS opened_run_id
        FROM c360_control.stage_order_snapshot AS s
        WHERE
          s.c360_action IN ('new', 'change', 'revive')
        ORDER BY
          s.order_id;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_starting_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to insert, %s found', c_node, v_starting_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_order_snapshot;
    IF v_last_as_of IS NULL THEN
        ANALYZE snapshots.order_snapshot;  -- who reads it next is planned for what it holds now
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
           inserted_rows = v_starting_rows,
           closed_rows = v_closing_rows,
           deleted_rows = v_deleted_rows,
           revived_rows = v_revived_rows,
           unchanged_rows = v_source_rows - (v_staged_rows - v_absent_rows),
           dated_by_run = v_dated_by_run,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_order_snapshot(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_order_snapshot(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_order_snapshot()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('snapshots.order_snapshot', '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_order_snapshot(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_order_snapshot(TIMESTAMPTZ) FROM PUBLIC;


-- ==================== procedures/run_payment_snapshot.sql: run of snapshots.payment_snapshot

-- Brings the history payment_snapshot up to date with raw_data.payments.
--
--   CALL c360_control.run_payment_snapshot();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_payment_snapshot('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_payment_snapshot();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   a row of raw_data.payments is new or changed when any of its columns but payment_id, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.payments stays open
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_payment_snapshot(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    c_node CONSTANT TEXT := 'snapshots.payment_snapshot';
    c_spec_hash CONSTANT TEXT := 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_page_cost CONSTANT TEXT := current_setting('random_page_cost');
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_staged_rows BIGINT;
    v_absent_rows BIGINT;
    v_starting_rows BIGINT;
    v_closing_rows BIGINT;
    v_deleted_rows BIGINT;
    v_revived_rows BIGINT;
    v_dated_by_run BIGINT;
    v_blocked_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_future_times BIGINT;
    v_source_rows BIGINT;
    v_open_rows BIGINT;
    v_duplicate_keys BIGINT;
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

    -- The columns of raw_data.payments must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('payment_id', 'integer'),
      ('order_id', 'integer'),
      ('payment_method', 'text'),
      ('amount', 'number'),
      ('status', 'text'),
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
        n.nspname = 'raw_data' AND c.relname = 'payments' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.payments is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.payments are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    CREATE UNLOGGED TABLE c360_control.stage_payment_snapshot AS
    SELECT
      d.c360_action,
      CAST(NULL AS BIGINT) AS c360_rows,
      d.c360_row,
      d.c360_open_from,
      CASE
        WHEN d.c360_action IN ('new', 'change', 'revive')
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          ) AND d.updated_at <= v_as_of
          THEN d.updated_at
          ELSE v_as_of
        END
      END AS c360_starts_at,
      CASE
        WHEN d.c360_action = 'change'
        THEN CASE
          WHEN (
            d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
          ) AND d.updated_at <= v_as_of
          THEN d.updated_at
          ELSE v_as_of
        END
      END AS c360_ends_at,
      CAST(d.payment_id AS BIGINT) AS payment_id,
      CAST(d.order_id AS BIGINT) AS order_id,
      CAST(d.payment_method AS TEXT) AS payment_method,
      CAST(d.amount AS DECIMAL(12, 2)) AS amount,
      CAST(d.status AS TEXT) AS status,
      CAST(d.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND e.c360_boundary > v_as_of
          THEN 'blocked'
          WHEN e.c360_action = 'new' AND e.c360_boundary IS NOT NULL
          THEN 'revive'
          ELSE e.c360_action
        END AS c360_action,
        e.c360_boundary AS c360_boundary,
        e.c360_row,
        e.c360_open_from,
        e.payment_id,
        e.order_id,
        e.payment_method,
        e.amount,
        e.status,
        e.updated_at
      FROM (
        SELECT
          x.c360_action,
          x.c360_row,
          x.c360_open_from,
          x.payment_id,
          x.order_id,
          x.payment_method,
          x.amount,
          x.status,
          x.updated_at,
          CASE
            WHEN x.c360_open_from IS NOT NULL
            THEN x.c360_open_from
            WHEN EXISTS(
              SELECT
                1
              FROM snapshots.payment_snapshot AS a
            )
            THEN (
              SELECT
                MAX(p.valid_to) AS c360_boundary
              FROM snapshots.payment_snapshot AS p
              WHERE
                p.payment_id = x.payment_id
            )
          END AS c360_boundary
        FROM (
          SELECT
            w.c360_action,
            w.c360_row,
            w.c360_open_from,
            w.payment_id,
            w.order_id,
            w.payment_method,
            w.amount,
            w.status,
            w.updated_at
          FROM (
            SELECT
              CASE
                WHEN s.payment_id IS NULL
                THEN 'null_key'
                WHEN c.c360_copies > 1
                THEN 'duplicate_key'
                WHEN s.updated_at IS NULL OR s.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
                THEN 'null_time'
                WHEN s.updated_at > v_latest
                THEN 'future_time'
                WHEN o.valid_from IS NULL
                THEN 'new'
                WHEN s.order_id IS DISTINCT FROM o.order_id
                OR s.payment_method IS DISTINCT FROM o.payment_method
                OR s.amount IS DISTINCT FROM o.amount
                OR s.status IS DISTINCT FROM o.status
                THEN 'change'
              END AS c360_action,
              o.c360_row,
              o.valid_from AS c360_open_from,
              s.payment_id AS payment_id,
              s.order_id AS order_id,
              s.payment_method AS payment_method,
              s.amount AS amount,
              s.status AS status,
              s.updated_at AS updated_at
            FROM (
              SELECT
                r.payment_id,
                r.order_id,
                r.payment_method,
                CAST(r.amount AS DECIMAL(12, 2)) AS amount,
                r.status,
                r.updated_at,
                TRUE AS c360_present
              FROM raw_data.payments AS r
            ) AS s
            LEFT JOIN (
              SELECT
                h.payment_id,
                h.order_id,
                h.payment_method,
                h.amount,
                h.status,
                h.valid_from,
                h.ctid AS c360_row
              FROM snapshots.payment_snapshot AS h
              WHERE
                h.valid_to IS NULL
            ) AS o
              ON o.payment_id = s.payment_id
            LEFT JOIN (
              SELECT
                r.payment_id,
                COUNT(*) AS c360_copies
              FROM raw_data.payments AS r
              GROUP BY
                r.payment_id
              HAVING
                COUNT(*) > 1
            ) AS c
              ON c.payment_id = s.payment_id
          ) AS w
          WHERE
            w.c360_action IS NOT NULL
        ) AS x
        OFFSET 0
      ) AS e
    ) AS d
    UNION ALL
    SELECT
      'source' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS payment_id,
      NULL AS order_id,
      NULL AS payment_method,
      NULL AS amount,
      NULL AS status,
      NULL AS updated_at
    FROM raw_data.payments AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS payment_id,
      NULL AS order_id,
      NULL AS payment_method,
      NULL AS amount,
      NULL AS status,
      NULL AS updated_at
    FROM snapshots.payment_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN NOT s.c360_action IN ('source', 'open') THEN 1 END) AS staged_rows,
      COUNT(CASE WHEN FALSE THEN 1 END) AS absent_rows,
      COUNT(CASE WHEN s.c360_action IN ('new', 'change', 'revive') THEN 1 END) AS starting_rows,
      COUNT(CASE WHEN s.c360_ends_at IS NOT NULL THEN 1 END) AS closing_rows,
      COUNT(CASE WHEN s.c360_action = 'delete' THEN 1 END) AS deleted_rows,
      COUNT(CASE WHEN s.c360_action = 'revive' THEN 1 END) AS revived_rows,
      COUNT(CASE WHEN s.c360_starts_at IS NOT NULL AND s.c360_starts_at IS DISTINCT FROM s.updated_at THEN 1 END) AS dated_by_run,
      COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(CASE WHEN s.c360_action = 'future_time' THEN 1 END) AS future_times,
      MAX(CASE WHEN s.c360_action = 'source' THEN s.c360_rows END) AS source_rows,
      MAX(CASE WHEN s.c360_action = 'open' THEN s.c360_rows END) AS open_rows,
      (
        SELECT
          COUNT(*)
        FROM (
          SELECT DISTINCT
            k.payment_id
          FROM c360_control.stage_payment_snapshot AS k
          WHERE
            k.c360_action = 'duplicate_key'
        ) AS u
      ) AS duplicate_keys
    FROM c360_control.stage_payment_snapshot AS s
    INTO v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_null_keys, v_null_times, v_future_times, v_source_rows, v_open_rows, v_duplicate_keys;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of raw_data.payments have no payment_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Each key must occur once.
    IF v_duplicate_keys > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'duplicate_key'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC001',
            MESSAGE = format('%s: %s values of payment_id occur in several rows of raw_data.payments', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Every row must have a time.
    IF v_null_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of raw_data.payments have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- No time may lie beyond the clock and its tolerance.
    IF v_future_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC009',
            MESSAGE = format('%s: %s rows of raw_data.payments have updated_at later than %s', c_node, v_future_times, v_latest),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Compare the clocks.';
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_payment_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC010',
            MESSAGE = format('%s: %s keys have versions that begin at or end after the run time %s and cannot be closed or followed at it', c_node, v_blocked_rows, v_as_of),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Run again once that time has passed.';
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
        PERFORM set_config('random_page_cost', '0', TRUE);  -- addresses are known, and in the table's order: read these rows, not all
        UPDATE snapshots.payment_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
        FROM (
          SELECT
            s.c360_ends_at,
            s.c360_open_from,
            s.c360_row,
            s.payment_id
          FROM c360_control.stage_payment_snapshot AS s
          ORDER BY
            s.c360_row
        ) AS s
        WHERE
          t.ctid = s.c360_row
          AND t.payment_id = s.payment_id
          AND t.valid_from = s.c360_open_from
          AND t.valid_to IS NULL
          AND s.c360_ends_at IS NOT NULL;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_closing_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to close, %s found', c_node, v_closing_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
        PERFORM set_config('random_page_cost', c_page_cost, TRUE);
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
        INSERT INTO snapshots.payment_snapshot (
          payment_id,
          order_id,
          payment_method,
          amount,
          status,
          updated_at,
          valid_from,
          opened_run_id
        )
        SELECT
          s.payment_id,
          s.order_id,
          s.payment_method,
          s.amount,
          s.status,
          s.updated_at,
          s.c360_starts_at AS valid_from,
          v_run_id AS opened_run_id
        FROM c360_control.stage_payment_snapshot AS s
        WHERE
          s.c360_action IN ('new', 'change', 'revive')
        ORDER BY
          s.payment_id;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_starting_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s versions to insert, %s found', c_node, v_starting_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_payment_snapshot;
    IF v_last_as_of IS NULL THEN
        ANALYZE snapshots.payment_snapshot;  -- who reads it next is planned for what it holds now
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
           inserted_rows = v_starting_rows,
           closed_rows = v_closing_rows,
           deleted_rows = v_deleted_rows,
           revived_rows = v_revived_rows,
           unchanged_rows = v_source_rows - (v_staged_rows - v_absent_rows),
           dated_by_run = v_dated_by_run,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_payment_snapshot(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_payment_snapshot(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_payment_snapshot()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('snapshots.payment_snapshot', 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_payment_snapshot(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_payment_snapshot(TIMESTAMPTZ) FROM PUBLIC;


-- ==================== procedures/run_int_customer_orders.sql: run of intermediate.int_customer_orders

-- Brings int_customer_orders up to date with its query.
--
--   CALL c360_control.run_int_customer_orders();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_int_customer_orders('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_int_customer_orders(p_full_refresh => true);
--        replaces every row, in one transaction
--   CALL c360_control.apply_int_customer_orders();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          a row of a known order_id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share order_id must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_int_customer_orders(
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
    c_node CONSTANT TEXT := 'intermediate.int_customer_orders';
    c_spec_hash CONSTANT TEXT := '084cae8c45ae0c146be65ef963062d0174d8efc5153b85bb91623a82dd9f5eb2';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_lookback CONSTANT INTERVAL := INTERVAL '259200 seconds';  -- not days: days would follow daylight saving
    c_page_cost CONSTANT TEXT := current_setting('random_page_cost');
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_window_start TIMESTAMPTZ;
    v_full_refresh BOOLEAN := COALESCE(p_full_refresh, false);
    v_incremental BOOLEAN;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_swapped_views BIGINT;
    v_swapped_names TEXT;
    v_new_rows BIGINT;
    v_updated_rows BIGINT;
    v_older_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_source_rows BIGINT;
    v_newest TIMESTAMPTZ;
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
    v_window_start := CASE WHEN v_incremental THEN v_watermark - c_lookback END;

    -- The columns of raw_data.orders must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('order_id', 'integer'),
      ('customer_id', 'integer'),
      ('order_date', 'date'),
      ('status', 'text'),
      ('total_amount', 'number'),
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
        n.nspname = 'raw_data' AND c.relname = 'orders' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.orders is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.orders are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Views must read what is called raw_data.orders now.
    SELECT
      COUNT(*) AS swapped_views,
      STRING_AGG(v.c360_name, '; '
      ORDER BY
        v.c360_name) AS swapped_names
    FROM (
      SELECT
        w.c360_name
      FROM (VALUES
        ('staging.stg_orders')) AS w(c360_name)
      WHERE
        NOT EXISTS(
          SELECT
            1
          FROM pg_catalog.pg_rewrite AS r
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = TO_REGCLASS('pg_catalog.pg_rewrite') AND d.objid = r.oid
          WHERE
            r.ev_class = TO_REGCLASS(w.c360_name)
            AND d.refclassid = TO_REGCLASS('pg_catalog.pg_class')
            AND d.refobjid = TO_REGCLASS('raw_data.orders')
        )
    ) AS v
    INTO v_swapped_views, v_swapped_names;

    -- A view keeps the table that it was made over: what was loaded since would never be seen.
    IF v_swapped_views > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s views read a table that is not called raw_data.orders any more: %s', c_node, v_swapped_views, v_swapped_names),
            HINT = 'Nothing was written. Run deploy.sql, which makes the views anew.';
    END IF;

    -- Read the batch once and look its keys up in the target.
    CREATE UNLOGGED TABLE c360_control.stage_int_customer_orders AS
    SELECT
      CASE
        WHEN b.order_id IS NULL
        THEN 'null_key'
        WHEN b.updated_at IS NULL
        OR b.updated_at = CAST('infinity' AS TIMESTAMPTZ)
        OR b.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
        THEN 'null_time'
        WHEN t.order_id IS NULL
        THEN 'insert'
        WHEN b.customer_id IS DISTINCT FROM t.customer_id
        OR b.order_date IS DISTINCT FROM t.order_date
        OR b.status IS DISTINCT FROM t.status
        OR b.total_amount IS DISTINCT FROM t.total_amount
        OR b.updated_at IS DISTINCT FROM t.updated_at
        THEN 'update'
        ELSE 'same'
      END AS c360_action,
      t.ctid AS c360_row,
      b.c360_copies,
      b.c360_position,
      CAST(b.order_id AS BIGINT) AS order_id,
      CAST(b.customer_id AS BIGINT) AS customer_id,
      CAST(b.order_date AS DATE) AS order_date,
      CAST(b.status AS TEXT) AS status,
      CAST(b.total_amount AS DECIMAL(12, 2)) AS total_amount,
      CAST(b.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        m.order_id,
        m.customer_id,
        m.order_date,
        m.status,
        CAST(m.total_amount AS DECIMAL(12, 2)) AS total_amount,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.order_id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.order_id ORDER BY m.order_id) AS c360_position
      FROM (
        SELECT
          stg_orders.order_id AS order_id,
          stg_orders.customer_id AS customer_id,
          stg_orders.order_date AS order_date,
          stg_orders.status AS status,
          stg_orders.total_amount AS total_amount,
          stg_orders.updated_at AS updated_at
        FROM staging.stg_orders AS stg_orders
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b
    LEFT JOIN intermediate.int_customer_orders AS t
      ON t.order_id = b.order_id AND NOT v_full_refresh;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
      COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows,
      MAX(s.updated_at) AS newest
    FROM c360_control.stage_int_customer_orders AS s
    INTO v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows, v_newest;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of the query of int_customer_orders have no order_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_int_customer_orders AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of the query of int_customer_orders have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Rows that share a key must be equal in every column.
    SELECT
      COUNT(*) AS duplicate_keys
    FROM (
      SELECT
        d.order_id
      FROM (
        SELECT DISTINCT
          s.order_id,
          s.customer_id,
          s.order_date,
          s.status,
          s.total_amount,
          s.updated_at
        FROM c360_control.stage_int_customer_orders AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
      ) AS d
      GROUP BY
        d.order_id
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
            COALESCE(CAST(s.order_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_int_customer_orders AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC001',
            MESSAGE = format('%s: %s values of order_id occur in several rows that differ', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.';
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_customer_orders AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM intermediate.int_customer_orders AS t
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
        UPDATE intermediate.int_customer_orders AS t SET customer_id = s.customer_id, order_date = s.order_date, status = s.status, total_amount = s.total_amount, updated_at = s.updated_at
        FROM (
          SELECT
            s.c360_action,
            s.c360_position,
            s.c360_row,
            s.customer_id,
            s.order_date,
            s.order_id,
            s.status,
            s.total_amount,
            s.updated_at
          FROM c360_control.stage_int_customer_orders AS s
          ORDER BY
            s.c360_row
        ) AS s
        WHERE
          t.ctid = s.c360_row AND t.order_id = s.order_id AND s.c360_action = 'update' AND s.c360_position = 1;
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
        INSERT INTO intermediate.int_customer_orders (
          order_id,
          customer_id,
          order_date,
          status,
          total_amount,
          updated_at
        )
        SELECT
          s.order_id,
          s.customer_id,
          s.order_date,
          s.status,
          s.total_amount,
          s.updated_at
        FROM c360_control.stage_int_customer_orders AS s
        WHERE
          s.c360_action = 'insert' AND s.c360_position = 1
        ORDER BY
          s.order_id;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_new_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to insert, %s found', c_node, v_new_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_int_customer_orders;
    IF NOT v_incremental THEN
        ANALYZE intermediate.int_customer_orders;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           watermark = GREATEST(
               CASE WHEN NOT v_full_refresh THEN s.watermark END,  -- GREATEST skips NULL; LEAST would, too, and an empty batch would
               CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END  -- move the watermark to the run time
           ),
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
           watermark_before = v_watermark,
           watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = c_node),
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_int_customer_orders(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_int_customer_orders(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_int_customer_orders()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('intermediate.int_customer_orders', '084cae8c45ae0c146be65ef963062d0174d8efc5153b85bb91623a82dd9f5eb2', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_int_customer_orders(v_run_id, p_as_of, p_full_refresh);
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
REVOKE ALL ON PROCEDURE c360_control.run_int_customer_orders(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== procedures/run_int_interactions.sql: run of intermediate.int_interactions

-- Brings int_interactions up to date with its query.
--
--   CALL c360_control.run_int_interactions();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_int_interactions('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_int_interactions(p_full_refresh => true);
--        replaces every row, in one transaction
--   CALL c360_control.apply_int_interactions();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   reads rows whose occurred_at is after the watermark and not after the run time
--          rows are added, never changed; rows that arrive later with a cursor at or below the watermark are not read
-- Errors:  ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_int_interactions(
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
    c_node CONSTANT TEXT := 'intermediate.int_interactions';
    c_spec_hash CONSTANT TEXT := 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_lookback CONSTANT INTERVAL := INTERVAL '0 seconds';  -- not days: days would follow daylight saving
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_window_start TIMESTAMPTZ;
    v_full_refresh BOOLEAN := COALESCE(p_full_refresh, false);
    v_incremental BOOLEAN;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_swapped_views BIGINT;
    v_swapped_names TEXT;
    v_new_rows BIGINT;
    v_null_times BIGINT;
    v_source_rows BIGINT;
    v_newest TIMESTAMPTZ;
    v_target_rows BIGINT;
    v_rows BIGINT;
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
    v_window_start := CASE WHEN v_incremental THEN v_watermark - c_lookback END;

    -- The columns of raw_data.interactions must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('interaction_id', 'integer'),
      ('customer_id', 'integer'),
      ('channel', 'text'),
      ('subject', 'text'),
      ('occurred_at', 'timestamptz')) AS w(c360_name, c360_family)
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
        n.nspname = 'raw_data' AND c.relname = 'interactions' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.interactions is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.interactions are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Views must read what is called raw_data.interactions now.
    SELECT
      COUNT(*) AS swapped_views,
      STRING_AGG(v.c360_name, '; '
      ORDER BY
        v.c360_name) AS swapped_names
    FROM (
      SELECT
        w.c360_name
      FROM (VALUES
        ('staging.stg_interactions')) AS w(c360_name)
      WHERE
        NOT EXISTS(
          SELECT
            1
          FROM pg_catalog.pg_rewrite AS r
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = TO_REGCLASS('pg_catalog.pg_rewrite') AND d.objid = r.oid
          WHERE
            r.ev_class = TO_REGCLASS(w.c360_name)
            AND d.refclassid = TO_REGCLASS('pg_catalog.pg_class')
            AND d.refobjid = TO_REGCLASS('raw_data.interactions')
        )
    ) AS v
    INTO v_swapped_views, v_swapped_names;

    -- A view keeps the table that it was made over: what was loaded since would never be seen.
    IF v_swapped_views > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s views read a table that is not called raw_data.interactions any more: %s', c_node, v_swapped_views, v_swapped_names),
            HINT = 'Nothing was written. Run deploy.sql, which makes the views anew.';
    END IF;

    -- Read the rows beyond the watermark.
    CREATE UNLOGGED TABLE c360_control.stage_int_interactions AS
    SELECT
      CASE
        WHEN b.occurred_at IS NULL
        OR b.occurred_at = CAST('infinity' AS TIMESTAMPTZ)
        OR b.occurred_at = CAST('-infinity' AS TIMESTAMPTZ)
        THEN 'null_time'
        ELSE 'insert'
      END AS c360_action,
      CAST(b.interaction_id AS BIGINT) AS interaction_id,
      CAST(b.customer_id AS BIGINT) AS customer_id,
      CAST(b.channel AS TEXT) AS channel,
      CAST(b.subject AS TEXT) AS subject,
      CAST(b.occurred_at AS TIMESTAMPTZ) AS occurred_at
    FROM (
      SELECT
        m.interaction_id,
        m.customer_id,
        m.channel,
        m.subject,
        m.occurred_at
      FROM (
        SELECT
          stg_interactions.interaction_id AS interaction_id,
          stg_interactions.customer_id AS customer_id,
          stg_interactions.channel AS channel,
          stg_interactions.subject AS subject,
          stg_interactions.occurred_at AS occurred_at
        FROM staging.stg_interactions AS stg_interactions
      ) AS m
      WHERE
        (
          (
            v_window_start IS NULL OR m.occurred_at > v_window_start
          ) AND m.occurred_at <= v_as_of
        )
        OR m.occurred_at IS NULL
    ) AS b;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows,
      MAX(s.occurred_at) AS newest
    FROM c360_control.stage_int_interactions AS s
    INTO v_new_rows, v_null_times, v_source_rows, v_newest;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of the query of int_interactions have no usable occurred_at', c_node, v_null_times),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_interactions AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM intermediate.int_interactions AS t
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

    -- Append the rows.
    IF v_new_rows > 0 THEN
        INSERT INTO intermediate.int_interactions (
          interaction_id,
          customer_id,
          channel,
          subject,
          occurred_at
        )
        SELECT
          s.interaction_id,
          s.customer_id,
          s.channel,
          s.subject,
          s.occurred_at
        FROM c360_control.stage_int_interactions AS s
        WHERE
          s.c360_action = 'insert';
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_new_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to append, %s found', c_node, v_new_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_int_interactions;
    IF NOT v_incremental THEN
        ANALYZE intermediate.int_interactions;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           watermark = GREATEST(
               CASE WHEN NOT v_full_refresh THEN s.watermark END,  -- GREATEST skips NULL; LEAST would, too, and an empty batch would
               CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END  -- move the watermark to the run time
           ),
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           source_rows = v_source_rows,
           inserted_rows = v_new_rows,
           deleted_rows = CASE WHEN v_full_refresh THEN v_target_rows ELSE 0 END,
           unchanged_rows = 0,
           watermark_before = v_watermark,
           watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = c_node),
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_int_interactions(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_int_interactions(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_int_interactions()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('intermediate.int_interactions', 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_int_interactions(v_run_id, p_as_of, p_full_refresh);
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
REVOKE ALL ON PROCEDURE c360_control.run_int_interactions(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== procedures/run_int_payments.sql: run of intermediate.int_payments

-- Brings int_payments up to date with its query.
--
--   CALL c360_control.run_int_payments();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_int_payments('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_int_payments(p_full_refresh => true);
--        replaces every row, in one transaction
--   CALL c360_control.apply_int_payments();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          the rows of every payment_id in the batch replace those in the table; other rows are kept
-- Errors:  ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_int_payments(
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
    c_node CONSTANT TEXT := 'intermediate.int_payments';
    c_spec_hash CONSTANT TEXT := '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    c_lookback CONSTANT INTERVAL := INTERVAL '259200 seconds';  -- not days: days would follow daylight saving
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_window_start TIMESTAMPTZ;
    v_full_refresh BOOLEAN := COALESCE(p_full_refresh, false);
    v_incremental BOOLEAN;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
    v_swapped_views BIGINT;
    v_swapped_names TEXT;
    v_source_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_newest TIMESTAMPTZ;
    v_target_rows BIGINT;
    v_deleted_rows BIGINT;
    v_new_rows BIGINT;
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
    v_window_start := CASE WHEN v_incremental THEN v_watermark - c_lookback END;

    -- The columns of raw_data.payments must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('payment_id', 'integer'),
      ('order_id', 'integer'),
      ('payment_method', 'text'),
      ('amount', 'number'),
      ('status', 'text'),
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
        n.nspname = 'raw_data' AND c.relname = 'payments' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: raw_data.payments is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of raw_data.payments are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Views must read what is called raw_data.payments now.
    SELECT
      COUNT(*) AS swapped_views,
      STRING_AGG(v.c360_name, '; '
      ORDER BY
        v.c360_name) AS swapped_names
    FROM (
      SELECT
        w.c360_name
      FROM (VALUES
        ('staging.stg_payments')) AS w(c360_name)
      WHERE
        NOT EXISTS(
          SELECT
            1
          FROM pg_catalog.pg_rewrite AS r
          JOIN pg_catalog.pg_depend AS d
            ON d.classid = TO_REGCLASS('pg_catalog.pg_rewrite') AND d.objid = r.oid
          WHERE
            r.ev_class = TO_REGCLASS(w.c360_name)
            AND d.refclassid = TO_REGCLASS('pg_catalog.pg_class')
            AND d.refobjid = TO_REGCLASS('raw_data.payments')
        )
    ) AS v
    INTO v_swapped_views, v_swapped_names;

    -- A view keeps the table that it was made over: what was loaded since would never be seen.
    IF v_swapped_views > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s views read a table that is not called raw_data.payments any more: %s', c_node, v_swapped_views, v_swapped_names),
            HINT = 'Nothing was written. Run deploy.sql, which makes the views anew.';
    END IF;

    -- Read the batch once.
    CREATE UNLOGGED TABLE c360_control.stage_int_payments AS
    SELECT
      CASE
        WHEN b.payment_id IS NULL
        THEN 'null_key'
        WHEN b.updated_at IS NULL
        OR b.updated_at = CAST('infinity' AS TIMESTAMPTZ)
        OR b.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
        THEN 'null_time'
        ELSE 'batch'
      END AS c360_action,
      CAST(b.payment_id AS BIGINT) AS payment_id,
      CAST(b.order_id AS BIGINT) AS order_id,
      CAST(b.payment_method AS TEXT) AS payment_method,
      CAST(b.amount AS DECIMAL(12, 2)) AS amount,
      CAST(b.status AS TEXT) AS status,
      CAST(b.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        m.payment_id,
        m.order_id,
        m.payment_method,
        CAST(m.amount AS DECIMAL(12, 2)) AS amount,
        m.status,
        m.updated_at
      FROM (
        SELECT
          stg_payments.payment_id AS payment_id,
          stg_payments.order_id AS order_id,
          stg_payments.payment_method AS payment_method,
          stg_payments.amount AS amount,
          stg_payments.status AS status,
          stg_payments.updated_at AS updated_at
        FROM staging.stg_payments AS stg_payments
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action IN ('batch', 'null_key', 'null_time') THEN 1 END) AS source_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      MAX(s.updated_at) AS newest
    FROM c360_control.stage_int_payments AS s
    INTO v_source_rows, v_null_keys, v_null_times, v_newest;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of the query of int_payments have no payment_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_int_payments AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of the query of int_payments have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
        SELECT
          COUNT(*) AS target_rows
        FROM intermediate.int_payments AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM intermediate.int_payments AS t
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

    -- Find the keys whose rows differ, as multisets: what is equal is not written again.
    INSERT INTO c360_control.stage_int_payments (
      c360_action,
      payment_id
    )
    SELECT DISTINCT
      'replace' AS c360_action,
      g.payment_id
    FROM (
      SELECT
        u.payment_id
      FROM (
        SELECT
          s.payment_id,
          s.order_id,
          s.payment_method,
          s.amount,
          s.status,
          s.updated_at,
          1 AS c360_side
        FROM c360_control.stage_int_payments AS s
        WHERE
          s.c360_action = 'batch'
        UNION ALL
        SELECT
          t.payment_id,
          t.order_id,
          t.payment_method,
          t.amount,
          t.status,
          t.updated_at,
          -1 AS c360_side
        FROM intermediate.int_payments AS t
        INNER JOIN (
          SELECT DISTINCT
            k.payment_id
          FROM c360_control.stage_int_payments AS k
          WHERE
            k.c360_action = 'batch'
        ) AS b
          ON b.payment_id = t.payment_id
      ) AS u
      GROUP BY
        u.payment_id,
        u.order_id,
        u.payment_method,
        u.amount,
        u.status,
        u.updated_at
      HAVING
        SUM(u.c360_side) <> 0
    ) AS g;

    -- Count what will be replaced.
    SELECT
      (
        SELECT
          COUNT(*)
        FROM intermediate.int_payments AS t
        INNER JOIN c360_control.stage_int_payments AS r
          ON r.payment_id = t.payment_id AND r.c360_action = 'replace'
      ) AS deleted_rows,
      (
        SELECT
          COUNT(*)
        FROM c360_control.stage_int_payments AS s
        INNER JOIN c360_control.stage_int_payments AS r
          ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
        WHERE
          s.c360_action = 'batch'
      ) AS new_rows
    INTO v_deleted_rows, v_new_rows;

    -- Remove the rows of the keys that differ.
    IF v_deleted_rows > 0 THEN
        DELETE FROM intermediate.int_payments AS t
        WHERE
          EXISTS(
            SELECT
              1
            FROM c360_control.stage_int_payments AS r
            WHERE
              r.c360_action = 'replace' AND r.payment_id = t.payment_id
          );
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_deleted_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to remove, %s found', c_node, v_deleted_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Insert the rows that replace them.
    IF v_new_rows > 0 THEN
        INSERT INTO intermediate.int_payments (
          payment_id,
          order_id,
          payment_method,
          amount,
          status,
          updated_at
        )
        SELECT
          s.payment_id,
          s.order_id,
          s.payment_method,
          s.amount,
          s.status,
          s.updated_at
        FROM c360_control.stage_int_payments AS s
        INNER JOIN c360_control.stage_int_payments AS r
          ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
        WHERE
          s.c360_action = 'batch';
        GET DIAGNOSTICS v_rows = ROW_COUNT;
        IF v_rows <> v_new_rows THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC006',
                MESSAGE = format('%s: %s rows to insert, %s found', c_node, v_new_rows, v_rows),
                HINT = 'Nothing was written. Somebody else writes to the table; call again.';
        END IF;
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_int_payments;
    IF NOT v_incremental THEN
        ANALYZE intermediate.int_payments;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           watermark = GREATEST(
               CASE WHEN NOT v_full_refresh THEN s.watermark END,  -- GREATEST skips NULL; LEAST would, too, and an empty batch would
               CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END  -- move the watermark to the run time
           ),
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           source_rows = v_source_rows,
           inserted_rows = v_new_rows,
           deleted_rows = CASE WHEN v_full_refresh THEN v_target_rows ELSE v_deleted_rows END,
           unchanged_rows = v_source_rows - v_new_rows,
           watermark_before = v_watermark,
           watermark_after = (SELECT s.watermark FROM c360_control.state AS s WHERE s.node = c_node),
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_int_payments(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_int_payments(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_int_payments()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('intermediate.int_payments', '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_int_payments(v_run_id, p_as_of, p_full_refresh);
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
REVOKE ALL ON PROCEDURE c360_control.run_int_payments(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== procedures/run_mart_customer_360.sql: run of marts.mart_customer_360

-- Replaces the contents of mart_customer_360 by its query.
--
--   CALL c360_control.run_mart_customer_360();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_mart_customer_360('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_mart_customer_360();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_mart_customer_360(
    INOUT p_run_id       BIGINT      DEFAULT NULL,
    IN    p_as_of        TIMESTAMPTZ DEFAULT NULL
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
AS $$
DECLARE
    c_node CONSTANT TEXT := 'marts.mart_customer_360';
    c_spec_hash CONSTANT TEXT := 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_target_rows BIGINT;
    v_new_rows BIGINT;
    v_rows BIGINT;
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

    -- Count the rows that go.
    SELECT
      COUNT(*) AS target_rows
    FROM marts.mart_customer_360 AS t
    INTO v_target_rows;

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM marts.mart_customer_360 AS t
    WHERE
      TRUE;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    IF v_rows <> v_target_rows THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC006',
            MESSAGE = format('%s: %s rows to remove, %s found', c_node, v_target_rows, v_rows),
            HINT = 'Nothing was written. Somebody else writes to the table; call again.';
    END IF;

    -- Fill it again.
    INSERT INTO marts.mart_customer_360 (
      customer_id,
      full_name,
      email,
      order_count,
      lifetime_value,
      average_order_value,
      days_since_last_order,
      months_as_customer,
      payment_count,
      refund_rate,
      paid_amount,
      favourite_payment_method,
      interaction_count,
      last_channel,
      version_count,
      segment
    )
    SELECT
      m.customer_id,
      m.full_name,
      m.email,
      m.order_count,
      m.lifetime_value,
      m.average_order_value,
      m.days_since_last_order,
      m.months_as_customer,
      m.payment_count,
      m.refund_rate,
      m.paid_amount,
      m.favourite_payment_method,
      m.interaction_count,
      m.last_channel,
      m.version_count,
      m.segment
    FROM (
      WITH clock AS (
        SELECT
          CAST(v_as_of AT TIME ZONE 'UTC' AS DATE) AS today
      ), orders AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS order_count,
          SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
          ROUND(AVG(o.total_amount), 9) AS average_order_value,
          MIN(o.order_date) AS first_order_date,
          MAX(o.order_date) AS last_order_date
        FROM intermediate.int_customer_orders AS o
        GROUP BY
          o.customer_id
      ), payments AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS payment_count,
          SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
          SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
        FROM intermediate.int_payments AS p
        JOIN intermediate.int_customer_orders AS o
          ON o.order_id = p.order_id
        GROUP BY
          o.customer_id
      ), methods AS (
        SELECT
          o.customer_id AS customer_id,
          p.payment_method AS payment_method,
          COUNT(*) AS used
        FROM intermediate.int_payments AS p
        JOIN intermediate.int_customer_orders AS o
          ON o.order_id = p.order_id
        WHERE
          p.payment_method IS NOT NULL
        GROUP BY
          o.customer_id,
          p.payment_method
      ), favourites AS (
        SELECT
          ranked.customer_id AS customer_id,
          ranked.payment_method AS payment_method
        FROM (
          SELECT
            methods.customer_id AS customer_id,
            methods.payment_method AS payment_method,
            ROW_NUMBER() OVER (PARTITION BY methods.customer_id ORDER BY methods.used DESC, methods.payment_method) AS position
          FROM methods AS methods
        ) AS ranked
        WHERE
          ranked.position = 1
      ), contacts AS (
        SELECT
          int_interactions.customer_id AS customer_id,
          int_interactions.channel AS channel,
          COUNT(*) OVER (PARTITION BY int_interactions.customer_id) AS interaction_count,
          ROW_NUMBER() OVER (
            PARTITION BY int_interactions.customer_id
            ORDER BY int_interactions.occurred_at DESC, int_interactions.interaction_id DESC
          ) AS recency
        FROM intermediate.int_interactions AS int_interactions
      ), versions AS (
        SELECT
          customer_snapshot.customer_id AS customer_id,
          COUNT(*) AS version_count
        FROM snapshots.customer_snapshot AS customer_snapshot
        GROUP BY
          customer_snapshot.customer_id
      )
      SELECT
        c.customer_id AS customer_id,
        CAST(TRIM(c.first_name) || ' ' || TRIM(c.last_name) AS TEXT) AS full_name,
        c.email AS email,
        CAST(COALESCE(o.order_count, 0) AS BIGINT) AS order_count,
        CAST(COALESCE(o.lifetime_value, 0) AS DECIMAL(38, 2)) AS lifetime_value,
        CAST(o.average_order_value AS DECIMAL(38, 2)) AS average_order_value,
        CAST(clock.today - o.last_order_date AS BIGINT) AS days_since_last_order,
        CAST((
          clock.today - o.first_order_date
        ) / 30 AS BIGINT) AS months_as_customer,
        CAST(COALESCE(p.payment_count, 0) AS BIGINT) AS payment_count,
        CAST(ROUND(CAST(p.refund_count AS DECIMAL(12, 4)) / NULLIF(p.payment_count, 0), 9) AS DECIMAL(9, 4)) AS refund_rate,
        CAST(COALESCE(p.paid_amount, 0) AS DECIMAL(38, 2)) AS paid_amount,
        f.payment_method AS favourite_payment_method,
        CAST(COALESCE(k.interaction_count, 0) AS BIGINT) AS interaction_count,
        k.channel AS last_channel,
        CAST(v.version_count AS BIGINT) AS version_count,
        CAST(CASE
          WHEN o.order_count IS NULL
          THEN 'prospect'
          WHEN o.lifetime_value >= 500
          THEN 'gold'
          WHEN clock.today - o.last_order_date <= 90
          THEN 'active'
          ELSE 'dormant'
        END AS TEXT) AS segment
      FROM snapshots.customer_snapshot AS c
      CROSS JOIN clock AS clock
      JOIN versions AS v
        ON v.customer_id = c.customer_id
      LEFT JOIN orders AS o
        ON o.customer_id = c.customer_id
      LEFT JOIN payments AS p
        ON p.customer_id = c.customer_id
      LEFT JOIN favourites AS f
        ON f.customer_id = c.customer_id
      LEFT JOIN contacts AS k
        ON k.customer_id = c.customer_id AND k.recency = 1
      WHERE
        c.valid_to IS NULL
    ) AS m;

    -- Count the rows that came.
    SELECT
      COUNT(*) AS new_rows
    FROM marts.mart_customer_360 AS t
    INTO v_new_rows;

    -- Book-keeping, in the transaction of the data.
    IF v_last_as_of IS NULL THEN
        ANALYZE marts.mart_customer_360;  -- who reads it next is planned for what it holds now
    END IF;
    UPDATE c360_control.state AS s
       SET last_as_of = v_as_of,
           last_run_id = v_run_id
     WHERE s.node = c_node;
    UPDATE c360_control.run_log AS l
       SET status = 'succeeded',
           finished_at = clock_timestamp(),
           as_of = v_as_of,
           inserted_rows = v_new_rows,
           deleted_rows = v_target_rows,
           message = NULL
     WHERE l.run_id = v_run_id AND l.node = c_node;
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.apply_mart_customer_360(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_mart_customer_360(
    IN p_as_of        TIMESTAMPTZ DEFAULT NULL
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_mart_customer_360()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('marts.mart_customer_360', 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_mart_customer_360(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_mart_customer_360(TIMESTAMPTZ) FROM PUBLIC;


-- ==================== procedures/check_customer_snapshot.sql: check of snapshots.customer_snapshot

-- Fails when the history customer_snapshot is not sound.
--
--   CALL c360_control.check_customer_snapshot();
--        in autocommit, at top level
--
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_customer_snapshot()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.customer_snapshot';
    v_run_id BIGINT;
    v_damaged_rows BIGINT;
    v_damage TEXT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d', pg_catalog.clock_timestamp(), 'check', false);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- Count the versions that break a rule, under the first one that each breaks.
        SELECT
          COALESCE(SUM(l.found), 0) AS damaged_rows,
          STRING_AGG(l.line, ', '
          ORDER BY
            l.line) AS damage
        FROM (
          SELECT
            d.found AS found,
            d.problem || ': ' || CAST(d.found AS TEXT) || ' (' || d.example || ')' AS line
          FROM (
            SELECT
              p.c360_problem AS problem,
              COUNT(*) AS found,
              STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
              ORDER BY
                p.c360_key) AS example
            FROM (
              SELECT
                j.c360_problem,
                j.c360_key,
                ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
              FROM (
                SELECT
                  CASE
                    WHEN v.c360_open > 1
                    THEN 'two_open'
                    WHEN v.valid_to <= v.valid_from
                    THEN 'inverted'
                    WHEN v.c360_next IS NOT NULL AND (
                      v.valid_to IS NULL OR v.valid_to > v.c360_next
                    )
                    THEN 'overlap'
                  END AS c360_problem,
                  COALESCE(CAST(v.customer_id AS TEXT), 'NULL') AS c360_key
                FROM (
                  SELECT
                    h.customer_id,
                    h.valid_from,
                    h.valid_to,
                    LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
                    COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
                  FROM snapshots.customer_snapshot AS h
                ) AS v
              ) AS j
              WHERE
                j.c360_problem IS NOT NULL
            ) AS p
            GROUP BY
              p.c360_problem
          ) AS d
        ) AS l
        INTO v_damaged_rows, v_damage;

        -- A sound history has none.
        IF v_damaged_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC016',
                MESSAGE = format('%s: %s versions are damaged: %s', c_node, v_damaged_rows, v_damage),
                HINT = 'See the view customer_snapshot_health. Rewind to a run before the damage, or mend it by hand.';
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.check_customer_snapshot() FROM PUBLIC;


-- ==================== procedures/rewind_customer_snapshot.sql: rewind of snapshots.customer_snapshot

-- Takes the history customer_snapshot back to what it was after the last run at or before an instant.
--
--   CALL c360_control.rewind_customer_snapshot('2026-01-31 02:00:00+00');
--        in autocommit, at top level: a dry run, which counts what it would do and logs that
--   CALL c360_control.rewind_customer_snapshot('2026-01-31 02:00:00+00', p_dry_run => false);
--        does it
--
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.rewind_customer_snapshot(p_to TIMESTAMPTZ, p_dry_run BOOLEAN DEFAULT TRUE)
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.customer_snapshot';
    v_run_id BIGINT;
    v_rewind_to TIMESTAMPTZ := p_to;
    v_dry_run BOOLEAN := COALESCE(p_dry_run, true);
    v_kept_watermark TIMESTAMPTZ;
    v_unknown_rows BIGINT;
    v_removed_rows BIGINT;
    v_reopened_rows BIGINT;
    v_kept_as_of TIMESTAMPTZ;
    v_rows BIGINT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d', v_rewind_to, 'rewind', v_dry_run);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- The run whose result stays.
        SELECT l.as_of, l.watermark_after INTO v_kept_as_of, v_kept_watermark
          FROM c360_control.run_log AS l
         WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of <= v_rewind_to
         ORDER BY l.as_of DESC, l.run_id DESC
         LIMIT 1;

        -- Nobody means all of it by NULL.
        IF v_rewind_to IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the instant is NULL', c_node),
                HINT = 'Nothing was written. Say to which instant; the run log shows which runs there are.';
        END IF;

        -- Runs that are not in the log cannot be told from each other.
        IF v_kept_as_of IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the log has no run at or before %s', c_node, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; the run log shows which runs there are.';
        END IF;

        -- What a run did that is not in the log any more cannot be taken back.
        SELECT
          COUNT(*) AS unknown_rows
        FROM snapshots.customer_snapshot AS h
        WHERE
          (
            h.valid_from > v_rewind_to
            AND h.opened_run_id IS NOT NULL
            AND NOT h.opened_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
          OR (
            h.valid_to > v_rewind_to
            AND h.closed_run_id IS NOT NULL
            AND NOT h.closed_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
        INTO v_unknown_rows;

        -- A part of it would stay.
        IF v_unknown_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: %s versions began or ended after %s by runs that the log has not', c_node, v_unknown_rows, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
        END IF;

        -- Count what the runs after that instant have done.
        SELECT
          COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
          COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
        FROM snapshots.customer_snapshot AS h
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS o
          ON o.run_id = h.opened_run_id
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS c
          ON c.run_id = h.closed_run_id
        INTO v_removed_rows, v_reopened_rows;

        -- Remove the versions that later runs opened.
        IF v_removed_rows > 0 AND NOT v_dry_run THEN
            DELETE FROM snapshots.customer_snapshot AS t
            WHERE
              t.opened_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_removed_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to remove, %s found', c_node, v_removed_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Open those again that later runs closed.
        IF v_reopened_rows > 0 AND NOT v_dry_run THEN
            UPDATE snapshots.customer_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
            WHERE
              t.closed_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_reopened_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to open again, %s found', c_node, v_reopened_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Runs that are undone are no longer `succeeded`; the next run reads on from the one that stays.
        IF NOT v_dry_run THEN
            UPDATE c360_control.run_log AS l
               SET status = 'rewound', message = format('undone by run %s', v_run_id)
             WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of > v_rewind_to;
            UPDATE c360_control.state AS s
               SET last_as_of = v_kept_as_of, watermark = v_kept_watermark, last_run_id = v_run_id
             WHERE s.node = c_node;
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               updated_rows = v_reopened_rows,
               deleted_rows = v_removed_rows,
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RAISE NOTICE '%: rewind%: updated_rows %, deleted_rows %, run %',
            c_node, CASE WHEN v_dry_run THEN ', a dry run' ELSE '' END, v_reopened_rows, v_removed_rows, v_run_id;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.rewind_customer_snapshot(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== procedures/check_order_snapshot.sql: check of snapshots.order_snapshot

-- Fails when the history order_snapshot is not sound.
--
--   CALL c360_control.check_order_snapshot();
--        in autocommit, at top level
--
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_order_snapshot()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.order_snapshot';
    v_run_id BIGINT;
    v_damaged_rows BIGINT;
    v_damage TEXT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9', pg_catalog.clock_timestamp(), 'check', false);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- Count the versions that break a rule, under the first one that each breaks.
        SELECT
          COALESCE(SUM(l.found), 0) AS damaged_rows,
          STRING_AGG(l.line, ', '
          ORDER BY
            l.line) AS damage
        FROM (
          SELECT
            d.found AS found,
            d.problem || ': ' || CAST(d.found AS TEXT) || ' (' || d.example || ')' AS line
          FROM (
            SELECT
              p.c360_problem AS problem,
              COUNT(*) AS found,
              STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
              ORDER BY
                p.c360_key) AS example
            FROM (
              SELECT
                j.c360_problem,
                j.c360_key,
                ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
              FROM (
                SELECT
                  CASE
                    WHEN v.c360_open > 1
                    THEN 'two_open'
                    WHEN v.valid_to <= v.valid_from
                    THEN 'inverted'
                    WHEN v.c360_next IS NOT NULL AND (
                      v.valid_to IS NULL OR v.valid_to > v.c360_next
                    )
                    THEN 'overlap'
                    WHEN v.valid_to < v.c360_next
                    THEN 'gap'
                    WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
                    THEN 'orphan'
                  END AS c360_problem,
                  COALESCE(CAST(v.order_id AS TEXT), 'NULL') AS c360_key
                FROM (
                  SELECT
                    h.order_id,
                    h.valid_from,
                    h.valid_to,
                    LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from) AS c360_next,
                    COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
                  FROM snapshots.order_snapshot AS h
                ) AS v
              ) AS j
              WHERE
                j.c360_problem IS NOT NULL
            ) AS p
            GROUP BY
              p.c360_problem
          ) AS d
        ) AS l
        INTO v_damaged_rows, v_damage;

        -- A sound history has none.
        IF v_damaged_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC016',
                MESSAGE = format('%s: %s versions are damaged: %s', c_node, v_damaged_rows, v_damage),
                HINT = 'See the view order_snapshot_health. Rewind to a run before the damage, or mend it by hand.';
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.check_order_snapshot() FROM PUBLIC;


-- ==================== procedures/rewind_order_snapshot.sql: rewind of snapshots.order_snapshot

-- Takes the history order_snapshot back to what it was after the last run at or before an instant.
--
--   CALL c360_control.rewind_order_snapshot('2026-01-31 02:00:00+00');
--        in autocommit, at top level: a dry run, which counts what it would do and logs that
--   CALL c360_control.rewind_order_snapshot('2026-01-31 02:00:00+00', p_dry_run => false);
--        does it
--
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.rewind_order_snapshot(p_to TIMESTAMPTZ, p_dry_run BOOLEAN DEFAULT TRUE)
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.order_snapshot';
    v_run_id BIGINT;
    v_rewind_to TIMESTAMPTZ := p_to;
    v_dry_run BOOLEAN := COALESCE(p_dry_run, true);
    v_kept_watermark TIMESTAMPTZ;
    v_unknown_rows BIGINT;
    v_removed_rows BIGINT;
    v_reopened_rows BIGINT;
    v_kept_as_of TIMESTAMPTZ;
    v_rows BIGINT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9', v_rewind_to, 'rewind', v_dry_run);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- The run whose result stays.
        SELECT l.as_of, l.watermark_after INTO v_kept_as_of, v_kept_watermark
          FROM c360_control.run_log AS l
         WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of <= v_rewind_to
         ORDER BY l.as_of DESC, l.run_id DESC
         LIMIT 1;

        -- Nobody means all of it by NULL.
        IF v_rewind_to IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the instant is NULL', c_node),
                HINT = 'Nothing was written. Say to which instant; the run log shows which runs there are.';
        END IF;

        -- Runs that are not in the log cannot be told from each other.
        IF v_kept_as_of IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the log has no run at or before %s', c_node, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; the run log shows which runs there are.';
        END IF;

        -- What a run did that is not in the log any more cannot be taken back.
        SELECT
          COUNT(*) AS unknown_rows
        FROM snapshots.order_snapshot AS h
        WHERE
          (
            h.valid_from > v_rewind_to
            AND h.opened_run_id IS NOT NULL
            AND NOT h.opened_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
          OR (
            h.valid_to > v_rewind_to
            AND h.closed_run_id IS NOT NULL
            AND NOT h.closed_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
        INTO v_unknown_rows;

        -- A part of it would stay.
        IF v_unknown_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: %s versions began or ended after %s by runs that the log has not', c_node, v_unknown_rows, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
        END IF;

        -- Count what the runs after that instant have done.
        SELECT
          COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
          COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
        FROM snapshots.order_snapshot AS h
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS o
          ON o.run_id = h.opened_run_id
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS c
          ON c.run_id = h.closed_run_id
        INTO v_removed_rows, v_reopened_rows;

        -- Remove the versions that later runs opened.
        IF v_removed_rows > 0 AND NOT v_dry_run THEN
            DELETE FROM snapshots.order_snapshot AS t
            WHERE
              t.opened_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_removed_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to remove, %s found', c_node, v_removed_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Open those again that later runs closed.
        IF v_reopened_rows > 0 AND NOT v_dry_run THEN
            UPDATE snapshots.order_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
            WHERE
              t.closed_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_reopened_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to open again, %s found', c_node, v_reopened_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Runs that are undone are no longer `succeeded`; the next run reads on from the one that stays.
        IF NOT v_dry_run THEN
            UPDATE c360_control.run_log AS l
               SET status = 'rewound', message = format('undone by run %s', v_run_id)
             WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of > v_rewind_to;
            UPDATE c360_control.state AS s
               SET last_as_of = v_kept_as_of, watermark = v_kept_watermark, last_run_id = v_run_id
             WHERE s.node = c_node;
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               updated_rows = v_reopened_rows,
               deleted_rows = v_removed_rows,
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RAISE NOTICE '%: rewind%: updated_rows %, deleted_rows %, run %',
            c_node, CASE WHEN v_dry_run THEN ', a dry run' ELSE '' END, v_reopened_rows, v_removed_rows, v_run_id;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.rewind_order_snapshot(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== procedures/check_payment_snapshot.sql: check of snapshots.payment_snapshot

-- Fails when the history payment_snapshot is not sound.
--
--   CALL c360_control.check_payment_snapshot();
--        in autocommit, at top level
--
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_payment_snapshot()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.payment_snapshot';
    v_run_id BIGINT;
    v_damaged_rows BIGINT;
    v_damage TEXT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04', pg_catalog.clock_timestamp(), 'check', false);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- Count the versions that break a rule, under the first one that each breaks.
        SELECT
          COALESCE(SUM(l.found), 0) AS damaged_rows,
          STRING_AGG(l.line, ', '
          ORDER BY
            l.line) AS damage
        FROM (
          SELECT
            d.found AS found,
            d.problem || ': ' || CAST(d.found AS TEXT) || ' (' || d.example || ')' AS line
          FROM (
            SELECT
              p.c360_problem AS problem,
              COUNT(*) AS found,
              STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
              ORDER BY
                p.c360_key) AS example
            FROM (
              SELECT
                j.c360_problem,
                j.c360_key,
                ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key) AS c360_position
              FROM (
                SELECT
                  CASE
                    WHEN v.c360_open > 1
                    THEN 'two_open'
                    WHEN v.valid_to <= v.valid_from
                    THEN 'inverted'
                    WHEN v.c360_next IS NOT NULL AND (
                      v.valid_to IS NULL OR v.valid_to > v.c360_next
                    )
                    THEN 'overlap'
                    WHEN v.valid_to < v.c360_next
                    THEN 'gap'
                    WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
                    THEN 'orphan'
                  END AS c360_problem,
                  COALESCE(CAST(v.payment_id AS TEXT), 'NULL') AS c360_key
                FROM (
                  SELECT
                    h.payment_id,
                    h.valid_from,
                    h.valid_to,
                    LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from) AS c360_next,
                    COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
                  FROM snapshots.payment_snapshot AS h
                ) AS v
              ) AS j
              WHERE
                j.c360_problem IS NOT NULL
            ) AS p
            GROUP BY
              p.c360_problem
          ) AS d
        ) AS l
        INTO v_damaged_rows, v_damage;

        -- A sound history has none.
        IF v_damaged_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC016',
                MESSAGE = format('%s: %s versions are damaged: %s', c_node, v_damaged_rows, v_damage),
                HINT = 'See the view payment_snapshot_health. Rewind to a run before the damage, or mend it by hand.';
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.check_payment_snapshot() FROM PUBLIC;


-- ==================== procedures/rewind_payment_snapshot.sql: rewind of snapshots.payment_snapshot

-- Takes the history payment_snapshot back to what it was after the last run at or before an instant.
--
--   CALL c360_control.rewind_payment_snapshot('2026-01-31 02:00:00+00');
--        in autocommit, at top level: a dry run, which counts what it would do and logs that
--   CALL c360_control.rewind_payment_snapshot('2026-01-31 02:00:00+00', p_dry_run => false);
--        does it
--
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.rewind_payment_snapshot(p_to TIMESTAMPTZ, p_dry_run BOOLEAN DEFAULT TRUE)
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snapshots.payment_snapshot';
    v_run_id BIGINT;
    v_rewind_to TIMESTAMPTZ := p_to;
    v_dry_run BOOLEAN := COALESCE(p_dry_run, true);
    v_kept_watermark TIMESTAMPTZ;
    v_unknown_rows BIGINT;
    v_removed_rows BIGINT;
    v_reopened_rows BIGINT;
    v_kept_as_of TIMESTAMPTZ;
    v_rows BIGINT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04', v_rewind_to, 'rewind', v_dry_run);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        -- 1. Lock, as every run does.
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;
        PERFORM 1 FROM c360_control.state AS s WHERE s.node = c_node FOR UPDATE;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING ERRCODE = 'ZC008', MESSAGE = format('%s is not deployed', c_node), HINT = 'Run deploy.sql first.';
        END IF;

        -- The run whose result stays.
        SELECT l.as_of, l.watermark_after INTO v_kept_as_of, v_kept_watermark
          FROM c360_control.run_log AS l
         WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of <= v_rewind_to
         ORDER BY l.as_of DESC, l.run_id DESC
         LIMIT 1;

        -- Nobody means all of it by NULL.
        IF v_rewind_to IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the instant is NULL', c_node),
                HINT = 'Nothing was written. Say to which instant; the run log shows which runs there are.';
        END IF;

        -- Runs that are not in the log cannot be told from each other.
        IF v_kept_as_of IS NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: the log has no run at or before %s', c_node, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; the run log shows which runs there are.';
        END IF;

        -- What a run did that is not in the log any more cannot be taken back.
        SELECT
          COUNT(*) AS unknown_rows
        FROM snapshots.payment_snapshot AS h
        WHERE
          (
            h.valid_from > v_rewind_to
            AND h.opened_run_id IS NOT NULL
            AND NOT h.opened_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
          OR (
            h.valid_to > v_rewind_to
            AND h.closed_run_id IS NOT NULL
            AND NOT h.closed_run_id IN (
              SELECT
                r.run_id
              FROM c360_control.run_log AS r
            )
          )
        INTO v_unknown_rows;

        -- A part of it would stay.
        IF v_unknown_rows > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC018',
                MESSAGE = format('%s: %s versions began or ended after %s by runs that the log has not', c_node, v_unknown_rows, v_rewind_to),
                HINT = 'Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
        END IF;

        -- Count what the runs after that instant have done.
        SELECT
          COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
          COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
        FROM snapshots.payment_snapshot AS h
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS o
          ON o.run_id = h.opened_run_id
        LEFT JOIN (
          SELECT
            r.run_id
          FROM c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        ) AS c
          ON c.run_id = h.closed_run_id
        INTO v_removed_rows, v_reopened_rows;

        -- Remove the versions that later runs opened.
        IF v_removed_rows > 0 AND NOT v_dry_run THEN
            DELETE FROM snapshots.payment_snapshot AS t
            WHERE
              t.opened_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_removed_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to remove, %s found', c_node, v_removed_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Open those again that later runs closed.
        IF v_reopened_rows > 0 AND NOT v_dry_run THEN
            UPDATE snapshots.payment_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
            WHERE
              t.closed_run_id IN (
                SELECT
                  r.run_id
                FROM c360_control.run_log AS r
                WHERE
                  r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
              );
            GET DIAGNOSTICS v_rows = ROW_COUNT;
            IF v_rows <> v_reopened_rows THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'ZC006',
                    MESSAGE = format('%s: %s versions to open again, %s found', c_node, v_reopened_rows, v_rows),
                    HINT = 'Nothing was written. Somebody else writes to the table; call again.';
            END IF;
        END IF;

        -- Runs that are undone are no longer `succeeded`; the next run reads on from the one that stays.
        IF NOT v_dry_run THEN
            UPDATE c360_control.run_log AS l
               SET status = 'rewound', message = format('undone by run %s', v_run_id)
             WHERE l.node = c_node AND l.action = 'run' AND l.status = 'succeeded' AND l.as_of > v_rewind_to;
            UPDATE c360_control.state AS s
               SET last_as_of = v_kept_as_of, watermark = v_kept_watermark, last_run_id = v_run_id
             WHERE s.node = c_node;
        END IF;
        UPDATE c360_control.run_log AS l
           SET status = 'succeeded',
               updated_rows = v_reopened_rows,
               deleted_rows = v_removed_rows,
               message = NULL,
               finished_at = clock_timestamp()
         WHERE l.run_id = v_run_id;
    EXCEPTION
        WHEN query_canceled OR assert_failure OR OTHERS THEN
            GET STACKED DIAGNOSTICS
                v_sqlstate = RETURNED_SQLSTATE,
                v_message = MESSAGE_TEXT,
                v_detail = PG_EXCEPTION_DETAIL,
                v_hint = PG_EXCEPTION_HINT;
    END;
    IF v_sqlstate IS NULL THEN
        COMMIT;
        RAISE NOTICE '%: rewind%: updated_rows %, deleted_rows %, run %',
            c_node, CASE WHEN v_dry_run THEN ', a dry run' ELSE '' END, v_reopened_rows, v_removed_rows, v_run_id;
        RETURN;
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
REVOKE ALL ON PROCEDURE c360_control.rewind_payment_snapshot(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== jobs/run_job_snapshots_daily.sql: job snapshots_daily

-- CALL c360_control.run_job_snapshots_daily();
-- Runs the nodes of the schedule snapshots_daily in the order of their dependencies. Each commits on its own; the first
-- failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE c360_control.run_job_snapshots_daily()
LANGUAGE plpgsql
AS $$
BEGIN
    CALL c360_control.run_customer_snapshot();
    CALL c360_control.run_order_snapshot();
    CALL c360_control.run_payment_snapshot();
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_job_snapshots_daily() FROM PUBLIC;


-- ==================== jobs/run_job_incrementals.sql: job incrementals

-- CALL c360_control.run_job_incrementals();
-- Runs the nodes of the schedule incrementals in the order of their dependencies. Each commits on its own; the first
-- failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE c360_control.run_job_incrementals()
LANGUAGE plpgsql
AS $$
BEGIN
    CALL c360_control.run_int_customer_orders();
    CALL c360_control.run_int_interactions();
    CALL c360_control.run_int_payments();
    CALL c360_control.run_mart_customer_360();
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_job_incrementals() FROM PUBLIC;


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


-- ==================== grants.sql: who may do what

-- c360_job may call the runs and read the log, and nothing else.
GRANT USAGE ON SCHEMA c360_control TO c360_job;
GRANT SELECT ON c360_control.run_log, c360_control.state, c360_control.windows, c360_control.run_health, c360_control.node_status TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.run_begin(TEXT, TEXT, TIMESTAMPTZ, TEXT, BOOLEAN) TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.run_failed(BIGINT, TEXT, TEXT, TEXT) TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.window_begin(BIGINT, TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON FUNCTION c360_control.run_is_alive(INTEGER, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_customer_snapshot(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_order_snapshot(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_payment_snapshot(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_int_customer_orders(TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_int_interactions(TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_int_payments(TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_mart_customer_360(TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_customer_snapshot(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_order_snapshot(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_payment_snapshot(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_int_customer_orders(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_int_interactions(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_int_payments(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.apply_mart_customer_360(BIGINT, TIMESTAMPTZ) TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_job_snapshots_daily() TO c360_job;
GRANT EXECUTE ON PROCEDURE c360_control.run_job_incrementals() TO c360_job;

-- c360_read may read.
GRANT USAGE ON SCHEMA intermediate, marts, snapshots, staging TO c360_read;
GRANT SELECT ON snapshots.customer_snapshot TO c360_read;
GRANT SELECT ON snapshots.customer_snapshot_current TO c360_read;
GRANT SELECT ON snapshots.customer_snapshot_health TO c360_read;
GRANT SELECT ON snapshots.order_snapshot TO c360_read;
GRANT SELECT ON snapshots.order_snapshot_current TO c360_read;
GRANT SELECT ON snapshots.order_snapshot_health TO c360_read;
GRANT SELECT ON snapshots.payment_snapshot TO c360_read;
GRANT SELECT ON snapshots.payment_snapshot_current TO c360_read;
GRANT SELECT ON snapshots.payment_snapshot_health TO c360_read;
GRANT SELECT ON staging.stg_customers TO c360_read;
GRANT SELECT ON staging.stg_interactions TO c360_read;
GRANT SELECT ON staging.stg_orders TO c360_read;
GRANT SELECT ON staging.stg_payments TO c360_read;
GRANT SELECT ON intermediate.int_customer_orders TO c360_read;
GRANT SELECT ON intermediate.int_interactions TO c360_read;
GRANT SELECT ON intermediate.int_payments TO c360_read;
GRANT SELECT ON marts.mart_customer_360 TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.customer_snapshot_as_of(TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.customer_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.order_snapshot_as_of(TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.order_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.payment_snapshot_as_of(TIMESTAMPTZ) TO c360_read;
GRANT EXECUTE ON FUNCTION snapshots.payment_snapshot_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_read;


INSERT INTO c360_control.release (shape)
SELECT '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f'
 WHERE NOT EXISTS (SELECT 1 FROM c360_control.release AS r WHERE r.shape = '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f');

COMMIT;
