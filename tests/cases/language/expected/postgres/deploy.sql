-- c360gen | postgres | deploy of language to target postgres, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 78056492c4978b9774488d8868f0c8b70877401ea6d4c4b68d444cf0ea4e0d88

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
        IF v_released <> 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53' THEN
            RAISE EXCEPTION USING
                MESSAGE = format('this database is in the released state %s, not in %s', left(v_released, 12), left('b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53', 12)),
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
CREATE SCHEMA IF NOT EXISTS analytics;
CREATE SCHEMA IF NOT EXISTS ref;
CREATE SCHEMA IF NOT EXISTS snap;

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

-- One row per seed: the hash of the rows that were loaded last.
CREATE TABLE IF NOT EXISTS c360_control.seed_state (
    seed      TEXT NOT NULL,
    digest    TEXT NOT NULL,
    loaded_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CONSTRAINT seed_state_pk PRIMARY KEY (seed)
);
COMMENT ON TABLE c360_control.seed_state IS 'One row per seed: the hash of the rows that were loaded last.';


-- ==================== tables/countries.sql: seed ref.country

CREATE TABLE IF NOT EXISTS ref.country (
  code VARCHAR(2),
  name TEXT,
  since DATE
);

-- The rows of the seed, replaced as a whole, in the transaction of the deploy, when they are not what was loaded last.
DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68') THEN
        RETURN;
    END IF;
    DELETE FROM ref.country
    WHERE
      TRUE;
    INSERT INTO ref.country (
      code,
      name,
      since
    )
    VALUES
      ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
      ('NO', 'Norway, "Norge"', NULL);
    INSERT INTO c360_control.seed_state (seed, digest)
    VALUES ('ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68')
    ON CONFLICT (seed) DO UPDATE SET digest = EXCLUDED.digest, loaded_at = EXCLUDED.loaded_at;
END;
$$;


-- ==================== tables/customers.sql: table analytics.customers

CREATE TABLE IF NOT EXISTS analytics.customers (
  id BIGINT NOT NULL,
  email TEXT,
  country TEXT,
  CONSTRAINT customers_pk PRIMARY KEY (id),
  CONSTRAINT customers_email_uq UNIQUE (
    email
  ) DEFERRABLE
);

INSERT INTO c360_control.state (node) VALUES ('analytics.customers') ON CONFLICT (node) DO NOTHING;


-- ==================== tables/spending.sql: snapshot snap.spending

CREATE TABLE IF NOT EXISTS snap.spending (
  customer_id BIGINT NOT NULL,
  total DECIMAL(38, 2),
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT spending_pk PRIMARY KEY (customer_id, valid_from),
  CONSTRAINT spending_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snap.spending IS 'History of the query of spending, one row per version.';

COMMENT ON COLUMN snap.spending.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snap.spending.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snap.spending.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snap.spending.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS spending_open_uq ON snap.spending(customer_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snap.spending') ON CONFLICT (node) DO NOTHING;


-- ==================== views/spending.sql: views of snap.spending

CREATE OR REPLACE VIEW snap.spending_current AS
SELECT
  h.customer_id,
  h.total,
  h.valid_from
FROM snap.spending AS h
WHERE
  h.valid_to IS NULL;

COMMENT ON VIEW snap.spending_current IS 'The open versions of spending: one row per key.';

COMMENT ON COLUMN snap.spending_current.valid_from IS 'First instant of this version (UTC, inclusive).';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.spending_as_of(p_at TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    total NUMERIC(38, 2),
    valid_from TIMESTAMPTZ,
    valid_to TIMESTAMPTZ
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  h.customer_id,
  h.total,
  h.valid_from,
  h.valid_to
FROM snap.spending AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;
COMMENT ON FUNCTION snap.spending_as_of(TIMESTAMPTZ) IS 'spending as it was at an instant: at most one row per key.';

-- The planner inlines it: a filter on the key uses the primary key.
CREATE OR REPLACE FUNCTION snap.spending_changes(p_from TIMESTAMPTZ, p_to TIMESTAMPTZ)
RETURNS TABLE (
    customer_id BIGINT,
    changed_at TIMESTAMPTZ,
    change TEXT,
    total_before NUMERIC(38, 2),
    total_after NUMERIC(38, 2)
)
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
SELECT
  v.customer_id,
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b.total AS total_before,
  v.total AS total_after
FROM snap.spending AS v
LEFT JOIN snap.spending AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.total AS total_before,
  CAST(NULL AS DECIMAL(38, 2)) AS total_after
FROM snap.spending AS v
LEFT JOIN snap.spending AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;
COMMENT ON FUNCTION snap.spending_changes(TIMESTAMPTZ, TIMESTAMPTZ) IS 'What changed in spending after one instant and not after another, with old and new values.';

CREATE OR REPLACE VIEW snap.spending_health AS
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
      FROM snap.spending AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;

COMMENT ON VIEW snap.spending_health IS 'What is wrong with the history spending: no row when it is sound.';

COMMENT ON COLUMN snap.spending_health.problem IS 'two_open, inverted or overlap.';

COMMENT ON COLUMN snap.spending_health.found IS 'Versions that have it.';

COMMENT ON COLUMN snap.spending_health.example IS 'Up to five keys.';


-- ==================== tables/order_lines.sql: incremental analytics.order_lines

CREATE TABLE IF NOT EXISTS analytics.order_lines (
  id BIGINT NOT NULL,
  customer_id BIGINT NOT NULL,
  amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT order_lines_pk PRIMARY KEY (id),
  CONSTRAINT no_negative_amount CHECK (amount >= 0)
);

COMMENT ON TABLE analytics.order_lines IS 'One row per large order.';

INSERT INTO c360_control.state (node) VALUES ('analytics.order_lines') ON CONFLICT (node) DO NOTHING;


-- ==================== views/source_freshness.sql: how fresh the sources are

-- One row per source that says how fresh it should be: its newest row, and whether that is too old. Ages in seconds.
CREATE OR REPLACE VIEW c360_control.source_freshness AS
SELECT
  'shop.customers' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '86400 SECOND'
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '43200 SECOND'
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS BIGINT) AS warn_after,
  CAST(86400 AS BIGINT) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      customers.updated_at AS loaded_at
    FROM raw.customers AS customers
  ) AS q
) AS n
UNION ALL
SELECT
  'shop.orders' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '86400 SECOND'
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP - INTERVAL '43200 SECOND'
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS BIGINT) AS warn_after,
  CAST(86400 AS BIGINT) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      orders.updated_at AS loaded_at
    FROM raw.orders_v2 AS orders
    WHERE
      (
        orders.amount > 0
      )
  ) AS q
) AS n;


-- ==================== procedures/run_customers.sql: run of analytics.customers

-- Replaces the contents of customers by its query.
--
--   CALL c360_control.run_customers();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_customers('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_customers();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_customers(
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
    c_node CONSTANT TEXT := 'analytics.customers';
    c_spec_hash CONSTANT TEXT := '66af08f6696b199e6f90da8675b7f122c40f389a4bba02393afbcd771b3a7591';
    c_tolerance CONSTANT INTERVAL := INTERVAL '300 seconds';  -- how far a clock may run ahead of this one
    v_run_id BIGINT;
    v_as_of TIMESTAMPTZ;
    v_latest TIMESTAMPTZ;
    v_last_as_of TIMESTAMPTZ;
    v_watermark TIMESTAMPTZ;
    v_missing_tables BIGINT;
    v_drifted_columns BIGINT;
    v_drifted_names TEXT;
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

    -- The columns of shop.customers must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('id', 'integer'),
      ('email', 'text'),
      ('country', 'text'),
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
            MESSAGE = format('%s: shop.customers is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of shop.customers are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Count the rows that go.
    SELECT
      COUNT(*) AS target_rows
    FROM analytics.customers AS t
    INTO v_target_rows;

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM analytics.customers AS t
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
    INSERT INTO analytics.customers (
      id,
      email,
      country
    )
    SELECT
      m.id,
      m.email,
      m.country
    FROM (
      SELECT
        c.id AS id,
        c.email AS email,
        n.name AS country
      FROM raw.customers AS c
      LEFT JOIN ref.country AS n
        ON n.code = c.country
    ) AS m;

    -- Count the rows that came.
    SELECT
      COUNT(*) AS new_rows
    FROM analytics.customers AS t
    INTO v_new_rows;

    -- Book-keeping, in the transaction of the data.
    IF v_last_as_of IS NULL THEN
        ANALYZE analytics.customers;  -- who reads it next is planned for what it holds now
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
REVOKE ALL ON PROCEDURE c360_control.apply_customers(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_customers(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_customers()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('analytics.customers', '66af08f6696b199e6f90da8675b7f122c40f389a4bba02393afbcd771b3a7591', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_customers(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_customers(TIMESTAMPTZ) FROM PUBLIC;


-- ==================== procedures/run_spending.sql: run of snap.spending

-- Brings the history spending up to date with the query of spending.
--
--   CALL c360_control.run_spending();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_spending('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.apply_spending();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   a row of the query of spending is new or changed when total differs from its open version (NULL-safe)
--          a version starts at the run time; the version before it ends there
--          a key that is gone from the query of spending closes at the run time
--          a closed version never changes again; running again writes nothing but the log
--          before the commit all open versions must keep: spending_1_ck
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC004 the source is empty
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          ZC021 a constraint does not hold
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_spending(
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
    c_node CONSTANT TEXT := 'snap.spending';
    c_spec_hash CONSTANT TEXT := 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e';
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
    v_source_rows BIGINT;
    v_open_rows BIGINT;
    v_new_keys BIGINT;
    v_duplicate_keys BIGINT;
    v_violating_rows BIGINT;
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

    -- The columns of shop.orders must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('id', 'integer'),
      ('customer_id', 'integer'),
      ('amount', 'number'),
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
        n.nspname = 'raw' AND c.relname = 'orders_v2' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: shop.orders is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of shop.orders are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    CREATE UNLOGGED TABLE c360_control.stage_spending AS
    WITH c360_large_orders AS (
      SELECT
        orders.id AS id,
        orders.customer_id AS customer_id,
        orders.amount AS amount,
        orders.updated_at AS updated_at
      FROM raw.orders_v2 AS orders
      WHERE
        orders.amount >= 10
    ), c360_spending AS (
      SELECT
        large_orders.customer_id AS customer_id,
        CAST(SUM(large_orders.amount) AS DECIMAL(38, 2)) AS total
      FROM c360_large_orders AS large_orders
      GROUP BY
        large_orders.customer_id
    )
    SELECT
      d.c360_action,
      CAST(NULL AS BIGINT) AS c360_rows,
      d.c360_row,
      d.c360_open_from,
      CASE WHEN d.c360_action IN ('new', 'change', 'revive') THEN v_as_of END AS c360_starts_at,
      CASE WHEN d.c360_action = 'change' THEN v_as_of WHEN d.c360_action = 'delete' THEN v_as_of END AS c360_ends_at,
      CAST(d.customer_id AS BIGINT) AS customer_id,
      CAST(d.total AS DECIMAL(38, 2)) AS total
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
        e.total
      FROM (
        SELECT
          x.c360_action,
          x.c360_row,
          x.c360_open_from,
          x.customer_id,
          x.total,
          CASE
            WHEN x.c360_open_from IS NOT NULL
            THEN x.c360_open_from
            WHEN EXISTS(
              SELECT
                1
              FROM snap.spending AS a
            )
            THEN (
              SELECT
                MAX(p.valid_to) AS c360_boundary
              FROM snap.spending AS p
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
            w.total
          FROM (
            SELECT
              CASE
                WHEN s.c360_present IS NULL
                THEN 'delete'
                WHEN s.customer_id IS NULL
                THEN 'null_key'
                WHEN o.valid_from IS NULL
                THEN 'new'
                WHEN s.total IS DISTINCT FROM o.total
                THEN 'change'
              END AS c360_action,
              o.c360_row,
              o.valid_from AS c360_open_from,
              COALESCE(s.customer_id, o.customer_id) AS customer_id,
              s.total AS total
            FROM (
              SELECT
                r.customer_id,
                CAST(r.total AS DECIMAL(38, 2)) AS total,
                TRUE AS c360_present
              FROM c360_spending AS r
            ) AS s
            FULL JOIN (
              SELECT
                h.customer_id,
                h.total,
                h.valid_from,
                h.ctid AS c360_row
              FROM snap.spending AS h
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
      NULL AS total
    FROM c360_spending AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_row,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS customer_id,
      NULL AS total
    FROM snap.spending AS h
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
      COUNT(CASE WHEN FALSE THEN 1 END) AS dated_by_run,
      COUNT(CASE WHEN s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked' THEN 1 END) AS blocked_rows,
      COUNT(CASE WHEN s.c360_action = 'new' THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_open_from IS NULL AND NOT s.c360_action IN ('source', 'open') THEN 1 END) AS unmatched_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      MAX(CASE WHEN s.c360_action = 'source' THEN s.c360_rows END) AS source_rows,
      MAX(CASE WHEN s.c360_action = 'open' THEN s.c360_rows END) AS open_rows,
      (
        SELECT
          COUNT(*)
        FROM (
          SELECT DISTINCT
            k.customer_id
          FROM c360_control.stage_spending AS k
          WHERE
            k.c360_action IN ('new', 'revive')
        ) AS u
      ) AS new_keys
    FROM c360_control.stage_spending AS s
    INTO v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_new_rows, v_unmatched_rows, v_null_keys, v_source_rows, v_open_rows, v_new_keys;

    -- Only where the numbers do not add up, look for the keys that occur twice.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
        WITH c360_large_orders AS (
          SELECT
            orders.id AS id,
            orders.customer_id AS customer_id,
            orders.amount AS amount,
            orders.updated_at AS updated_at
          FROM raw.orders_v2 AS orders
          WHERE
            orders.amount >= 10
        ), c360_spending AS (
          SELECT
            large_orders.customer_id AS customer_id,
            CAST(SUM(large_orders.amount) AS DECIMAL(38, 2)) AS total
          FROM c360_large_orders AS large_orders
          GROUP BY
            large_orders.customer_id
        )
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            r.customer_id
          FROM c360_spending AS r
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
            MESSAGE = format('%s: %s rows of the query of spending have no customer_id', c_node, v_null_keys),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- Each key must occur once.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
        WITH c360_large_orders AS (
          SELECT
            orders.id AS id,
            orders.customer_id AS customer_id,
            orders.amount AS amount,
            orders.updated_at AS updated_at
          FROM raw.orders_v2 AS orders
          WHERE
            orders.amount >= 10
        ), c360_spending AS (
          SELECT
            large_orders.customer_id AS customer_id,
            CAST(SUM(large_orders.amount) AS DECIMAL(38, 2)) AS total
          FROM c360_large_orders AS large_orders
          GROUP BY
            large_orders.customer_id
        )
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
            FROM c360_spending AS r
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
            MESSAGE = format('%s: %s values of customer_id occur in several rows of the query of spending', c_node, v_duplicate_keys),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source.';
    END IF;

    -- An empty source is more likely a failed load than the end of everything.
    IF v_open_rows > 0 AND v_source_rows = 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC004',
            MESSAGE = format('%s: the query of spending is empty while %s versions are open', c_node, v_open_rows),
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
          FROM c360_control.stage_spending AS s
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
        UPDATE snap.spending AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
        FROM (
          SELECT
            s.c360_ends_at,
            s.c360_open_from,
            s.c360_row,
            s.customer_id
          FROM c360_control.stage_spending AS s
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
        INSERT INTO snap.spending (
          customer_id,
          total,
          valid_from,
          opened_run_id
        )
        SELECT
          s.customer_id,
          s.total,
          s.c360_starts_at AS valid_from,
          v_run_id AS opened_run_id
        FROM c360_control.stage_spending AS s
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

    -- Constraint spending_1_ck: total >= 10.
    SELECT
      COUNT(*) AS violating_rows
    FROM (
      SELECT
        COALESCE(CAST(t.customer_id AS TEXT), 'NULL') AS c360_key_1
      FROM snap.spending AS t
      WHERE
        t.valid_to IS NULL AND NOT (
          t.total >= 10
        )
    ) AS b
    INTO v_violating_rows;

    -- The engine itself does not look at it.
    IF v_violating_rows > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            CAST(b.c360_key_1 AS TEXT) AS c360_key
          FROM (
            SELECT
              COALESCE(CAST(t.customer_id AS TEXT), 'NULL') AS c360_key_1
            FROM snap.spending AS t
            WHERE
              t.valid_to IS NULL AND NOT (
                t.total >= 10
              )
          ) AS b
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC021',
            MESSAGE = format('%s: %s open versions break the constraint spending_1_ck: total >= 10', c_node, v_violating_rows),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source, or take the constraint away.';
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_spending;
    IF v_last_as_of IS NULL THEN
        ANALYZE snap.spending;  -- who reads it next is planned for what it holds now
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
REVOKE ALL ON PROCEDURE c360_control.apply_spending(BIGINT, TIMESTAMPTZ) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_spending(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_spending()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('snap.spending', 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_spending(v_run_id, p_as_of);
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
REVOKE ALL ON PROCEDURE c360_control.run_spending(TIMESTAMPTZ) FROM PUBLIC;


-- ==================== procedures/run_order_lines.sql: run of analytics.order_lines

-- Brings order_lines up to date with its query.
--
--   CALL c360_control.run_order_lines();
--        in autocommit, at top level: logs, commits, raises on failure
--   CALL c360_control.run_order_lines('2026-01-31 02:00+00');
--        repeats a run as of a stated time
--   CALL c360_control.run_order_lines(p_full_refresh => true);
--        is refused
--   CALL c360_control.apply_order_lines();
--        in a transaction of your own; its log row lives and dies with it
--
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          a row of a known id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share id must be equal, and count once
--          a full refresh is refused
--          before the commit all rows must keep: order_lines_customer_id_fk
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC007 wrong isolation level
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC020 a full refresh is refused
--          ZC021 a constraint does not hold
--          Nothing is written on an error but the row in c360_control.run_log.

-- The worker: definer's rights, no COMMIT, everything or nothing.
CREATE OR REPLACE PROCEDURE c360_control.apply_order_lines(
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
    c_node CONSTANT TEXT := 'analytics.order_lines';
    c_spec_hash CONSTANT TEXT := 'e67f652d7046d4cde60f5e386ced9cacfa3081aa6bb859a2140c09da8958c2af';
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
    v_new_rows BIGINT;
    v_updated_rows BIGINT;
    v_older_rows BIGINT;
    v_null_keys BIGINT;
    v_null_times BIGINT;
    v_source_rows BIGINT;
    v_newest TIMESTAMPTZ;
    v_duplicate_keys BIGINT;
    v_target_rows BIGINT;
    v_violating_rows BIGINT;
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

    -- The columns of shop.orders must be there, of the kind that is declared.
    SELECT
      CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      STRING_AGG(w.c360_name, '; '
      ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('id', 'integer'),
      ('customer_id', 'integer'),
      ('amount', 'number'),
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
        n.nspname = 'raw' AND c.relname = 'orders_v2' AND a.attnum > 0 AND NOT a.attisdropped
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
            MESSAGE = format('%s: shop.orders is not there, or none of its columns is', c_node),
            HINT = 'Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC011',
            MESSAGE = format('%s: %s columns of shop.orders are missing or of another kind than declared: %s', c_node, v_drifted_columns, v_drifted_names),
            HINT = 'Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    END IF;

    -- A full refresh would lose what the source has lost.
    IF v_full_refresh THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC020',
            MESSAGE = format('%s: a full refresh is refused: full_refresh: false', c_node),
            HINT = 'Nothing was written. Run it without p_full_refresh; rows that must change are for a migration.';
    END IF;

    -- Read the batch once and look its keys up in the target.
    CREATE UNLOGGED TABLE c360_control.stage_order_lines AS
    WITH c360_large_orders AS (
      SELECT
        orders.id AS id,
        orders.customer_id AS customer_id,
        orders.amount AS amount,
        orders.updated_at AS updated_at
      FROM raw.orders_v2 AS orders
      WHERE
        orders.amount >= 10
    )
    SELECT
      CASE
        WHEN b.id IS NULL
        THEN 'null_key'
        WHEN b.updated_at IS NULL
        OR b.updated_at = CAST('infinity' AS TIMESTAMPTZ)
        OR b.updated_at = CAST('-infinity' AS TIMESTAMPTZ)
        THEN 'null_time'
        WHEN t.id IS NULL
        THEN 'insert'
        WHEN b.customer_id IS DISTINCT FROM t.customer_id
        OR b.amount IS DISTINCT FROM t.amount
        OR b.updated_at IS DISTINCT FROM t.updated_at
        THEN 'update'
        ELSE 'same'
      END AS c360_action,
      t.ctid AS c360_row,
      b.c360_copies,
      b.c360_position,
      CAST(b.id AS BIGINT) AS id,
      CAST(b.customer_id AS BIGINT) AS customer_id,
      CAST(b.amount AS DECIMAL(12, 2)) AS amount,
      CAST(b.updated_at AS TIMESTAMPTZ) AS updated_at
    FROM (
      SELECT
        m.id,
        m.customer_id,
        CAST(m.amount AS DECIMAL(12, 2)) AS amount,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id) AS c360_position
      FROM (
        SELECT
          large_orders.id AS id,
          large_orders.customer_id AS customer_id,
          large_orders.amount AS amount,
          large_orders.updated_at AS updated_at
        FROM c360_large_orders AS large_orders
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b
    LEFT JOIN analytics.order_lines AS t
      ON t.id = b.id AND NOT v_full_refresh;

    -- Count what was decided.
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
      COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows,
      MAX(s.updated_at) AS newest
    FROM c360_control.stage_order_lines AS s
    INTO v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows, v_newest;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'ZC002',
            MESSAGE = format('%s: %s rows of the query of order_lines have no id', c_node, v_null_keys),
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
            COALESCE(CAST(s.id AS TEXT), 'NULL') AS c360_key
          FROM c360_control.stage_order_lines AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC003',
            MESSAGE = format('%s: %s rows of the query of order_lines have no usable updated_at', c_node, v_null_times),
            DETAIL = format('For example: %s', v_sample),
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
          s.customer_id,
          s.amount,
          s.updated_at
        FROM c360_control.stage_order_lines AS s
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
          FROM c360_control.stage_order_lines AS s
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
        FROM analytics.order_lines AS t
        INTO v_target_rows;
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
        DELETE FROM analytics.order_lines AS t
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
        UPDATE analytics.order_lines AS t SET customer_id = s.customer_id, amount = s.amount, updated_at = s.updated_at
        FROM (
          SELECT
            s.amount,
            s.c360_action,
            s.c360_position,
            s.c360_row,
            s.customer_id,
            s.id,
            s.updated_at
          FROM c360_control.stage_order_lines AS s
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
        INSERT INTO analytics.order_lines (
          id,
          customer_id,
          amount,
          updated_at
        )
        SELECT
          s.id,
          s.customer_id,
          s.amount,
          s.updated_at
        FROM c360_control.stage_order_lines AS s
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

    -- Constraint order_lines_customer_id_fk: customer_id is in customers.
    SELECT
      COUNT(*) AS violating_rows
    FROM (
      SELECT
        COALESCE(CAST(t.id AS TEXT), 'NULL') AS c360_key_1
      FROM analytics.order_lines AS t
      WHERE
        t.customer_id IS NOT NULL
        AND NOT EXISTS(
          SELECT
            1
          FROM analytics.customers AS p
          WHERE
            p.id = t.customer_id
        )
    ) AS b
    INTO v_violating_rows;

    -- The engine itself does not look at it.
    IF v_violating_rows > 0 THEN
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            CAST(b.c360_key_1 AS TEXT) AS c360_key
          FROM (
            SELECT
              COALESCE(CAST(t.id AS TEXT), 'NULL') AS c360_key_1
            FROM analytics.order_lines AS t
            WHERE
              t.customer_id IS NOT NULL
              AND NOT EXISTS(
                SELECT
                  1
                FROM analytics.customers AS p
                WHERE
                  p.id = t.customer_id
              )
          ) AS b
          ORDER BY
            c360_key
          LIMIT 5
        ) AS k
        INTO v_sample;
        RAISE EXCEPTION USING
            ERRCODE = 'ZC021',
            MESSAGE = format('%s: %s rows break the constraint order_lines_customer_id_fk: customer_id is in customers', c_node, v_violating_rows),
            DETAIL = format('For example: %s', v_sample),
            HINT = 'Nothing was written. Mend the rows in the source, or take the constraint away.';
    END IF;

    -- Book-keeping, in the transaction of the data.
    DROP TABLE c360_control.stage_order_lines;
    IF NOT v_incremental THEN
        ANALYZE analytics.order_lines;  -- who reads it next is planned for what it holds now
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
REVOKE ALL ON PROCEDURE c360_control.apply_order_lines(BIGINT, TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;

-- The runner, the one to schedule: no SET clause and no definer's rights, either would forbid COMMIT. So it runs with its caller's
-- search_path, and names the schema of every function.
CREATE OR REPLACE PROCEDURE c360_control.run_order_lines(
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
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit, or CALL c360_control.apply_order_lines()
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin('analytics.order_lines', 'e67f652d7046d4cde60f5e386ced9cacfa3081aa6bb859a2140c09da8958c2af', p_as_of);
    COMMIT;  -- the row `running` is visible to others now and survives whatever follows

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        CALL c360_control.apply_order_lines(v_run_id, p_as_of, p_full_refresh);
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
REVOKE ALL ON PROCEDURE c360_control.run_order_lines(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== procedures/check_spending.sql: check of snap.spending

-- Fails when the history spending is not sound.
--
--   CALL c360_control.check_spending();
--        in autocommit, at top level
--
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_spending()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snap.spending';
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
    v_run_id := c360_control.run_begin(c_node, 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e', pg_catalog.clock_timestamp(), 'check', false);
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
                  FROM snap.spending AS h
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
                HINT = 'See the view spending_health. Rewind to a run before the damage, or mend it by hand.';
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
REVOKE ALL ON PROCEDURE c360_control.check_spending() FROM PUBLIC;


-- ==================== procedures/rewind_spending.sql: rewind of snap.spending

-- Takes the history spending back to what it was after the last run at or before an instant.
--
--   CALL c360_control.rewind_spending('2026-01-31 02:00:00+00');
--        in autocommit, at top level: a dry run, which counts what it would do and logs that
--   CALL c360_control.rewind_spending('2026-01-31 02:00:00+00', p_dry_run => false);
--        does it
--
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.rewind_spending(p_to TIMESTAMPTZ, p_dry_run BOOLEAN DEFAULT TRUE)
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'snap.spending';
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
    v_run_id := c360_control.run_begin(c_node, 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e', v_rewind_to, 'rewind', v_dry_run);
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
        FROM snap.spending AS h
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
        FROM snap.spending AS h
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
            DELETE FROM snap.spending AS t
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
            UPDATE snap.spending AS t SET valid_to = NULL, closed_run_id = NULL
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
REVOKE ALL ON PROCEDURE c360_control.rewind_spending(TIMESTAMPTZ, BOOLEAN) FROM PUBLIC;


-- ==================== jobs/run_job_nightly.sql: job nightly

-- CALL c360_control.run_job_nightly();
-- Runs the nodes of the schedule nightly in the order of their dependencies. Each commits on its own; the first
-- failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE c360_control.run_job_nightly()
LANGUAGE plpgsql
AS $$
BEGIN
    CALL c360_control.run_customers();
    CALL c360_control.run_spending();
    CALL c360_control.run_order_lines();
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_job_nightly() FROM PUBLIC;


-- ==================== procedures/check_freshness.sql: check of the sources' freshness

-- Fails when a source is older than its error_after.
--
--   CALL c360_control.check_freshness();
--        in autocommit, at top level
--
-- Rules:   the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old
-- Errors:  ZC019 a source is too old
-- Rights:  its caller's; nobody is granted EXECUTE by grants.sql
CREATE OR REPLACE PROCEDURE c360_control.check_freshness()
LANGUAGE plpgsql
AS $$
DECLARE
    c_node CONSTANT TEXT := 'c360_control.source_freshness';
    v_run_id BIGINT;
    v_stale_sources BIGINT;
    v_stale_names TEXT;
    v_sqlstate TEXT;
    v_message TEXT;
    v_detail TEXT;
    v_hint TEXT;
BEGIN
    COMMIT;  -- "invalid transaction termination" here: you are in a transaction; use autocommit
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    v_run_id := c360_control.run_begin(c_node, 'c47d31e339b59e58ad0a2626591ab31a6aedf5d416568ded59fb46f6f5f17f00', pg_catalog.clock_timestamp(), 'check', false);
    COMMIT;

    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    BEGIN
        PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM set_config('timezone', 'UTC', true);
        PERFORM set_config('datestyle', 'ISO, MDY', true);
        PERFORM set_config('intervalstyle', 'postgres', true);
        PERFORM set_config('extra_float_digits', '1', true);
        PERFORM set_config('lock_timeout', '10s', true);
        PERFORM set_config('row_security', 'off', true);
        PERFORM 1 FROM c360_control.run_log AS l WHERE l.run_id = v_run_id FOR UPDATE;

        -- Look at every source that says how fresh it should be.
        SELECT
          COUNT(*) AS stale_sources,
          STRING_AGG(s.line, '; '
          ORDER BY
            s.line) AS stale_names
        FROM (
          SELECT
            l.source || ' (' || l.loaded || ')' AS line
          FROM (
            SELECT
              f.source AS source,
              COALESCE(CAST(f.loaded_at AS TEXT), 'no row') AS loaded
            FROM c360_control.source_freshness AS f
            WHERE
              f.status = 'error'
          ) AS l
        ) AS s
        INTO v_stale_sources, v_stale_names;

        -- Runs over old rows succeed and say nothing.
        IF v_stale_sources > 0 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'ZC019',
                MESSAGE = format('%s: %s sources are older than their error_after: %s', c_node, v_stale_sources, v_stale_names),
                HINT = 'See the view source_freshness. Ask whoever loads the sources.';
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
REVOKE ALL ON PROCEDURE c360_control.check_freshness() FROM PUBLIC;


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

-- c360_runner may call the runs and read the log, and nothing else.
GRANT USAGE ON SCHEMA c360_control TO c360_runner;
GRANT SELECT ON c360_control.run_log, c360_control.state, c360_control.windows, c360_control.run_health, c360_control.node_status, c360_control.source_freshness TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.run_begin(TEXT, TEXT, TIMESTAMPTZ, TEXT, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.run_failed(BIGINT, TEXT, TEXT, TEXT) TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.window_begin(BIGINT, TEXT, TIMESTAMPTZ, TEXT, INTEGER, TIMESTAMPTZ, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON FUNCTION c360_control.run_is_alive(INTEGER, TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_customers(TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_spending(TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_order_lines(TIMESTAMPTZ, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.apply_customers(BIGINT, TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.apply_spending(BIGINT, TIMESTAMPTZ) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.apply_order_lines(BIGINT, TIMESTAMPTZ, BOOLEAN) TO c360_runner;
GRANT EXECUTE ON PROCEDURE c360_control.run_job_nightly() TO c360_runner;

-- c360_reader may read.
GRANT USAGE ON SCHEMA analytics, ref, snap TO c360_reader;
GRANT SELECT ON ref.country TO c360_reader;
GRANT SELECT ON analytics.customers TO c360_reader;
GRANT SELECT ON snap.spending TO c360_reader;
GRANT SELECT ON snap.spending_current TO c360_reader;
GRANT SELECT ON snap.spending_health TO c360_reader;
GRANT SELECT ON analytics.order_lines TO c360_reader;
GRANT EXECUTE ON FUNCTION snap.spending_as_of(TIMESTAMPTZ) TO c360_reader;
GRANT EXECUTE ON FUNCTION snap.spending_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO c360_reader;

-- analyst may read the nodes that name it under grants:.
GRANT USAGE ON SCHEMA ref, analytics, snap TO analyst;
GRANT SELECT ON ref.country TO analyst;
GRANT SELECT ON analytics.customers TO analyst;
GRANT SELECT ON snap.spending TO analyst;
GRANT SELECT ON snap.spending_current TO analyst;
GRANT SELECT ON snap.spending_health TO analyst;
GRANT EXECUTE ON FUNCTION snap.spending_as_of(TIMESTAMPTZ) TO analyst;
GRANT EXECUTE ON FUNCTION snap.spending_changes(TIMESTAMPTZ, TIMESTAMPTZ) TO analyst;


INSERT INTO c360_control.release (shape)
SELECT 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53'
 WHERE NOT EXISTS (SELECT 1 FROM c360_control.release AS r WHERE r.shape = 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53');

COMMIT;
