-- c360gen | snowflake | deploy of customer_360 to target snowflake, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a988dbb1db1dc9404b99039b333f9f37bb74ec3ef377a1824a6f43f243a7a140

-- What stands below ends its transactions itself. Where AUTOCOMMIT is off, by user, account or client (schemachange's default), one
-- that nobody has begun would be open, and the first block that begins its own would fail.
ALTER SESSION SET AUTOCOMMIT = TRUE;

CREATE SCHEMA IF NOT EXISTS C360.c360_control;
CREATE SCHEMA IF NOT EXISTS C360.intermediate;
CREATE SCHEMA IF NOT EXISTS C360.marts;
CREATE SCHEMA IF NOT EXISTS C360.snapshots;
CREATE SCHEMA IF NOT EXISTS C360.staging;

CREATE TABLE IF NOT EXISTS C360.c360_control.release (
  shape VARCHAR NOT NULL COMMENT 'Hash of tables, columns, types, keys and strategies',
  released_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC',
  released_by VARCHAR NOT NULL
)
COMMENT = 'One row per released state, never changed; deploy.sql compares with the last.';

-- Guard: a database in another released state is not touched. Changing it is what migrations are for.
EXECUTE IMMEDIATE $$
DECLARE
  v_others NUMBER(18, 0) DEFAULT 0;
  other_state EXCEPTION (-20003, 'this database is in another released state: tables, columns, types, keys or strategies differ. Nothing was changed; go from one state to another with a migration.');
BEGIN
  SELECT COUNT(*) INTO :v_others
  FROM C360.c360_control.release AS r
  WHERE r.shape <> '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f'
    AND r.released_at = (SELECT MAX(l.released_at) FROM C360.c360_control.release AS l);
  IF (v_others > 0) THEN
    RAISE other_state;
  END IF;
END;
$$;


-- ==================== control.sql: control tables: run log, state, releases

-- Runs only ever insert into these tables (a rewind, prune_run_log and the full refresh of a microbatch delete, and are for one
-- person at a time): UPDATE and MERGE lock a whole table until the commit, so a status that is updated
-- would make unrelated runs wait for each other. The latest row of a run, or of a node, counts.
CREATE TABLE IF NOT EXISTS C360.c360_control.run_log (
  run_id VARCHAR(36) NOT NULL COMMENT 'One id per call of a node procedure',
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  action VARCHAR(6) NOT NULL COMMENT 'run; or check, rewind, erase, adopt',
  dry_run BOOLEAN NOT NULL COMMENT 'Whether nothing was changed on purpose',
  status VARCHAR(9) NOT NULL COMMENT 'running, succeeded or failed',
  logged_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC',
  as_of TIMESTAMP_NTZ(6) COMMENT 'UTC time of the run',
  source_rows NUMBER(18, 0),
  inserted_rows NUMBER(18, 0),
  updated_rows NUMBER(18, 0),
  closed_rows NUMBER(18, 0),
  deleted_rows NUMBER(18, 0),
  revived_rows NUMBER(18, 0),
  unchanged_rows NUMBER(18, 0),
  dated_by_run NUMBER(18, 0),
  quarantined_rows NUMBER(18, 0),
  watermark_before TIMESTAMP_NTZ(6),
  watermark_after TIMESTAMP_NTZ(6),
  window_start TIMESTAMP_NTZ(6) COMMENT 'UTC; the window of a microbatch that the run loads',
  window_end TIMESTAMP_NTZ(6),
  message VARCHAR COMMENT 'Set when status is failed',
  spec_hash VARCHAR(64) NOT NULL COMMENT 'What the procedure was generated from',
  called_by VARCHAR COMMENT 'User that called the procedure'
)
COMMENT = 'One row when a run begins, one when it ends. `succeeded` is written by the transaction that writes the data.';

CREATE TABLE IF NOT EXISTS C360.c360_control.watermark (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  cursor_value TIMESTAMP_NTZ(6) COMMENT 'Highest cursor loaded, never later than the run time',
  run_id VARCHAR(36) NOT NULL COMMENT 'Run that committed it',
  as_of TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC time of that run',
  recorded_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC; the latest row of a node counts'
)
COMMENT = 'Written in the transaction of the data, whatever the node: also the proof that time does not run backwards.';

CREATE TABLE IF NOT EXISTS C360.c360_control.window_log (
  node VARCHAR NOT NULL COMMENT 'schema.name of a microbatch',
  window_start TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC',
  window_end TIMESTAMP_NTZ(6) NOT NULL,
  status VARCHAR(9) NOT NULL COMMENT 'succeeded or failed',
  run_id VARCHAR(36) NOT NULL,
  as_of TIMESTAMP_NTZ(6) COMMENT 'UTC time of that run',
  recorded_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC'
)
COMMENT = 'One row per window and run. Delete the rows of a window, and the next run loads it again.';

CREATE OR REPLACE VIEW C360.c360_control.windows
COPY GRANTS
COMMENT = 'One row per node and window: how its last run ended, and the run time of its last success'
AS
SELECT
  l.node,
  l.window_start,
  l.window_end,
  l.status,
  l.run_id,
  l.loaded_as_of
FROM (
  SELECT
    w.node,
    w.window_start,
    w.window_end,
    w.status,
    w.run_id,
    MAX(CASE WHEN w.status = 'succeeded' THEN w.as_of END) OVER (PARTITION BY w.node, w.window_start) AS loaded_as_of,
    ROW_NUMBER() OVER (PARTITION BY w.node, w.window_start ORDER BY w.recorded_at DESC) AS recency
  FROM C360.c360_control.window_log AS w
) AS l
WHERE l.recency = 1;

CREATE OR REPLACE VIEW C360.c360_control.run_status
COPY GRANTS
COMMENT = 'One row per run and how it ended; a run that a rewind has undone is rewound'
AS
SELECT
  l.run_id,
  l.node,
  l.action,
  l.dry_run,
  MIN(CASE WHEN l.status = 'running' THEN l.logged_at END) AS started_at,
  MAX(CASE WHEN l.status <> 'running' THEN l.logged_at END) AS finished_at,
  CASE
    WHEN l.action = 'run' AND MAX(l.status) = 'succeeded' AND MAX(w.run_id) IS NULL THEN 'rewound'
    ELSE COALESCE(MAX(CASE WHEN l.status <> 'running' THEN l.status END), 'running or abandoned')
  END AS status,
  MAX(l.as_of) AS as_of,
  MAX(l.window_start) AS window_start,
  MAX(l.window_end) AS window_end,
  MAX(l.source_rows) AS source_rows,
  MAX(l.inserted_rows) AS inserted_rows,
  MAX(l.updated_rows) AS updated_rows,
  MAX(l.closed_rows) AS closed_rows,
  MAX(l.deleted_rows) AS deleted_rows,
  MAX(l.revived_rows) AS revived_rows,
  MAX(l.unchanged_rows) AS unchanged_rows,
  MAX(l.dated_by_run) AS dated_by_run,
  MAX(l.quarantined_rows) AS quarantined_rows,
  MAX(l.message) AS message,
  MAX(l.called_by) AS called_by
FROM C360.c360_control.run_log AS l
LEFT JOIN C360.c360_control.watermark AS w
  ON w.run_id = l.run_id
GROUP BY l.run_id, l.node, l.action, l.dry_run;

CREATE OR REPLACE VIEW C360.c360_control.node_status
COPY GRANTS
COMMENT = 'One row per node: how fresh it is, how its last run ended, how often it has failed since it last succeeded'
AS
SELECT
  r.node,
  MAX(CASE WHEN r.status = 'succeeded' THEN r.as_of END) AS fresh_until,
  MAX(w.cursor_value) AS watermark,
  MAX(r.run_id_if_last) AS last_run_id,
  MAX(r.status_if_last) AS last_status,
  MAX(r.started_at) AS last_started_at,
  COUNT(CASE WHEN r.status = 'failed' AND (r.last_success IS NULL OR r.started_at > r.last_success) THEN 1 END) AS failures,
  MAX(r.message_if_last) AS message
FROM (
  SELECT
    s.node,
    s.status,
    s.as_of,
    s.started_at,
    MAX(CASE WHEN s.status = 'succeeded' THEN s.started_at END) OVER (PARTITION BY s.node) AS last_success,
    CASE WHEN s.started_at = MAX(s.started_at) OVER (PARTITION BY s.node) THEN s.run_id END AS run_id_if_last,
    CASE WHEN s.started_at = MAX(s.started_at) OVER (PARTITION BY s.node) THEN s.status END AS status_if_last,
    CASE WHEN s.started_at = MAX(s.started_at) OVER (PARTITION BY s.node) THEN s.message END AS message_if_last
  FROM C360.c360_control.run_status AS s
  WHERE s.action = 'run'
) AS r
LEFT JOIN (
  SELECT c.node, c.cursor_value, ROW_NUMBER() OVER (PARTITION BY c.node ORDER BY c.recorded_at DESC) AS position
  FROM C360.c360_control.watermark AS c
) AS w
  ON w.node = r.node AND w.position = 1
GROUP BY r.node;


-- ==================== tables/customer_snapshot.sql: snapshot snapshots.customer_snapshot

CREATE TABLE IF NOT EXISTS C360.snapshots.customer_snapshot (
  customer_id NUMBER(38, 0) NOT NULL COMMENT 'Key of the customer.',
  first_name VARCHAR,
  last_name VARCHAR,
  email VARCHAR,
  phone VARCHAR,
  created_at TIMESTAMP_NTZ(6),
  updated_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last changed.',
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT customer_snapshot_pk PRIMARY KEY (customer_id, valid_from) NOT ENFORCED
)
COMMENT='History of every customer, one row per version of name, e-mail address and telephone number.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_customer_snapshot (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_customer_snapshot: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_customer_snapshot (node, run_id)
SELECT
  'snapshots.customer_snapshot',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.customer_snapshot' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_customer_snapshot AS l);


-- ==================== views/customer_snapshot.sql: views of snapshots.customer_snapshot

CREATE OR REPLACE VIEW C360.snapshots.customer_snapshot_current
COPY GRANTS
COMMENT='The open versions of customer_snapshot: one row per key.' AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM C360.snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snapshots.customer_snapshot_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  customer_id NUMBER(38, 0),
  first_name VARCHAR,
  last_name VARCHAR,
  email VARCHAR,
  phone VARCHAR,
  created_at TIMESTAMP_NTZ(6),
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'customer_snapshot as it was at an instant: at most one row per key.'
AS
$$
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
FROM C360.snapshots.customer_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;

CREATE OR REPLACE FUNCTION C360.snapshots.customer_snapshot_changes(p_from TIMESTAMP_NTZ(6), p_to TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  customer_id NUMBER(38, 0),
  changed_at TIMESTAMP_NTZ(6),
  change VARCHAR,
  first_name_before VARCHAR,
  first_name_after VARCHAR,
  last_name_before VARCHAR,
  last_name_after VARCHAR,
  email_before VARCHAR,
  email_after VARCHAR,
  phone_before VARCHAR,
  phone_after VARCHAR,
  created_at_before TIMESTAMP_NTZ(6),
  created_at_after TIMESTAMP_NTZ(6),
  updated_at_before TIMESTAMP_NTZ(6),
  updated_at_after TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'What changed in customer_snapshot after one instant and not after another, with old and new values.'
AS
$$
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
FROM C360.snapshots.customer_snapshot AS v
LEFT JOIN C360.snapshots.customer_snapshot AS b
  ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.customer_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.first_name AS first_name_before,
  CAST(NULL AS VARCHAR) AS first_name_after,
  v.last_name AS last_name_before,
  CAST(NULL AS VARCHAR) AS last_name_after,
  v.email AS email_before,
  CAST(NULL AS VARCHAR) AS email_after,
  v.phone AS phone_before,
  CAST(NULL AS VARCHAR) AS phone_after,
  v.created_at AS created_at_before,
  CAST(NULL AS TIMESTAMP_NTZ(6)) AS created_at_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMP_NTZ(6)) AS updated_at_after
FROM C360.snapshots.customer_snapshot AS v
LEFT JOIN C360.snapshots.customer_snapshot AS n
  ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;

CREATE OR REPLACE VIEW C360.snapshots.customer_snapshot_health
COPY GRANTS
COMMENT='What is wrong with the history customer_snapshot: no row when it is sound.' AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
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
      COALESCE(CAST(v.customer_id AS VARCHAR), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM C360.snapshots.customer_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== tables/order_snapshot.sql: snapshot snapshots.order_snapshot

CREATE TABLE IF NOT EXISTS C360.snapshots.order_snapshot (
  order_id NUMBER(38, 0) NOT NULL,
  customer_id NUMBER(38, 0),
  order_date DATE,
  status VARCHAR,
  total_amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT order_snapshot_pk PRIMARY KEY (order_id, valid_from) NOT ENFORCED
)
COMMENT='History of every order from pending over shipped to delivered.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_order_snapshot (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_order_snapshot: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_order_snapshot (node, run_id)
SELECT
  'snapshots.order_snapshot',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.order_snapshot' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_order_snapshot AS l);


-- ==================== views/order_snapshot.sql: views of snapshots.order_snapshot

CREATE OR REPLACE VIEW C360.snapshots.order_snapshot_current
COPY GRANTS
COMMENT='The open versions of order_snapshot: one row per key.' AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM C360.snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snapshots.order_snapshot_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  order_id NUMBER(38, 0),
  customer_id NUMBER(38, 0),
  order_date DATE,
  status VARCHAR,
  total_amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'order_snapshot as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snapshots.order_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;

CREATE OR REPLACE FUNCTION C360.snapshots.order_snapshot_changes(p_from TIMESTAMP_NTZ(6), p_to TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  order_id NUMBER(38, 0),
  changed_at TIMESTAMP_NTZ(6),
  change VARCHAR,
  customer_id_before NUMBER(38, 0),
  customer_id_after NUMBER(38, 0),
  order_date_before DATE,
  order_date_after DATE,
  status_before VARCHAR,
  status_after VARCHAR,
  total_amount_before NUMBER(12, 2),
  total_amount_after NUMBER(12, 2),
  updated_at_before TIMESTAMP_NTZ(6),
  updated_at_after TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'What changed in order_snapshot after one instant and not after another, with old and new values.'
AS
$$
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
FROM C360.snapshots.order_snapshot AS v
LEFT JOIN C360.snapshots.order_snapshot AS b
  ON b.order_id = v.order_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.order_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.customer_id AS customer_id_before,
  CAST(NULL AS NUMBER(38, 0)) AS customer_id_after,
  v.order_date AS order_date_before,
  CAST(NULL AS DATE) AS order_date_after,
  v.status AS status_before,
  CAST(NULL AS VARCHAR) AS status_after,
  v.total_amount AS total_amount_before,
  CAST(NULL AS NUMBER(12, 2)) AS total_amount_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMP_NTZ(6)) AS updated_at_after
FROM C360.snapshots.order_snapshot AS v
LEFT JOIN C360.snapshots.order_snapshot AS n
  ON n.order_id = v.order_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;

CREATE OR REPLACE VIEW C360.snapshots.order_snapshot_health
COPY GRANTS
COMMENT='What is wrong with the history order_snapshot: no row when it is sound.' AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
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
      COALESCE(CAST(v.order_id AS VARCHAR), 'NULL') AS c360_key
    FROM (
      SELECT
        h.order_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
      FROM C360.snapshots.order_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== tables/payment_snapshot.sql: snapshot snapshots.payment_snapshot

CREATE TABLE IF NOT EXISTS C360.snapshots.payment_snapshot (
  payment_id NUMBER(38, 0) NOT NULL,
  order_id NUMBER(38, 0),
  payment_method VARCHAR,
  amount NUMBER(12, 2),
  status VARCHAR,
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT payment_snapshot_pk PRIMARY KEY (payment_id, valid_from) NOT ENFORCED
)
COMMENT='History of every payment from pending over completed to refunded.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_payment_snapshot (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_payment_snapshot: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_payment_snapshot (node, run_id)
SELECT
  'snapshots.payment_snapshot',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.payment_snapshot' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_payment_snapshot AS l);


-- ==================== views/payment_snapshot.sql: views of snapshots.payment_snapshot

CREATE OR REPLACE VIEW C360.snapshots.payment_snapshot_current
COPY GRANTS
COMMENT='The open versions of payment_snapshot: one row per key.' AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM C360.snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snapshots.payment_snapshot_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  payment_id NUMBER(38, 0),
  order_id NUMBER(38, 0),
  payment_method VARCHAR,
  amount NUMBER(12, 2),
  status VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'payment_snapshot as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snapshots.payment_snapshot AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;

CREATE OR REPLACE FUNCTION C360.snapshots.payment_snapshot_changes(p_from TIMESTAMP_NTZ(6), p_to TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  payment_id NUMBER(38, 0),
  changed_at TIMESTAMP_NTZ(6),
  change VARCHAR,
  order_id_before NUMBER(38, 0),
  order_id_after NUMBER(38, 0),
  payment_method_before VARCHAR,
  payment_method_after VARCHAR,
  amount_before NUMBER(12, 2),
  amount_after NUMBER(12, 2),
  status_before VARCHAR,
  status_after VARCHAR,
  updated_at_before TIMESTAMP_NTZ(6),
  updated_at_after TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'What changed in payment_snapshot after one instant and not after another, with old and new values.'
AS
$$
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
FROM C360.snapshots.payment_snapshot AS v
LEFT JOIN C360.snapshots.payment_snapshot AS b
  ON b.payment_id = v.payment_id AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v.payment_id,
  v.valid_to AS changed_at,
  'deleted' AS change,
  v.order_id AS order_id_before,
  CAST(NULL AS NUMBER(38, 0)) AS order_id_after,
  v.payment_method AS payment_method_before,
  CAST(NULL AS VARCHAR) AS payment_method_after,
  v.amount AS amount_before,
  CAST(NULL AS NUMBER(12, 2)) AS amount_after,
  v.status AS status_before,
  CAST(NULL AS VARCHAR) AS status_after,
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMP_NTZ(6)) AS updated_at_after
FROM C360.snapshots.payment_snapshot AS v
LEFT JOIN C360.snapshots.payment_snapshot AS n
  ON n.payment_id = v.payment_id AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;

CREATE OR REPLACE VIEW C360.snapshots.payment_snapshot_health
COPY GRANTS
COMMENT='What is wrong with the history payment_snapshot: no row when it is sound.' AS
SELECT
  p.c360_problem AS problem,
  COUNT(*) AS found,
  LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
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
      COALESCE(CAST(v.payment_id AS VARCHAR), 'NULL') AS c360_key
    FROM (
      SELECT
        h.payment_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
      FROM C360.snapshots.payment_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== views/stg_customers.sql: view staging.stg_customers

CREATE OR REPLACE VIEW C360.staging.stg_customers
COPY GRANTS AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name) AS first_name,
  TRIM(customers.last_name) AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM C360.raw_data.customers AS customers;


-- ==================== views/stg_interactions.sql: view staging.stg_interactions

CREATE OR REPLACE VIEW C360.staging.stg_interactions
COPY GRANTS AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM C360.raw_data.interactions AS interactions;


-- ==================== views/stg_orders.sql: view staging.stg_orders

CREATE OR REPLACE VIEW C360.staging.stg_orders
COPY GRANTS AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM C360.raw_data.orders AS orders;


-- ==================== views/stg_payments.sql: view staging.stg_payments

CREATE OR REPLACE VIEW C360.staging.stg_payments
COPY GRANTS AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM C360.raw_data.payments AS payments;


-- ==================== tables/int_customer_orders.sql: incremental intermediate.int_customer_orders

CREATE TABLE IF NOT EXISTS C360.intermediate.int_customer_orders (
  order_id NUMBER(38, 0) NOT NULL,
  customer_id NUMBER(38, 0),
  order_date DATE,
  status VARCHAR,
  total_amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  CONSTRAINT int_customer_orders_pk PRIMARY KEY (order_id) NOT ENFORCED
)
COMMENT='Orders, the latest state of each.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_int_customer_orders (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_int_customer_orders: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_int_customer_orders (node, run_id)
SELECT
  'intermediate.int_customer_orders',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'intermediate.int_customer_orders' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_customer_orders AS l);


-- ==================== tables/int_interactions.sql: incremental intermediate.int_interactions

CREATE TABLE IF NOT EXISTS C360.intermediate.int_interactions (
  interaction_id NUMBER(38, 0),
  customer_id NUMBER(38, 0),
  channel VARCHAR,
  subject VARCHAR,
  occurred_at TIMESTAMP_NTZ(6) NOT NULL
)
CLUSTER BY (customer_id)
COMMENT='Every contact with a customer, appended as it comes.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_int_interactions (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_int_interactions: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_int_interactions (node, run_id)
SELECT
  'intermediate.int_interactions',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'intermediate.int_interactions' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_interactions AS l);


-- ==================== tables/int_payments.sql: incremental intermediate.int_payments

CREATE TABLE IF NOT EXISTS C360.intermediate.int_payments (
  payment_id NUMBER(38, 0) NOT NULL,
  order_id NUMBER(38, 0),
  payment_method VARCHAR,
  amount NUMBER(12, 2),
  status VARCHAR,
  updated_at TIMESTAMP_NTZ(6) NOT NULL
)
COMMENT='Payments, the latest state of each.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_int_payments (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_int_payments: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_int_payments (node, run_id)
SELECT
  'intermediate.int_payments',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'intermediate.int_payments' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_payments AS l);


-- ==================== tables/mart_customer_360.sql: table marts.mart_customer_360

CREATE TABLE IF NOT EXISTS C360.marts.mart_customer_360 (
  customer_id NUMBER(38, 0) NOT NULL COMMENT 'Key of the customer.',
  full_name VARCHAR,
  email VARCHAR,
  order_count NUMBER(38, 0),
  lifetime_value NUMBER(38, 2) COMMENT 'Sum of all orders that were not cancelled, in euro.',
  average_order_value NUMBER(38, 2),
  days_since_last_order NUMBER(38, 0) COMMENT 'Whole days between the last order and the run.',
  months_as_customer NUMBER(38, 0) COMMENT 'Months of 30 days since the first order, truncated.',
  payment_count NUMBER(38, 0),
  refund_rate NUMBER(9, 4) COMMENT 'Share of payments that were refunded.',
  paid_amount NUMBER(38, 2),
  favourite_payment_method VARCHAR,
  interaction_count NUMBER(38, 0),
  last_channel VARCHAR,
  version_count NUMBER(38, 0) COMMENT 'Versions of the customer in the history.',
  segment VARCHAR,
  CONSTRAINT mart_customer_360_pk PRIMARY KEY (customer_id) NOT ENFORCED
)
COMMENT='One row per current customer - value, recency, payment behaviour, contacts, segment.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_mart_customer_360 (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_mart_customer_360: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_mart_customer_360 (node, run_id)
SELECT
  'marts.mart_customer_360',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'marts.mart_customer_360' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_mart_customer_360 AS l);


-- ==================== procedures/run_customer_snapshot.sql: run of snapshots.customer_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.run_customer_snapshot(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings the history customer_snapshot up to date with raw_data.customers'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_customer_snapshot();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_customer_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
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
--          ZC008 not deployed
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.customer_snapshot';
  c_spec_hash VARCHAR DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_staged_rows NUMBER(18, 0) DEFAULT NULL;
  v_absent_rows NUMBER(18, 0) DEFAULT NULL;
  v_starting_rows NUMBER(18, 0) DEFAULT NULL;
  v_closing_rows NUMBER(18, 0) DEFAULT NULL;
  v_deleted_rows NUMBER(18, 0) DEFAULT NULL;
  v_revived_rows NUMBER(18, 0) DEFAULT NULL;
  v_dated_by_run NUMBER(18, 0) DEFAULT NULL;
  v_blocked_rows NUMBER(18, 0) DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_unmatched_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_keys NUMBER(18, 0) DEFAULT NULL;
  v_null_times NUMBER(18, 0) DEFAULT NULL;
  v_future_times NUMBER(18, 0) DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
  v_open_rows NUMBER(18, 0) DEFAULT NULL;
  v_new_keys NUMBER(18, 0) DEFAULT NULL;
  v_duplicate_keys NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- The columns of raw_data.customers must be there, of the kind that is declared.
  SELECT
    q.missing_tables,
    q.drifted_columns,
    q.drifted_names
  INTO
    :v_missing_tables,
    :v_drifted_columns,
    :v_drifted_names
  FROM (
    SELECT
      CASE WHEN COUNT(*) = 7 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('customer_id', 'integer'),
      ('first_name', 'text'),
      ('last_name', 'text'),
      ('email', 'text'),
      ('phone', 'text'),
      ('created_at', 'timestamp'),
      ('updated_at', 'timestamp')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        LOWER(c.column_name) AS c360_name,
        CASE
          WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0
          THEN 'integer'
          WHEN c.data_type IN ('NUMBER', 'FLOAT')
          THEN 'number'
          WHEN c.data_type = 'TIMESTAMP_NTZ'
          THEN 'timestamp'
          ELSE LOWER(c.data_type)
        END AS c360_family
      FROM C360.INFORMATION_SCHEMA.COLUMNS AS c
      WHERE
        c.table_schema = 'RAW_DATA' AND c.table_name = 'CUSTOMERS'
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
  ) AS q;

  -- No column at all: who reads the catalog sees nothing of a table that is not there.
  IF (v_missing_tables > 0) THEN
    v_message := 'ZC011 snapshots.customer_snapshot: '
      || 'raw_data.customers is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 snapshots.customer_snapshot: '
      || v_drifted_columns
      || ' columns of raw_data.customers are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_customer_snapshot (
    c360_action VARCHAR,
    c360_rows NUMBER(38, 0),
    c360_open_from TIMESTAMP_NTZ(6),
    c360_starts_at TIMESTAMP_NTZ(6),
    c360_ends_at TIMESTAMP_NTZ(6),
    customer_id NUMBER(38, 0),
    first_name VARCHAR,
    last_name VARCHAR,
    email VARCHAR,
    phone VARCHAR,
    created_at TIMESTAMP_NTZ(6),
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_customer_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_customer_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;

  -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
  -- are not staged; rows that must not be written are staged under the name of their problem.
  INSERT INTO C360.c360_control.stage_customer_snapshot (
    c360_action,
    c360_rows,
    c360_open_from,
    c360_starts_at,
    c360_ends_at,
    customer_id,
    first_name,
    last_name,
    email,
    phone,
    created_at,
    updated_at
  )
  SELECT
    d.c360_action,
    NULL AS c360_rows,
    d.c360_open_from,
    CASE
      WHEN d.c360_action IN ('new', 'change', 'revive')
      THEN CASE
        WHEN (
          d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
        ) AND d.updated_at <= :v_as_of
        THEN d.updated_at
        ELSE :v_as_of
      END
    END AS c360_starts_at,
    CASE
      WHEN d.c360_action = 'change'
      THEN CASE
        WHEN (
          d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
        ) AND d.updated_at <= :v_as_of
        THEN d.updated_at
        ELSE :v_as_of
      END
      WHEN d.c360_action = 'delete'
      THEN :v_as_of
    END AS c360_ends_at,
    d.customer_id,
    d.first_name,
    d.last_name,
    d.email,
    d.phone,
    d.created_at,
    d.updated_at
  FROM (
    SELECT
      CASE
        WHEN e.c360_action = 'new' AND l.c360_boundary > :v_as_of
        THEN 'blocked'
        WHEN e.c360_action = 'new' AND l.c360_boundary IS NOT NULL
        THEN 'revive'
        ELSE e.c360_action
      END AS c360_action,
      COALESCE(e.c360_open_from, l.c360_boundary) AS c360_boundary,
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
        w.c360_action,
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
            WHEN s.updated_at IS NULL
            THEN 'null_time'
            WHEN s.updated_at > :v_latest
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
            CAST(r.created_at AS TIMESTAMP_NTZ(6)) AS created_at,
            CAST(r.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
            TRUE AS c360_present
          FROM C360.raw_data.customers AS r
        ) AS s
        FULL JOIN (
          SELECT
            h.customer_id,
            h.first_name,
            h.last_name,
            h.email,
            h.phone,
            h.created_at,
            h.valid_from
          FROM C360.snapshots.customer_snapshot AS h
          WHERE
            h.valid_to IS NULL
        ) AS o
          ON o.customer_id = s.customer_id
      ) AS w
      WHERE
        w.c360_action IS NOT NULL
    ) AS e
    LEFT JOIN (
      SELECT
        p.customer_id,
        MAX(p.valid_to) AS c360_boundary
      FROM C360.snapshots.customer_snapshot AS p
      WHERE
        p.valid_to IS NOT NULL
      GROUP BY
        p.customer_id
    ) AS l
      ON l.customer_id = e.customer_id
  ) AS d
  UNION ALL
  SELECT
    'source' AS c360_action,
    COUNT(*) AS c360_rows,
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
  FROM C360.raw_data.customers AS r
  UNION ALL
  SELECT
    'open' AS c360_action,
    COUNT(*) AS c360_rows,
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
  FROM C360.snapshots.customer_snapshot AS h
  WHERE
    h.valid_to IS NULL;

  -- Count what was decided.
  SELECT
    q.staged_rows,
    q.absent_rows,
    q.starting_rows,
    q.closing_rows,
    q.deleted_rows,
    q.revived_rows,
    q.dated_by_run,
    q.blocked_rows,
    q.new_rows,
    q.unmatched_rows,
    q.null_keys,
    q.null_times,
    q.future_times,
    q.source_rows,
    q.open_rows,
    q.new_keys
  INTO
    :v_staged_rows,
    :v_absent_rows,
    :v_starting_rows,
    :v_closing_rows,
    :v_deleted_rows,
    :v_revived_rows,
    :v_dated_by_run,
    :v_blocked_rows,
    :v_new_rows,
    :v_unmatched_rows,
    :v_null_keys,
    :v_null_times,
    :v_future_times,
    :v_source_rows,
    :v_open_rows,
    :v_new_keys
  FROM (
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
          FROM C360.c360_control.stage_customer_snapshot AS k
          WHERE
            k.c360_action IN ('new', 'revive')
        ) AS u
      ) AS new_keys
    FROM C360.c360_control.stage_customer_snapshot AS s
  ) AS q;

  -- Only where the numbers do not add up, look for the keys that occur twice.
  IF (v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows) THEN
    SELECT q.duplicate_keys INTO :v_duplicate_keys
    FROM (
      SELECT
        COUNT(*) AS duplicate_keys
      FROM (
        SELECT
          r.customer_id
        FROM C360.raw_data.customers AS r
        GROUP BY
          r.customer_id
        HAVING
          COUNT(*) > 1
      ) AS d
    ) AS q;
  END IF;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 snapshots.customer_snapshot: '
      || v_null_keys
      || ' rows of raw_data.customers have no customer_id'
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- Each key must occur once.
  IF (v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.customer_id AS VARCHAR), 'NULL') AS c360_key
        FROM (
          SELECT
            r.customer_id
          FROM C360.raw_data.customers AS r
          GROUP BY
            r.customer_id
          HAVING
            COUNT(*) > 1
        ) AS s
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 snapshots.customer_snapshot: '
      || v_duplicate_keys
      || ' values of customer_id occur in several rows of raw_data.customers'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- Every row must have a time.
  IF (v_null_times > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.customer_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_customer_snapshot AS s
        WHERE
          s.c360_action = 'null_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC003 snapshots.customer_snapshot: '
      || v_null_times
      || ' rows of raw_data.customers have no usable updated_at'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- No time may lie beyond the clock and its tolerance.
  IF (v_future_times > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.customer_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_customer_snapshot AS s
        WHERE
          s.c360_action = 'future_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC009 snapshots.customer_snapshot: '
      || v_future_times
      || ' rows of raw_data.customers have updated_at later than '
      || v_latest
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Compare the clocks.';
    RAISE guard_failed;
  END IF;

  -- An empty source is more likely a failed load than the end of everything.
  IF (v_open_rows > 0 AND v_source_rows = 0) THEN
    v_message := 'ZC004 snapshots.customer_snapshot: '
      || 'raw_data.customers is empty while '
      || v_open_rows
      || ' versions are open'
      || '. Nothing was written. Load the source first.';
    RAISE guard_failed;
  END IF;

  -- A version cannot end before it starts, nor begin before the one before it has ended.
  IF (v_blocked_rows > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.customer_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_customer_snapshot AS s
        WHERE
          s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC010 snapshots.customer_snapshot: '
      || v_blocked_rows
      || ' keys have versions that begin at or end after the run time '
      || v_as_of
      || ' and cannot be closed or followed at it'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Run again once that time has passed.';
    RAISE guard_failed;
  END IF;

  -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
  IF (v_closing_rows > 0) THEN
    UPDATE C360.snapshots.customer_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = :v_run_id
    FROM C360.c360_control.stage_customer_snapshot AS s
    WHERE
      t.customer_id = s.customer_id
      AND t.valid_from = s.c360_open_from
      AND t.valid_to IS NULL
      AND s.c360_ends_at IS NOT NULL;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_closing_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.customer_snapshot' || ': ' || (v_closing_rows) || ' versions to close, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the versions that began.
  IF (v_starting_rows > 0) THEN
    INSERT INTO C360.snapshots.customer_snapshot (
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
      :v_run_id AS opened_run_id
    FROM C360.c360_control.stage_customer_snapshot AS s
    WHERE
      s.c360_action IN ('new', 'change', 'revive');
    v_written := SQLROWCOUNT;
    IF (v_written <> v_starting_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.customer_snapshot' || ': ' || (v_starting_rows) || ' versions to insert, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, NULL, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by,
    source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_source_rows,
    :v_starting_rows,
    :v_closing_rows,
    :v_deleted_rows,
    :v_revived_rows,
    :v_source_rows - (:v_staged_rows - :v_absent_rows),
    :v_dated_by_run
  ;
  UPDATE C360.c360_control.lock_customer_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/run_order_snapshot.sql: run of snapshots.order_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.run_order_snapshot(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings the history order_snapshot up to date with raw_data.orders'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_order_snapshot();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_order_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- Rules:   a row of raw_data.orders is new or changed when status, total_amount differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.orders stays open
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.order_snapshot';
  c_spec_hash VARCHAR DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_staged_rows NUMBER(18, 0) DEFAULT NULL;
  v_absent_rows NUMBER(18, 0) DEFAULT NULL;
  v_starting_rows NUMBER(18, 0) DEFAULT NULL;
  v_closing_rows NUMBER(18, 0) DEFAULT NULL;
  v_deleted_rows NUMBER(18, 0) DEFAULT NULL;
  v_revived_rows NUMBER(18, 0) DEFAULT NULL;
  v_dated_by_run NUMBER(18, 0) DEFAULT NULL;
  v_blocked_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_keys NUMBER(18, 0) DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
  v_open_rows NUMBER(18, 0) DEFAULT NULL;
  v_duplicate_keys NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- The columns of raw_data.orders must be there, of the kind that is declared.
  SELECT
    q.missing_tables,
    q.drifted_columns,
    q.drifted_names
  INTO
    :v_missing_tables,
    :v_drifted_columns,
    :v_drifted_names
  FROM (
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('order_id', 'integer'),
      ('customer_id', 'integer'),
      ('order_date', 'date'),
      ('status', 'text'),
      ('total_amount', 'number'),
      ('updated_at', 'timestamp')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        LOWER(c.column_name) AS c360_name,
        CASE
          WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0
          THEN 'integer'
          WHEN c.data_type IN ('NUMBER', 'FLOAT')
          THEN 'number'
          WHEN c.data_type = 'TIMESTAMP_NTZ'
          THEN 'timestamp'
          ELSE LOWER(c.data_type)
        END AS c360_family
      FROM C360.INFORMATION_SCHEMA.COLUMNS AS c
      WHERE
        c.table_schema = 'RAW_DATA' AND c.table_name = 'ORDERS'
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
  ) AS q;

  -- No column at all: who reads the catalog sees nothing of a table that is not there.
  IF (v_missing_tables > 0) THEN
    v_message := 'ZC011 snapshots.order_snapshot: '
      || 'raw_data.orders is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 snapshots.order_snapshot: '
      || v_drifted_columns
      || ' columns of raw_data.orders are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_order_snapshot (
    c360_action VARCHAR,
    c360_rows NUMBER(38, 0),
    c360_open_from TIMESTAMP_NTZ(6),
    c360_starts_at TIMESTAMP_NTZ(6),
    c360_ends_at TIMESTAMP_NTZ(6),
    order_id NUMBER(38, 0),
    customer_id NUMBER(38, 0),
    order_date DATE,
    status VARCHAR,
    total_amount NUMBER(12, 2),
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_order_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_order_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;

  -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
  -- are not staged; rows that must not be written are staged under the name of their problem.
  INSERT INTO C360.c360_control.stage_order_snapshot (
    c360_action,
    c360_rows,
    c360_open_from,
    c360_starts_at,
    c360_ends_at,
    order_id,
    customer_id,
    order_date,
    status,
    total_amount,
    updated_at
  )
  SELECT
    d.c360_action,
    NULL AS c360_rows,
    d.c360_open_from,
    CASE
      WHEN d.c360_action IN ('new', 'change', 'revive')
      THEN CASE
        WHEN (
          d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
        ) AND d.updated_at <= :v_as_of
        THEN d.updated_at
        ELSE :v_as_of
      END
    END AS c360_starts_at,
    CASE
      WHEN d.c360_action = 'change'
      THEN CASE
        WHEN (
          d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
        ) AND d.updated_at <= :v_as_of
        THEN d.updated_at
        ELSE :v_as_of
      END
    END AS c360_ends_at,
    d.order_id,
    d.customer_id,
    d.order_date,
    d.status,
    d.total_amount,
    d.updated_at
  FROM (
    SELECT
      CASE
        WHEN e.c360_action = 'new' AND l.c360_boundary > :v_as_of
        THEN 'blocked'
        WHEN e.c360_action = 'new' AND l.c360_boundary IS NOT NULL
        THEN 'revive'
        ELSE e.c360_action
      END AS c360_action,
      COALESCE(e.c360_open_from, l.c360_boundary) AS c360_boundary,
      e.c360_open_from,
      e.order_id,
      e.customer_id,
      e.order_date,
      e.status,
      e.total_amount,
      e.updated_at
    FROM (
      SELECT
        w.c360_action,
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
            WHEN s.c360_copies > 1
            THEN 'duplicate_key'
            WHEN o.valid_from IS NULL
            THEN 'new'
            WHEN s.status IS DISTINCT FROM o.status OR s.total_amount IS DISTINCT FROM o.total_amount
            THEN 'change'
          END AS c360_action,
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
            CAST(r.total_amount AS NUMBER(12, 2)) AS total_amount,
            CAST(r.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
            TRUE AS c360_present,
            COUNT(*) OVER (PARTITION BY r.order_id) AS c360_copies
          FROM C360.raw_data.orders AS r
        ) AS s
        LEFT JOIN (
          SELECT
            h.order_id,
            h.status,
            h.total_amount,
            h.valid_from
          FROM C360.snapshots.order_snapshot AS h
          WHERE
            h.valid_to IS NULL
        ) AS o
          ON o.order_id = s.order_id
      ) AS w
      WHERE
        w.c360_action IS NOT NULL
    ) AS e
    LEFT JOIN (
      SELECT
        p.order_id,
        MAX(p.valid_to) AS c360_boundary
      FROM C360.snapshots.order_snapshot AS p
      WHERE
        p.valid_to IS NOT NULL
      GROUP BY
        p.order_id
    ) AS l
      ON l.order_id = e.order_id
  ) AS d
  UNION ALL
  SELECT
    'source' AS c360_action,
    COUNT(*) AS c360_rows,
    NULL AS c360_open_from,
    NULL AS c360_starts_at,
    NULL AS c360_ends_at,
    NULL AS order_id,
    NULL AS customer_id,
    NULL AS order_date,
    NULL AS status,
    NULL AS total_amount,
    NULL AS updated_at
  FROM C360.raw_data.orders AS r
  UNION ALL
  SELECT
    'open' AS c360_action,
    COUNT(*) AS c360_rows,
    NULL AS c360_open_from,
    NULL AS c360_starts_at,
    NULL AS c360_ends_at,
    NULL AS order_id,
    NULL AS customer_id,
    NULL AS order_date,
    NULL AS status,
    NULL AS total_amount,
    NULL AS updated_at
  FROM C360.snapshots.order_snapshot AS h
  WHERE
    h.valid_to IS NULL;

  -- Count what was decided.
  SELECT
    q.staged_rows,
    q.absent_rows,
    q.starting_rows,
    q.closing_rows,
    q.deleted_rows,
    q.revived_rows,
    q.dated_by_run,
    q.blocked_rows,
    q.null_keys,
    q.source_rows,
    q.open_rows,
    q.duplicate_keys
  INTO
    :v_staged_rows,
    :v_absent_rows,
    :v_starting_rows,
    :v_closing_rows,
    :v_deleted_rows,
    :v_revived_rows,
    :v_dated_by_run,
    :v_blocked_rows,
    :v_null_keys,
    :v_source_rows,
    :v_open_rows,
    :v_duplicate_keys
  FROM (
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
          FROM C360.c360_control.stage_order_snapshot AS k
          WHERE
            k.c360_action = 'duplicate_key'
        ) AS u
      ) AS duplicate_keys
    FROM C360.c360_control.stage_order_snapshot AS s
  ) AS q;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 snapshots.order_snapshot: '
      || v_null_keys
      || ' rows of raw_data.orders have no order_id'
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- Each key must occur once.
  IF (v_duplicate_keys > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.order_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_order_snapshot AS s
        WHERE
          s.c360_action = 'duplicate_key'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 snapshots.order_snapshot: '
      || v_duplicate_keys
      || ' values of order_id occur in several rows of raw_data.orders'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- A version cannot end before it starts, nor begin before the one before it has ended.
  IF (v_blocked_rows > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.order_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_order_snapshot AS s
        WHERE
          s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC010 snapshots.order_snapshot: '
      || v_blocked_rows
      || ' keys have versions that begin at or end after the run time '
      || v_as_of
      || ' and cannot be closed or followed at it'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Run again once that time has passed.';
    RAISE guard_failed;
  END IF;

  -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
  IF (v_closing_rows > 0) THEN
    UPDATE C360.snapshots.order_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = :v_run_id
    FROM C360.c360_control.stage_order_snapshot AS s
    WHERE
      t.order_id = s.order_id
      AND t.valid_from = s.c360_open_from
      AND t.valid_to IS NULL
      AND s.c360_ends_at IS NOT NULL;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_closing_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.order_snapshot' || ': ' || (v_closing_rows) || ' versions to close, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the versions that began.
  IF (v_starting_rows > 0) THEN
    INSERT INTO C360.snapshots.order_snapshot (
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
      :v_run_id AS opened_run_id
    FROM C360.c360_control.stage_order_snapshot AS s
    WHERE
      s.c360_action IN ('new', 'change', 'revive');
    v_written := SQLROWCOUNT;
    IF (v_written <> v_starting_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.order_snapshot' || ': ' || (v_starting_rows) || ' versions to insert, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, NULL, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by,
    source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_source_rows,
    :v_starting_rows,
    :v_closing_rows,
    :v_deleted_rows,
    :v_revived_rows,
    :v_source_rows - (:v_staged_rows - :v_absent_rows),
    :v_dated_by_run
  ;
  UPDATE C360.c360_control.lock_order_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/run_payment_snapshot.sql: run of snapshots.payment_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.run_payment_snapshot(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings the history payment_snapshot up to date with raw_data.payments'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_payment_snapshot();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_payment_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- Rules:   a row of raw_data.payments is new or changed when any of its columns but payment_id, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw_data.payments stays open
--          a closed version never changes again; running again writes nothing but the log
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC009 updated_at lies in the future
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.payment_snapshot';
  c_spec_hash VARCHAR DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_staged_rows NUMBER(18, 0) DEFAULT NULL;
  v_absent_rows NUMBER(18, 0) DEFAULT NULL;
  v_starting_rows NUMBER(18, 0) DEFAULT NULL;
  v_closing_rows NUMBER(18, 0) DEFAULT NULL;
  v_deleted_rows NUMBER(18, 0) DEFAULT NULL;
  v_revived_rows NUMBER(18, 0) DEFAULT NULL;
  v_dated_by_run NUMBER(18, 0) DEFAULT NULL;
  v_blocked_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_keys NUMBER(18, 0) DEFAULT NULL;
  v_null_times NUMBER(18, 0) DEFAULT NULL;
  v_future_times NUMBER(18, 0) DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
  v_open_rows NUMBER(18, 0) DEFAULT NULL;
  v_duplicate_keys NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- The columns of raw_data.payments must be there, of the kind that is declared.
  SELECT
    q.missing_tables,
    q.drifted_columns,
    q.drifted_names
  INTO
    :v_missing_tables,
    :v_drifted_columns,
    :v_drifted_names
  FROM (
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('payment_id', 'integer'),
      ('order_id', 'integer'),
      ('payment_method', 'text'),
      ('amount', 'number'),
      ('status', 'text'),
      ('updated_at', 'timestamp')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        LOWER(c.column_name) AS c360_name,
        CASE
          WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0
          THEN 'integer'
          WHEN c.data_type IN ('NUMBER', 'FLOAT')
          THEN 'number'
          WHEN c.data_type = 'TIMESTAMP_NTZ'
          THEN 'timestamp'
          ELSE LOWER(c.data_type)
        END AS c360_family
      FROM C360.INFORMATION_SCHEMA.COLUMNS AS c
      WHERE
        c.table_schema = 'RAW_DATA' AND c.table_name = 'PAYMENTS'
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
  ) AS q;

  -- No column at all: who reads the catalog sees nothing of a table that is not there.
  IF (v_missing_tables > 0) THEN
    v_message := 'ZC011 snapshots.payment_snapshot: '
      || 'raw_data.payments is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 snapshots.payment_snapshot: '
      || v_drifted_columns
      || ' columns of raw_data.payments are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_payment_snapshot (
    c360_action VARCHAR,
    c360_rows NUMBER(38, 0),
    c360_open_from TIMESTAMP_NTZ(6),
    c360_starts_at TIMESTAMP_NTZ(6),
    c360_ends_at TIMESTAMP_NTZ(6),
    payment_id NUMBER(38, 0),
    order_id NUMBER(38, 0),
    payment_method VARCHAR,
    amount NUMBER(12, 2),
    status VARCHAR,
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_payment_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_payment_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;

  -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
  -- are not staged; rows that must not be written are staged under the name of their problem.
  INSERT INTO C360.c360_control.stage_payment_snapshot (
    c360_action,
    c360_rows,
    c360_open_from,
    c360_starts_at,
    c360_ends_at,
    payment_id,
    order_id,
    payment_method,
    amount,
    status,
    updated_at
  )
  SELECT
    d.c360_action,
    NULL AS c360_rows,
    d.c360_open_from,
    CASE
      WHEN d.c360_action IN ('new', 'change', 'revive')
      THEN CASE
        WHEN (
          d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
        ) AND d.updated_at <= :v_as_of
        THEN d.updated_at
        ELSE :v_as_of
      END
    END AS c360_starts_at,
    CASE
      WHEN d.c360_action = 'change'
      THEN CASE
        WHEN (
          d.c360_boundary IS NULL OR d.updated_at > d.c360_boundary
        ) AND d.updated_at <= :v_as_of
        THEN d.updated_at
        ELSE :v_as_of
      END
    END AS c360_ends_at,
    d.payment_id,
    d.order_id,
    d.payment_method,
    d.amount,
    d.status,
    d.updated_at
  FROM (
    SELECT
      CASE
        WHEN e.c360_action = 'new' AND l.c360_boundary > :v_as_of
        THEN 'blocked'
        WHEN e.c360_action = 'new' AND l.c360_boundary IS NOT NULL
        THEN 'revive'
        ELSE e.c360_action
      END AS c360_action,
      COALESCE(e.c360_open_from, l.c360_boundary) AS c360_boundary,
      e.c360_open_from,
      e.payment_id,
      e.order_id,
      e.payment_method,
      e.amount,
      e.status,
      e.updated_at
    FROM (
      SELECT
        w.c360_action,
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
            WHEN s.c360_copies > 1
            THEN 'duplicate_key'
            WHEN s.updated_at IS NULL
            THEN 'null_time'
            WHEN s.updated_at > :v_latest
            THEN 'future_time'
            WHEN o.valid_from IS NULL
            THEN 'new'
            WHEN s.order_id IS DISTINCT FROM o.order_id
            OR s.payment_method IS DISTINCT FROM o.payment_method
            OR s.amount IS DISTINCT FROM o.amount
            OR s.status IS DISTINCT FROM o.status
            THEN 'change'
          END AS c360_action,
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
            CAST(r.amount AS NUMBER(12, 2)) AS amount,
            r.status,
            CAST(r.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
            TRUE AS c360_present,
            COUNT(*) OVER (PARTITION BY r.payment_id) AS c360_copies
          FROM C360.raw_data.payments AS r
        ) AS s
        LEFT JOIN (
          SELECT
            h.payment_id,
            h.order_id,
            h.payment_method,
            h.amount,
            h.status,
            h.valid_from
          FROM C360.snapshots.payment_snapshot AS h
          WHERE
            h.valid_to IS NULL
        ) AS o
          ON o.payment_id = s.payment_id
      ) AS w
      WHERE
        w.c360_action IS NOT NULL
    ) AS e
    LEFT JOIN (
      SELECT
        p.payment_id,
        MAX(p.valid_to) AS c360_boundary
      FROM C360.snapshots.payment_snapshot AS p
      WHERE
        p.valid_to IS NOT NULL
      GROUP BY
        p.payment_id
    ) AS l
      ON l.payment_id = e.payment_id
  ) AS d
  UNION ALL
  SELECT
    'source' AS c360_action,
    COUNT(*) AS c360_rows,
    NULL AS c360_open_from,
    NULL AS c360_starts_at,
    NULL AS c360_ends_at,
    NULL AS payment_id,
    NULL AS order_id,
    NULL AS payment_method,
    NULL AS amount,
    NULL AS status,
    NULL AS updated_at
  FROM C360.raw_data.payments AS r
  UNION ALL
  SELECT
    'open' AS c360_action,
    COUNT(*) AS c360_rows,
    NULL AS c360_open_from,
    NULL AS c360_starts_at,
    NULL AS c360_ends_at,
    NULL AS payment_id,
    NULL AS order_id,
    NULL AS payment_method,
    NULL AS amount,
    NULL AS status,
    NULL AS updated_at
  FROM C360.snapshots.payment_snapshot AS h
  WHERE
    h.valid_to IS NULL;

  -- Count what was decided.
  SELECT
    q.staged_rows,
    q.absent_rows,
    q.starting_rows,
    q.closing_rows,
    q.deleted_rows,
    q.revived_rows,
    q.dated_by_run,
    q.blocked_rows,
    q.null_keys,
    q.null_times,
    q.future_times,
    q.source_rows,
    q.open_rows,
    q.duplicate_keys
  INTO
    :v_staged_rows,
    :v_absent_rows,
    :v_starting_rows,
    :v_closing_rows,
    :v_deleted_rows,
    :v_revived_rows,
    :v_dated_by_run,
    :v_blocked_rows,
    :v_null_keys,
    :v_null_times,
    :v_future_times,
    :v_source_rows,
    :v_open_rows,
    :v_duplicate_keys
  FROM (
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
          FROM C360.c360_control.stage_payment_snapshot AS k
          WHERE
            k.c360_action = 'duplicate_key'
        ) AS u
      ) AS duplicate_keys
    FROM C360.c360_control.stage_payment_snapshot AS s
  ) AS q;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 snapshots.payment_snapshot: '
      || v_null_keys
      || ' rows of raw_data.payments have no payment_id'
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- Each key must occur once.
  IF (v_duplicate_keys > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.payment_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_payment_snapshot AS s
        WHERE
          s.c360_action = 'duplicate_key'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 snapshots.payment_snapshot: '
      || v_duplicate_keys
      || ' values of payment_id occur in several rows of raw_data.payments'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- Every row must have a time.
  IF (v_null_times > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.payment_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_payment_snapshot AS s
        WHERE
          s.c360_action = 'null_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC003 snapshots.payment_snapshot: '
      || v_null_times
      || ' rows of raw_data.payments have no usable updated_at'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- No time may lie beyond the clock and its tolerance.
  IF (v_future_times > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.payment_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_payment_snapshot AS s
        WHERE
          s.c360_action = 'future_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC009 snapshots.payment_snapshot: '
      || v_future_times
      || ' rows of raw_data.payments have updated_at later than '
      || v_latest
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Compare the clocks.';
    RAISE guard_failed;
  END IF;

  -- A version cannot end before it starts, nor begin before the one before it has ended.
  IF (v_blocked_rows > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.payment_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_payment_snapshot AS s
        WHERE
          s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC010 snapshots.payment_snapshot: '
      || v_blocked_rows
      || ' keys have versions that begin at or end after the run time '
      || v_as_of
      || ' and cannot be closed or followed at it'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Run again once that time has passed.';
    RAISE guard_failed;
  END IF;

  -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
  IF (v_closing_rows > 0) THEN
    UPDATE C360.snapshots.payment_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = :v_run_id
    FROM C360.c360_control.stage_payment_snapshot AS s
    WHERE
      t.payment_id = s.payment_id
      AND t.valid_from = s.c360_open_from
      AND t.valid_to IS NULL
      AND s.c360_ends_at IS NOT NULL;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_closing_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.payment_snapshot' || ': ' || (v_closing_rows) || ' versions to close, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the versions that began.
  IF (v_starting_rows > 0) THEN
    INSERT INTO C360.snapshots.payment_snapshot (
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
      :v_run_id AS opened_run_id
    FROM C360.c360_control.stage_payment_snapshot AS s
    WHERE
      s.c360_action IN ('new', 'change', 'revive');
    v_written := SQLROWCOUNT;
    IF (v_written <> v_starting_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.payment_snapshot' || ': ' || (v_starting_rows) || ' versions to insert, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, NULL, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by,
    source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_source_rows,
    :v_starting_rows,
    :v_closing_rows,
    :v_deleted_rows,
    :v_revived_rows,
    :v_source_rows - (:v_staged_rows - :v_absent_rows),
    :v_dated_by_run
  ;
  UPDATE C360.c360_control.lock_payment_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/run_int_customer_orders.sql: run of intermediate.int_customer_orders

CREATE OR REPLACE PROCEDURE C360.c360_control.run_int_customer_orders(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL,
  p_full_refresh BOOLEAN DEFAULT FALSE
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings int_customer_orders up to date with its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_int_customer_orders();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_int_customer_orders('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- CALL C360.c360_control.run_int_customer_orders(p_full_refresh => TRUE);
--      replaces every row, in one transaction
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          a row of a known order_id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share order_id must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'intermediate.int_customer_orders';
  c_spec_hash VARCHAR DEFAULT '084cae8c45ae0c146be65ef963062d0174d8efc5153b85bb91623a82dd9f5eb2';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_full_refresh BOOLEAN DEFAULT FALSE;
  v_incremental BOOLEAN DEFAULT FALSE;
  v_watermark TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_window_start TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_next_watermark TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_updated_rows NUMBER(18, 0) DEFAULT NULL;
  v_older_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_keys NUMBER(18, 0) DEFAULT NULL;
  v_null_times NUMBER(18, 0) DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
  v_newest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_duplicate_keys NUMBER(18, 0) DEFAULT NULL;
  v_target_rows NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- The columns of raw_data.orders must be there, of the kind that is declared.
  SELECT
    q.missing_tables,
    q.drifted_columns,
    q.drifted_names
  INTO
    :v_missing_tables,
    :v_drifted_columns,
    :v_drifted_names
  FROM (
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('order_id', 'integer'),
      ('customer_id', 'integer'),
      ('order_date', 'date'),
      ('status', 'text'),
      ('total_amount', 'number'),
      ('updated_at', 'timestamp')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        LOWER(c.column_name) AS c360_name,
        CASE
          WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0
          THEN 'integer'
          WHEN c.data_type IN ('NUMBER', 'FLOAT')
          THEN 'number'
          WHEN c.data_type = 'TIMESTAMP_NTZ'
          THEN 'timestamp'
          ELSE LOWER(c.data_type)
        END AS c360_family
      FROM C360.INFORMATION_SCHEMA.COLUMNS AS c
      WHERE
        c.table_schema = 'RAW_DATA' AND c.table_name = 'ORDERS'
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
  ) AS q;

  -- No column at all: who reads the catalog sees nothing of a table that is not there.
  IF (v_missing_tables > 0) THEN
    v_message := 'ZC011 intermediate.int_customer_orders: '
      || 'raw_data.orders is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 intermediate.int_customer_orders: '
      || v_drifted_columns
      || ' columns of raw_data.orders are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_int_customer_orders (
    c360_action VARCHAR,
    c360_copies NUMBER(38, 0),
    c360_position NUMBER(38, 0),
    order_id NUMBER(38, 0),
    customer_id NUMBER(38, 0),
    order_date DATE,
    status VARCHAR,
    total_amount NUMBER(12, 2),
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_int_customer_orders
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_int_customer_orders AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;
  v_full_refresh := COALESCE(p_full_refresh, FALSE);
  v_incremental := v_last_as_of IS NOT NULL AND NOT v_full_refresh;
  SELECT q.cursor_value INTO :v_watermark
  FROM (
    SELECT MAX(w.cursor_value) AS cursor_value
    FROM C360.c360_control.watermark AS w
    WHERE w.node = :c_node
      AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM C360.c360_control.watermark AS l WHERE l.node = :c_node)
  ) AS q;
  IF (v_incremental) THEN
    v_window_start := DATEADD(SECOND, -259200, v_watermark);
  END IF;

  -- Read the batch once and look its keys up in the target.
  INSERT INTO C360.c360_control.stage_int_customer_orders (
    c360_action,
    c360_copies,
    c360_position,
    order_id,
    customer_id,
    order_date,
    status,
    total_amount,
    updated_at
  )
  SELECT
    CASE
      WHEN b.order_id IS NULL
      THEN 'null_key'
      WHEN b.updated_at IS NULL
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
    b.c360_copies,
    b.c360_position,
    b.order_id,
    b.customer_id,
    b.order_date,
    b.status,
    b.total_amount,
    b.updated_at
  FROM (
    SELECT
      m.order_id,
      m.customer_id,
      m.order_date,
      m.status,
      CAST(m.total_amount AS NUMBER(12, 2)) AS total_amount,
      CAST(m.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
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
      FROM C360.staging.stg_orders AS stg_orders
    ) AS m
    WHERE
      :v_window_start IS NULL OR m.updated_at >= :v_window_start OR m.updated_at IS NULL
  ) AS b
  LEFT JOIN C360.intermediate.int_customer_orders AS t
    ON t.order_id = b.order_id AND NOT :v_full_refresh;

  -- Count what was decided.
  SELECT
    q.new_rows,
    q.updated_rows,
    q.older_rows,
    q.null_keys,
    q.null_times,
    q.source_rows,
    q.newest
  INTO
    :v_new_rows,
    :v_updated_rows,
    :v_older_rows,
    :v_null_keys,
    :v_null_times,
    :v_source_rows,
    :v_newest
  FROM (
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
      COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows,
      MAX(s.updated_at) AS newest
    FROM C360.c360_control.stage_int_customer_orders AS s
  ) AS q;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 intermediate.int_customer_orders: '
      || v_null_keys
      || ' rows of the query of int_customer_orders have no order_id'
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- No watermark would ever reach a NULL.
  IF (v_null_times > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.order_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_int_customer_orders AS s
        WHERE
          s.c360_action = 'null_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC003 intermediate.int_customer_orders: '
      || v_null_times
      || ' rows of the query of int_customer_orders have no usable updated_at'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- Rows that share a key must be equal in every column.
  SELECT
    q.duplicate_keys
  INTO
    :v_duplicate_keys
  FROM (
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
        FROM C360.c360_control.stage_int_customer_orders AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
      ) AS d
      GROUP BY
        d.order_id
      HAVING
        COUNT(*) > 1
    ) AS r
  ) AS q;

  -- Which of two different rows would win would be chance.
  IF (v_duplicate_keys > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.order_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_int_customer_orders AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 intermediate.int_customer_orders: '
      || v_duplicate_keys
      || ' values of order_id occur in several rows that differ'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.';
    RAISE guard_failed;
  END IF;

  -- A full refresh replaces every row.
  IF (v_full_refresh) THEN
    SELECT q.target_rows INTO :v_target_rows
    FROM (
      SELECT
        COUNT(*) AS target_rows
      FROM C360.intermediate.int_customer_orders AS t
    ) AS q;
  END IF;

  -- Empty the table; readers see its rows until the commit.
  IF (v_full_refresh) THEN
    DELETE FROM C360.intermediate.int_customer_orders AS t
    WHERE
      TRUE;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_target_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_customer_orders' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Update the rows that differ; the count must be exact.
  IF (v_updated_rows > 0) THEN
    UPDATE C360.intermediate.int_customer_orders AS t SET customer_id = s.customer_id, order_date = s.order_date, status = s.status, total_amount = s.total_amount, updated_at = s.updated_at
    FROM C360.c360_control.stage_int_customer_orders AS s
    WHERE
      t.order_id = s.order_id AND s.c360_action = 'update' AND s.c360_position = 1;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_updated_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_customer_orders' || ': ' || (v_updated_rows) || ' rows to update, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the rows that are new.
  IF (v_new_rows > 0) THEN
    INSERT INTO C360.intermediate.int_customer_orders (
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
    FROM C360.c360_control.stage_int_customer_orders AS s
    WHERE
      s.c360_action = 'insert' AND s.c360_position = 1;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_new_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_customer_orders' || ': ' || (v_new_rows) || ' rows to insert, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  v_next_watermark := CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
  IF (NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark)) THEN
    v_next_watermark := v_watermark;
  END IF;
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, :v_next_watermark, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, watermark_before, watermark_after,
    source_rows, inserted_rows, updated_rows, deleted_rows, unchanged_rows
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_watermark, :v_next_watermark,
    :v_source_rows,
    :v_new_rows,
    :v_updated_rows,
    CASE WHEN :v_full_refresh THEN :v_target_rows ELSE 0 END,
    :v_source_rows - :v_new_rows - :v_updated_rows - :v_older_rows
  ;
  UPDATE C360.c360_control.lock_int_customer_orders SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/run_int_interactions.sql: run of intermediate.int_interactions

CREATE OR REPLACE PROCEDURE C360.c360_control.run_int_interactions(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL,
  p_full_refresh BOOLEAN DEFAULT FALSE
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings int_interactions up to date with its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_int_interactions();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_int_interactions('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- CALL C360.c360_control.run_int_interactions(p_full_refresh => TRUE);
--      replaces every row, in one transaction
-- Rules:   reads rows whose occurred_at is after the watermark and not after the run time
--          rows are added, never changed; rows that arrive later with a cursor at or below the watermark are not read
-- Errors:  ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'intermediate.int_interactions';
  c_spec_hash VARCHAR DEFAULT 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_full_refresh BOOLEAN DEFAULT FALSE;
  v_incremental BOOLEAN DEFAULT FALSE;
  v_watermark TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_window_start TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_next_watermark TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_times NUMBER(18, 0) DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
  v_newest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_target_rows NUMBER(18, 0) DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- The columns of raw_data.interactions must be there, of the kind that is declared.
  SELECT
    q.missing_tables,
    q.drifted_columns,
    q.drifted_names
  INTO
    :v_missing_tables,
    :v_drifted_columns,
    :v_drifted_names
  FROM (
    SELECT
      CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('interaction_id', 'integer'),
      ('customer_id', 'integer'),
      ('channel', 'text'),
      ('subject', 'text'),
      ('occurred_at', 'timestamp')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        LOWER(c.column_name) AS c360_name,
        CASE
          WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0
          THEN 'integer'
          WHEN c.data_type IN ('NUMBER', 'FLOAT')
          THEN 'number'
          WHEN c.data_type = 'TIMESTAMP_NTZ'
          THEN 'timestamp'
          ELSE LOWER(c.data_type)
        END AS c360_family
      FROM C360.INFORMATION_SCHEMA.COLUMNS AS c
      WHERE
        c.table_schema = 'RAW_DATA' AND c.table_name = 'INTERACTIONS'
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
  ) AS q;

  -- No column at all: who reads the catalog sees nothing of a table that is not there.
  IF (v_missing_tables > 0) THEN
    v_message := 'ZC011 intermediate.int_interactions: '
      || 'raw_data.interactions is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 intermediate.int_interactions: '
      || v_drifted_columns
      || ' columns of raw_data.interactions are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_int_interactions (
    c360_action VARCHAR,
    interaction_id NUMBER(38, 0),
    customer_id NUMBER(38, 0),
    channel VARCHAR,
    subject VARCHAR,
    occurred_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_int_interactions
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_int_interactions AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;
  v_full_refresh := COALESCE(p_full_refresh, FALSE);
  v_incremental := v_last_as_of IS NOT NULL AND NOT v_full_refresh;
  SELECT q.cursor_value INTO :v_watermark
  FROM (
    SELECT MAX(w.cursor_value) AS cursor_value
    FROM C360.c360_control.watermark AS w
    WHERE w.node = :c_node
      AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM C360.c360_control.watermark AS l WHERE l.node = :c_node)
  ) AS q;
  IF (v_incremental) THEN
    v_window_start := DATEADD(SECOND, -0, v_watermark);
  END IF;

  -- Read the rows beyond the watermark.
  INSERT INTO C360.c360_control.stage_int_interactions (
    c360_action,
    interaction_id,
    customer_id,
    channel,
    subject,
    occurred_at
  )
  SELECT
    CASE WHEN b.occurred_at IS NULL THEN 'null_time' ELSE 'insert' END AS c360_action,
    b.interaction_id,
    b.customer_id,
    b.channel,
    b.subject,
    b.occurred_at
  FROM (
    SELECT
      m.interaction_id,
      m.customer_id,
      m.channel,
      m.subject,
      CAST(m.occurred_at AS TIMESTAMP_NTZ(6)) AS occurred_at
    FROM (
      SELECT
        stg_interactions.interaction_id AS interaction_id,
        stg_interactions.customer_id AS customer_id,
        stg_interactions.channel AS channel,
        stg_interactions.subject AS subject,
        stg_interactions.occurred_at AS occurred_at
      FROM C360.staging.stg_interactions AS stg_interactions
    ) AS m
    WHERE
      (
        (
          :v_window_start IS NULL OR CAST(m.occurred_at AS TIMESTAMP_NTZ(6)) > :v_window_start
        )
        AND CAST(m.occurred_at AS TIMESTAMP_NTZ(6)) <= :v_as_of
      )
      OR CAST(m.occurred_at AS TIMESTAMP_NTZ(6)) IS NULL
  ) AS b;

  -- Count what was decided.
  SELECT
    q.new_rows,
    q.null_times,
    q.source_rows,
    q.newest
  INTO
    :v_new_rows,
    :v_null_times,
    :v_source_rows,
    :v_newest
  FROM (
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows,
      MAX(s.occurred_at) AS newest
    FROM C360.c360_control.stage_int_interactions AS s
  ) AS q;

  -- No watermark would ever reach a NULL.
  IF (v_null_times > 0) THEN
    v_message := 'ZC003 intermediate.int_interactions: '
      || v_null_times
      || ' rows of the query of int_interactions have no usable occurred_at'
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- A full refresh replaces every row.
  IF (v_full_refresh) THEN
    SELECT q.target_rows INTO :v_target_rows
    FROM (
      SELECT
        COUNT(*) AS target_rows
      FROM C360.intermediate.int_interactions AS t
    ) AS q;
  END IF;

  -- Empty the table; readers see its rows until the commit.
  IF (v_full_refresh) THEN
    DELETE FROM C360.intermediate.int_interactions AS t
    WHERE
      TRUE;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_target_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_interactions' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Append the rows.
  IF (v_new_rows > 0) THEN
    INSERT INTO C360.intermediate.int_interactions (
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
    FROM C360.c360_control.stage_int_interactions AS s
    WHERE
      s.c360_action = 'insert';
    v_written := SQLROWCOUNT;
    IF (v_written <> v_new_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_interactions' || ': ' || (v_new_rows) || ' rows to append, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  v_next_watermark := CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
  IF (NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark)) THEN
    v_next_watermark := v_watermark;
  END IF;
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, :v_next_watermark, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, watermark_before, watermark_after,
    source_rows, inserted_rows, deleted_rows, unchanged_rows
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_watermark, :v_next_watermark,
    :v_source_rows,
    :v_new_rows,
    CASE WHEN :v_full_refresh THEN :v_target_rows ELSE 0 END,
    0
  ;
  UPDATE C360.c360_control.lock_int_interactions SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/run_int_payments.sql: run of intermediate.int_payments

CREATE OR REPLACE PROCEDURE C360.c360_control.run_int_payments(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL,
  p_full_refresh BOOLEAN DEFAULT FALSE
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings int_payments up to date with its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_int_payments();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_int_payments('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- CALL C360.c360_control.run_int_payments(p_full_refresh => TRUE);
--      replaces every row, in one transaction
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          the rows of every payment_id in the batch replace those in the table; other rows are kept
-- Errors:  ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'intermediate.int_payments';
  c_spec_hash VARCHAR DEFAULT '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_full_refresh BOOLEAN DEFAULT FALSE;
  v_incremental BOOLEAN DEFAULT FALSE;
  v_watermark TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_window_start TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_next_watermark TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_keys NUMBER(18, 0) DEFAULT NULL;
  v_null_times NUMBER(18, 0) DEFAULT NULL;
  v_newest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_target_rows NUMBER(18, 0) DEFAULT NULL;
  v_deleted_rows NUMBER(18, 0) DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- The columns of raw_data.payments must be there, of the kind that is declared.
  SELECT
    q.missing_tables,
    q.drifted_columns,
    q.drifted_names
  INTO
    :v_missing_tables,
    :v_drifted_columns,
    :v_drifted_names
  FROM (
    SELECT
      CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('payment_id', 'integer'),
      ('order_id', 'integer'),
      ('payment_method', 'text'),
      ('amount', 'number'),
      ('status', 'text'),
      ('updated_at', 'timestamp')) AS w(c360_name, c360_family)
    LEFT JOIN (
      SELECT
        LOWER(c.column_name) AS c360_name,
        CASE
          WHEN c.data_type = 'NUMBER' AND c.numeric_scale = 0
          THEN 'integer'
          WHEN c.data_type IN ('NUMBER', 'FLOAT')
          THEN 'number'
          WHEN c.data_type = 'TIMESTAMP_NTZ'
          THEN 'timestamp'
          ELSE LOWER(c.data_type)
        END AS c360_family
      FROM C360.INFORMATION_SCHEMA.COLUMNS AS c
      WHERE
        c.table_schema = 'RAW_DATA' AND c.table_name = 'PAYMENTS'
    ) AS a
      ON a.c360_name = w.c360_name
    WHERE
      a.c360_family IS NULL
      OR a.c360_family <> w.c360_family
      AND NOT (
        a.c360_family = 'integer' AND w.c360_family = 'number'
      )
  ) AS q;

  -- No column at all: who reads the catalog sees nothing of a table that is not there.
  IF (v_missing_tables > 0) THEN
    v_message := 'ZC011 intermediate.int_payments: '
      || 'raw_data.payments is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 intermediate.int_payments: '
      || v_drifted_columns
      || ' columns of raw_data.payments are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_int_payments (
    c360_action VARCHAR,
    payment_id NUMBER(38, 0),
    order_id NUMBER(38, 0),
    payment_method VARCHAR,
    amount NUMBER(12, 2),
    status VARCHAR,
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_int_payments
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_int_payments AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;
  v_full_refresh := COALESCE(p_full_refresh, FALSE);
  v_incremental := v_last_as_of IS NOT NULL AND NOT v_full_refresh;
  SELECT q.cursor_value INTO :v_watermark
  FROM (
    SELECT MAX(w.cursor_value) AS cursor_value
    FROM C360.c360_control.watermark AS w
    WHERE w.node = :c_node
      AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM C360.c360_control.watermark AS l WHERE l.node = :c_node)
  ) AS q;
  IF (v_incremental) THEN
    v_window_start := DATEADD(SECOND, -259200, v_watermark);
  END IF;

  -- Read the batch once.
  INSERT INTO C360.c360_control.stage_int_payments (
    c360_action,
    payment_id,
    order_id,
    payment_method,
    amount,
    status,
    updated_at
  )
  SELECT
    CASE WHEN b.payment_id IS NULL THEN 'null_key' WHEN b.updated_at IS NULL THEN 'null_time' ELSE 'batch' END AS c360_action,
    b.payment_id,
    b.order_id,
    b.payment_method,
    b.amount,
    b.status,
    b.updated_at
  FROM (
    SELECT
      m.payment_id,
      m.order_id,
      m.payment_method,
      CAST(m.amount AS NUMBER(12, 2)) AS amount,
      m.status,
      CAST(m.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at
    FROM (
      SELECT
        stg_payments.payment_id AS payment_id,
        stg_payments.order_id AS order_id,
        stg_payments.payment_method AS payment_method,
        stg_payments.amount AS amount,
        stg_payments.status AS status,
        stg_payments.updated_at AS updated_at
      FROM C360.staging.stg_payments AS stg_payments
    ) AS m
    WHERE
      :v_window_start IS NULL OR m.updated_at >= :v_window_start OR m.updated_at IS NULL
  ) AS b;

  -- Count what was decided.
  SELECT
    q.source_rows,
    q.null_keys,
    q.null_times,
    q.newest
  INTO
    :v_source_rows,
    :v_null_keys,
    :v_null_times,
    :v_newest
  FROM (
    SELECT
      COUNT(CASE WHEN s.c360_action IN ('batch', 'null_key', 'null_time') THEN 1 END) AS source_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      MAX(s.updated_at) AS newest
    FROM C360.c360_control.stage_int_payments AS s
  ) AS q;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 intermediate.int_payments: '
      || v_null_keys
      || ' rows of the query of int_payments have no payment_id'
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- No watermark would ever reach a NULL.
  IF (v_null_times > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          COALESCE(CAST(s.payment_id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_int_payments AS s
        WHERE
          s.c360_action = 'null_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC003 intermediate.int_payments: '
      || v_null_times
      || ' rows of the query of int_payments have no usable updated_at'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source.';
    RAISE guard_failed;
  END IF;

  -- A full refresh replaces every row.
  IF (v_full_refresh) THEN
    SELECT q.target_rows INTO :v_target_rows
    FROM (
      SELECT
        COUNT(*) AS target_rows
      FROM C360.intermediate.int_payments AS t
    ) AS q;
  END IF;

  -- Empty the table; readers see its rows until the commit.
  IF (v_full_refresh) THEN
    DELETE FROM C360.intermediate.int_payments AS t
    WHERE
      TRUE;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_target_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_payments' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Find the keys whose rows differ, as multisets: what is equal is not written again.
  INSERT INTO C360.c360_control.stage_int_payments (
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
      FROM C360.c360_control.stage_int_payments AS s
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
      FROM C360.intermediate.int_payments AS t
      INNER JOIN (
        SELECT DISTINCT
          k.payment_id
        FROM C360.c360_control.stage_int_payments AS k
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
    q.deleted_rows,
    q.new_rows
  INTO
    :v_deleted_rows,
    :v_new_rows
  FROM (
    SELECT
      (
        SELECT
          COUNT(*)
        FROM C360.intermediate.int_payments AS t
        INNER JOIN C360.c360_control.stage_int_payments AS r
          ON r.payment_id = t.payment_id AND r.c360_action = 'replace'
      ) AS deleted_rows,
      (
        SELECT
          COUNT(*)
        FROM C360.c360_control.stage_int_payments AS s
        INNER JOIN C360.c360_control.stage_int_payments AS r
          ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
        WHERE
          s.c360_action = 'batch'
      ) AS new_rows
  ) AS q;

  -- Remove the rows of the keys that differ.
  IF (v_deleted_rows > 0) THEN
    DELETE FROM C360.intermediate.int_payments AS t
    WHERE
      EXISTS(
        SELECT
          1
        FROM C360.c360_control.stage_int_payments AS r
        WHERE
          r.c360_action = 'replace' AND r.payment_id = t.payment_id
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_deleted_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_payments' || ': ' || (v_deleted_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the rows that replace them.
  IF (v_new_rows > 0) THEN
    INSERT INTO C360.intermediate.int_payments (
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
    FROM C360.c360_control.stage_int_payments AS s
    INNER JOIN C360.c360_control.stage_int_payments AS r
      ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
    WHERE
      s.c360_action = 'batch';
    v_written := SQLROWCOUNT;
    IF (v_written <> v_new_rows) THEN
      v_message := 'ZC006 ' || 'intermediate.int_payments' || ': ' || (v_new_rows) || ' rows to insert, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  v_next_watermark := CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
  IF (NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark)) THEN
    v_next_watermark := v_watermark;
  END IF;
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, :v_next_watermark, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, watermark_before, watermark_after,
    source_rows, inserted_rows, deleted_rows, unchanged_rows
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_watermark, :v_next_watermark,
    :v_source_rows,
    :v_new_rows,
    CASE WHEN :v_full_refresh THEN :v_target_rows ELSE :v_deleted_rows END,
    :v_source_rows - :v_new_rows
  ;
  UPDATE C360.c360_control.lock_int_payments SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/run_mart_customer_360.sql: run of marts.mart_customer_360

CREATE OR REPLACE PROCEDURE C360.c360_control.run_mart_customer_360(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Replaces the contents of mart_customer_360 by its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_mart_customer_360();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_mart_customer_360('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: mart_customer_360_pk
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC021 a constraint does not hold
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'marts.mart_customer_360';
  c_spec_hash VARCHAR DEFAULT 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_latest TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_last_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_target_rows NUMBER(18, 0) DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_violating_rows NUMBER(18, 0) DEFAULT NULL;
  v_sample VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  -- 1. Announce the run in a transaction of its own, so that a run that is killed leaves a trace.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'run', FALSE, 'running', SYSDATE(), :p_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_mart_customer_360
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_mart_customer_360 AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
  v_as_of := COALESCE(p_as_of, SYSDATE());
  v_latest := DATEADD(SECOND, 300, v_as_of);
  SELECT q.last_as_of INTO :v_last_as_of
  FROM (SELECT MAX(w.as_of) AS last_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node) AS q;
  IF (v_as_of < v_last_as_of OR v_as_of > DATEADD(SECOND, 300, SYSDATE())) THEN
    v_message := 'ZC005 ' || c_node || ': the run time ' || v_as_of || ' is before that of the last run, '
      || COALESCE(TO_VARCHAR(v_last_as_of), 'none') || ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.';
    RAISE guard_failed;
  END IF;

  -- Count the rows that go.
  SELECT
    q.target_rows
  INTO
    :v_target_rows
  FROM (
    SELECT
      COUNT(*) AS target_rows
    FROM C360.marts.mart_customer_360 AS t
  ) AS q;

  -- Empty the table; readers see its rows until the commit.
  DELETE FROM C360.marts.mart_customer_360 AS t
  WHERE
    TRUE;
  v_written := SQLROWCOUNT;
  IF (v_written <> v_target_rows) THEN
    v_message := 'ZC006 ' || 'marts.mart_customer_360' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
    RAISE guard_failed;
  END IF;

  -- Fill it again.
  INSERT INTO C360.marts.mart_customer_360 (
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
        CAST(:v_as_of AS DATE) AS today
    ), orders AS (
      SELECT
        o.customer_id AS customer_id,
        COUNT(*) AS order_count,
        SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
        ROUND(CAST(SUM(o.total_amount) AS NUMBER(38, 9)) / NULLIF(COUNT(o.total_amount), 0), 9) AS average_order_value,
        MIN(o.order_date) AS first_order_date,
        MAX(o.order_date) AS last_order_date
      FROM C360.intermediate.int_customer_orders AS o
      GROUP BY
        o.customer_id
    ), payments AS (
      SELECT
        o.customer_id AS customer_id,
        COUNT(*) AS payment_count,
        SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
        SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
      FROM C360.intermediate.int_payments AS p
      JOIN C360.intermediate.int_customer_orders AS o
        ON o.order_id = p.order_id
      GROUP BY
        o.customer_id
    ), methods AS (
      SELECT
        o.customer_id AS customer_id,
        p.payment_method AS payment_method,
        COUNT(*) AS used
      FROM C360.intermediate.int_payments AS p
      JOIN C360.intermediate.int_customer_orders AS o
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
      FROM C360.intermediate.int_interactions AS int_interactions
    ), versions AS (
      SELECT
        customer_snapshot.customer_id AS customer_id,
        COUNT(*) AS version_count
      FROM C360.snapshots.customer_snapshot AS customer_snapshot
      GROUP BY
        customer_snapshot.customer_id
    )
    SELECT
      c.customer_id AS customer_id,
      CAST(TRIM(c.first_name) || ' ' || TRIM(c.last_name) AS VARCHAR) AS full_name,
      c.email AS email,
      CAST(COALESCE(o.order_count, 0) AS NUMBER(38, 0)) AS order_count,
      CAST(COALESCE(o.lifetime_value, 0) AS NUMBER(38, 2)) AS lifetime_value,
      CAST(o.average_order_value AS NUMBER(38, 2)) AS average_order_value,
      CAST(DATEDIFF(DAY, o.last_order_date, clock.today) AS NUMBER(38, 0)) AS days_since_last_order,
      CAST(CAST((
        (
          DATEDIFF(DAY, o.first_order_date, clock.today)
        ) - (
          DATEDIFF(DAY, o.first_order_date, clock.today)
        ) % 30
      ) / 30 AS NUMBER(38, 0)) AS NUMBER(38, 0)) AS months_as_customer,
      CAST(COALESCE(p.payment_count, 0) AS NUMBER(38, 0)) AS payment_count,
      CAST(ROUND(CAST(CAST(p.refund_count AS NUMBER(12, 4)) AS NUMBER(38, 9)) / NULLIF(p.payment_count, 0), 9) AS NUMBER(9, 4)) AS refund_rate,
      CAST(COALESCE(p.paid_amount, 0) AS NUMBER(38, 2)) AS paid_amount,
      f.payment_method AS favourite_payment_method,
      CAST(COALESCE(k.interaction_count, 0) AS NUMBER(38, 0)) AS interaction_count,
      k.channel AS last_channel,
      CAST(v.version_count AS NUMBER(38, 0)) AS version_count,
      CAST(CASE
        WHEN o.order_count IS NULL
        THEN 'prospect'
        WHEN o.lifetime_value >= 500
        THEN 'gold'
        WHEN DATEDIFF(DAY, o.last_order_date, clock.today) <= 90
        THEN 'active'
        ELSE 'dormant'
      END AS VARCHAR) AS segment
    FROM C360.snapshots.customer_snapshot AS c
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
    q.new_rows
  INTO
    :v_new_rows
  FROM (
    SELECT
      COUNT(*) AS new_rows
    FROM C360.marts.mart_customer_360 AS t
  ) AS q;

  -- Constraint mart_customer_360_pk: customer_id is unique and never NULL.
  SELECT
    q.violating_rows
  INTO
    :v_violating_rows
  FROM (
    SELECT
      COUNT(*) AS violating_rows
    FROM (
      SELECT
        COALESCE(CAST(t.customer_id AS VARCHAR), 'NULL') AS c360_key_1
      FROM C360.marts.mart_customer_360 AS t
      GROUP BY
        t.customer_id
      HAVING
        COUNT(*) > 1 OR t.customer_id IS NULL
    ) AS b
  ) AS q;

  -- The engine itself does not look at it.
  IF (v_violating_rows > 0) THEN
    SELECT q.c360_sample INTO :v_sample
    FROM (
      SELECT
        LISTAGG(k.c360_key, '; ') WITHIN GROUP (ORDER BY
          k.c360_key) AS c360_sample
      FROM (
        SELECT DISTINCT
          CAST(b.c360_key_1 AS VARCHAR) AS c360_key
        FROM (
          SELECT
            COALESCE(CAST(t.customer_id AS VARCHAR), 'NULL') AS c360_key_1
          FROM C360.marts.mart_customer_360 AS t
          GROUP BY
            t.customer_id
          HAVING
            COUNT(*) > 1 OR t.customer_id IS NULL
        ) AS b
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC021 marts.mart_customer_360: '
      || v_violating_rows
      || ' values of customer_id break the constraint mart_customer_360_pk: customer_id is unique and never NULL'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source, or take the constraint away.';
    RAISE guard_failed;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, NULL, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by,
    inserted_rows, deleted_rows
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_new_rows,
    :v_target_rows
  ;
  UPDATE C360.c360_control.lock_mart_customer_360 SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'run', FALSE, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    -- A declared exception takes a literal message only, so the counts are raised from a block that is built here.
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/check_customer_snapshot.sql: check of snapshots.customer_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.check_customer_snapshot()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Fails when the history customer_snapshot is not sound'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.check_customer_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.customer_snapshot';
  c_spec_hash VARCHAR DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_damaged_rows NUMBER(18, 0) DEFAULT NULL;
  v_damage VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_as_of := SYSDATE();

  -- 1. Announce it, then lock, as every run does.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_customer_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_customer_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- Count the versions that break a rule, under the first one that each breaks.
  SELECT
    q.damaged_rows,
    q.damage
  INTO
    :v_damaged_rows,
    :v_damage
  FROM (
    SELECT
      COALESCE(SUM(l.found), 0) AS damaged_rows,
      LISTAGG(l.line, ', ') WITHIN GROUP (ORDER BY
        l.line) AS damage
    FROM (
      SELECT
        d.found AS found,
        d.problem || ': ' || CAST(d.found AS VARCHAR) || ' (' || d.example || ')' AS line
      FROM (
        SELECT
          p.c360_problem AS problem,
          COUNT(*) AS found,
          LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
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
              COALESCE(CAST(v.customer_id AS VARCHAR), 'NULL') AS c360_key
            FROM (
              SELECT
                h.customer_id,
                h.valid_from,
                h.valid_to,
                LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
                COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
              FROM C360.snapshots.customer_snapshot AS h
            ) AS v
          ) AS j
          WHERE
            j.c360_problem IS NOT NULL
        ) AS p
        GROUP BY
          p.c360_problem
      ) AS d
    ) AS l
  ) AS q;

  -- A sound history has none.
  IF (v_damaged_rows > 0) THEN
    v_message := 'ZC016 snapshots.customer_snapshot: '
      || v_damaged_rows
      || ' versions are damaged: '
      || v_damage
      || '. See the view customer_snapshot_health. Rewind to a run before the damage, or mend it by hand.';
    RAISE guard_failed;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by
  )
  SELECT
    :v_run_id, :c_node, 'check', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER()
  ;
  UPDATE C360.c360_control.lock_customer_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': check succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/rewind_customer_snapshot.sql: rewind of snapshots.customer_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.rewind_customer_snapshot(p_to TIMESTAMP_NTZ(6), p_dry_run BOOLEAN DEFAULT TRUE)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Takes the history customer_snapshot back to what it was after the last run at or before an instant'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.rewind_customer_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      a dry run: it counts what it would do, and logs that
-- CALL C360.c360_control.rewind_customer_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ, FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.customer_snapshot';
  c_spec_hash VARCHAR DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_rewind_to TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_unknown_rows NUMBER(18, 0) DEFAULT NULL;
  v_removed_rows NUMBER(18, 0) DEFAULT NULL;
  v_reopened_rows NUMBER(18, 0) DEFAULT NULL;
  v_kept_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_dry_run := COALESCE(p_dry_run, TRUE);
  v_rewind_to := p_to;
  v_as_of := v_rewind_to;

  -- 1. Announce it, then lock, as every run does.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'rewind', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_customer_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_customer_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- The run whose result stays.
  SELECT q.kept_as_of INTO :v_kept_as_of
  FROM (SELECT MAX(w.as_of) AS kept_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node AND w.as_of <= :v_rewind_to) AS q;

  -- Nobody means all of it by NULL.
  IF (v_rewind_to IS NULL) THEN
    v_message := 'ZC018 snapshots.customer_snapshot: '
      || 'the instant is NULL'
      || '. Nothing was written. Say to which instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- Runs that are not in the log cannot be told from each other.
  IF (v_kept_as_of IS NULL) THEN
    v_message := 'ZC018 snapshots.customer_snapshot: '
      || 'the log has no run at or before '
      || v_rewind_to
      || '. Nothing was written. Choose a later instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- What a run did that is not in the log any more cannot be taken back.
  SELECT
    q.unknown_rows
  INTO
    :v_unknown_rows
  FROM (
    SELECT
      COUNT(*) AS unknown_rows
    FROM C360.snapshots.customer_snapshot AS h
    WHERE
      (
        h.valid_from > :v_rewind_to
        AND h.opened_run_id IS NOT NULL
        AND NOT h.opened_run_id IN (
          SELECT
            r.run_id
          FROM C360.c360_control.run_log AS r
        )
      )
      OR (
        h.valid_to > :v_rewind_to
        AND h.closed_run_id IS NOT NULL
        AND NOT h.closed_run_id IN (
          SELECT
            r.run_id
          FROM C360.c360_control.run_log AS r
        )
      )
  ) AS q;

  -- A part of it would stay.
  IF (v_unknown_rows > 0) THEN
    v_message := 'ZC018 snapshots.customer_snapshot: '
      || v_unknown_rows
      || ' versions began or ended after '
      || v_rewind_to
      || ' by runs that the log has not'
      || '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
    RAISE guard_failed;
  END IF;

  -- Count what the runs after that instant have done.
  SELECT
    q.removed_rows,
    q.reopened_rows
  INTO
    :v_removed_rows,
    :v_reopened_rows
  FROM (
    SELECT
      COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
      COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
    FROM C360.snapshots.customer_snapshot AS h
    LEFT JOIN (
      SELECT
        r.run_id
      FROM C360.c360_control.run_log AS r
      WHERE
        r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
    ) AS o
      ON o.run_id = h.opened_run_id
    LEFT JOIN (
      SELECT
        r.run_id
      FROM C360.c360_control.run_log AS r
      WHERE
        r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
    ) AS c
      ON c.run_id = h.closed_run_id
  ) AS q;

  -- Remove the versions that later runs opened.
  IF (v_removed_rows > 0 AND NOT v_dry_run) THEN
    DELETE FROM C360.snapshots.customer_snapshot AS t
    WHERE
      t.opened_run_id IN (
        SELECT
          r.run_id
        FROM C360.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_removed_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.customer_snapshot' || ': ' || (v_removed_rows) || ' versions to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Open those again that later runs closed.
  IF (v_reopened_rows > 0 AND NOT v_dry_run) THEN
    UPDATE C360.snapshots.customer_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
    WHERE
      t.closed_run_id IN (
        SELECT
          r.run_id
        FROM C360.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_reopened_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.customer_snapshot' || ': ' || (v_reopened_rows) || ' versions to open again, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- What is undone does not count as committed any more; the next run reads on from the run that stays.
  IF (NOT v_dry_run) THEN
    DELETE FROM C360.c360_control.watermark WHERE node = :c_node AND as_of > :v_rewind_to;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, updated_rows, deleted_rows
  )
  SELECT
    :v_run_id, :c_node, 'rewind', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_reopened_rows,
    :v_removed_rows
  ;
  UPDATE C360.c360_control.lock_customer_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': rewind succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'rewind', :v_dry_run, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/check_order_snapshot.sql: check of snapshots.order_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.check_order_snapshot()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Fails when the history order_snapshot is not sound'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.check_order_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.order_snapshot';
  c_spec_hash VARCHAR DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_damaged_rows NUMBER(18, 0) DEFAULT NULL;
  v_damage VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_as_of := SYSDATE();

  -- 1. Announce it, then lock, as every run does.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_order_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_order_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- Count the versions that break a rule, under the first one that each breaks.
  SELECT
    q.damaged_rows,
    q.damage
  INTO
    :v_damaged_rows,
    :v_damage
  FROM (
    SELECT
      COALESCE(SUM(l.found), 0) AS damaged_rows,
      LISTAGG(l.line, ', ') WITHIN GROUP (ORDER BY
        l.line) AS damage
    FROM (
      SELECT
        d.found AS found,
        d.problem || ': ' || CAST(d.found AS VARCHAR) || ' (' || d.example || ')' AS line
      FROM (
        SELECT
          p.c360_problem AS problem,
          COUNT(*) AS found,
          LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
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
              COALESCE(CAST(v.order_id AS VARCHAR), 'NULL') AS c360_key
            FROM (
              SELECT
                h.order_id,
                h.valid_from,
                h.valid_to,
                LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from) AS c360_next,
                COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
              FROM C360.snapshots.order_snapshot AS h
            ) AS v
          ) AS j
          WHERE
            j.c360_problem IS NOT NULL
        ) AS p
        GROUP BY
          p.c360_problem
      ) AS d
    ) AS l
  ) AS q;

  -- A sound history has none.
  IF (v_damaged_rows > 0) THEN
    v_message := 'ZC016 snapshots.order_snapshot: '
      || v_damaged_rows
      || ' versions are damaged: '
      || v_damage
      || '. See the view order_snapshot_health. Rewind to a run before the damage, or mend it by hand.';
    RAISE guard_failed;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by
  )
  SELECT
    :v_run_id, :c_node, 'check', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER()
  ;
  UPDATE C360.c360_control.lock_order_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': check succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/rewind_order_snapshot.sql: rewind of snapshots.order_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.rewind_order_snapshot(p_to TIMESTAMP_NTZ(6), p_dry_run BOOLEAN DEFAULT TRUE)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Takes the history order_snapshot back to what it was after the last run at or before an instant'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.rewind_order_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      a dry run: it counts what it would do, and logs that
-- CALL C360.c360_control.rewind_order_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ, FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.order_snapshot';
  c_spec_hash VARCHAR DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_rewind_to TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_unknown_rows NUMBER(18, 0) DEFAULT NULL;
  v_removed_rows NUMBER(18, 0) DEFAULT NULL;
  v_reopened_rows NUMBER(18, 0) DEFAULT NULL;
  v_kept_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_dry_run := COALESCE(p_dry_run, TRUE);
  v_rewind_to := p_to;
  v_as_of := v_rewind_to;

  -- 1. Announce it, then lock, as every run does.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'rewind', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_order_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_order_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- The run whose result stays.
  SELECT q.kept_as_of INTO :v_kept_as_of
  FROM (SELECT MAX(w.as_of) AS kept_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node AND w.as_of <= :v_rewind_to) AS q;

  -- Nobody means all of it by NULL.
  IF (v_rewind_to IS NULL) THEN
    v_message := 'ZC018 snapshots.order_snapshot: '
      || 'the instant is NULL'
      || '. Nothing was written. Say to which instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- Runs that are not in the log cannot be told from each other.
  IF (v_kept_as_of IS NULL) THEN
    v_message := 'ZC018 snapshots.order_snapshot: '
      || 'the log has no run at or before '
      || v_rewind_to
      || '. Nothing was written. Choose a later instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- What a run did that is not in the log any more cannot be taken back.
  SELECT
    q.unknown_rows
  INTO
    :v_unknown_rows
  FROM (
    SELECT
      COUNT(*) AS unknown_rows
    FROM C360.snapshots.order_snapshot AS h
    WHERE
      (
        h.valid_from > :v_rewind_to
        AND h.opened_run_id IS NOT NULL
        AND NOT h.opened_run_id IN (
          SELECT
            r.run_id
          FROM C360.c360_control.run_log AS r
        )
      )
      OR (
        h.valid_to > :v_rewind_to
        AND h.closed_run_id IS NOT NULL
        AND NOT h.closed_run_id IN (
          SELECT
            r.run_id
          FROM C360.c360_control.run_log AS r
        )
      )
  ) AS q;

  -- A part of it would stay.
  IF (v_unknown_rows > 0) THEN
    v_message := 'ZC018 snapshots.order_snapshot: '
      || v_unknown_rows
      || ' versions began or ended after '
      || v_rewind_to
      || ' by runs that the log has not'
      || '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
    RAISE guard_failed;
  END IF;

  -- Count what the runs after that instant have done.
  SELECT
    q.removed_rows,
    q.reopened_rows
  INTO
    :v_removed_rows,
    :v_reopened_rows
  FROM (
    SELECT
      COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
      COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
    FROM C360.snapshots.order_snapshot AS h
    LEFT JOIN (
      SELECT
        r.run_id
      FROM C360.c360_control.run_log AS r
      WHERE
        r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
    ) AS o
      ON o.run_id = h.opened_run_id
    LEFT JOIN (
      SELECT
        r.run_id
      FROM C360.c360_control.run_log AS r
      WHERE
        r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
    ) AS c
      ON c.run_id = h.closed_run_id
  ) AS q;

  -- Remove the versions that later runs opened.
  IF (v_removed_rows > 0 AND NOT v_dry_run) THEN
    DELETE FROM C360.snapshots.order_snapshot AS t
    WHERE
      t.opened_run_id IN (
        SELECT
          r.run_id
        FROM C360.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_removed_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.order_snapshot' || ': ' || (v_removed_rows) || ' versions to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Open those again that later runs closed.
  IF (v_reopened_rows > 0 AND NOT v_dry_run) THEN
    UPDATE C360.snapshots.order_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
    WHERE
      t.closed_run_id IN (
        SELECT
          r.run_id
        FROM C360.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_reopened_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.order_snapshot' || ': ' || (v_reopened_rows) || ' versions to open again, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- What is undone does not count as committed any more; the next run reads on from the run that stays.
  IF (NOT v_dry_run) THEN
    DELETE FROM C360.c360_control.watermark WHERE node = :c_node AND as_of > :v_rewind_to;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, updated_rows, deleted_rows
  )
  SELECT
    :v_run_id, :c_node, 'rewind', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_reopened_rows,
    :v_removed_rows
  ;
  UPDATE C360.c360_control.lock_order_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': rewind succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'rewind', :v_dry_run, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/check_payment_snapshot.sql: check of snapshots.payment_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.check_payment_snapshot()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Fails when the history payment_snapshot is not sound'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.check_payment_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.payment_snapshot';
  c_spec_hash VARCHAR DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_damaged_rows NUMBER(18, 0) DEFAULT NULL;
  v_damage VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_as_of := SYSDATE();

  -- 1. Announce it, then lock, as every run does.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_payment_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_payment_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- Count the versions that break a rule, under the first one that each breaks.
  SELECT
    q.damaged_rows,
    q.damage
  INTO
    :v_damaged_rows,
    :v_damage
  FROM (
    SELECT
      COALESCE(SUM(l.found), 0) AS damaged_rows,
      LISTAGG(l.line, ', ') WITHIN GROUP (ORDER BY
        l.line) AS damage
    FROM (
      SELECT
        d.found AS found,
        d.problem || ': ' || CAST(d.found AS VARCHAR) || ' (' || d.example || ')' AS line
      FROM (
        SELECT
          p.c360_problem AS problem,
          COUNT(*) AS found,
          LISTAGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; ') WITHIN GROUP (ORDER BY
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
              COALESCE(CAST(v.payment_id AS VARCHAR), 'NULL') AS c360_key
            FROM (
              SELECT
                h.payment_id,
                h.valid_from,
                h.valid_to,
                LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from) AS c360_next,
                COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
              FROM C360.snapshots.payment_snapshot AS h
            ) AS v
          ) AS j
          WHERE
            j.c360_problem IS NOT NULL
        ) AS p
        GROUP BY
          p.c360_problem
      ) AS d
    ) AS l
  ) AS q;

  -- A sound history has none.
  IF (v_damaged_rows > 0) THEN
    v_message := 'ZC016 snapshots.payment_snapshot: '
      || v_damaged_rows
      || ' versions are damaged: '
      || v_damage
      || '. See the view payment_snapshot_health. Rewind to a run before the damage, or mend it by hand.';
    RAISE guard_failed;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by
  )
  SELECT
    :v_run_id, :c_node, 'check', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER()
  ;
  UPDATE C360.c360_control.lock_payment_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': check succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== procedures/rewind_payment_snapshot.sql: rewind of snapshots.payment_snapshot

CREATE OR REPLACE PROCEDURE C360.c360_control.rewind_payment_snapshot(p_to TIMESTAMP_NTZ(6), p_dry_run BOOLEAN DEFAULT TRUE)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Takes the history payment_snapshot back to what it was after the last run at or before an instant'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.rewind_payment_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      a dry run: it counts what it would do, and logs that
-- CALL C360.c360_control.rewind_payment_snapshot('2026-01-31 02:00:00'::TIMESTAMP_NTZ, FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snapshots.payment_snapshot';
  c_spec_hash VARCHAR DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_unseen NUMBER(18, 0) DEFAULT 0;
  v_waited NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_rewind_to TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_unknown_rows NUMBER(18, 0) DEFAULT NULL;
  v_removed_rows NUMBER(18, 0) DEFAULT NULL;
  v_reopened_rows NUMBER(18, 0) DEFAULT NULL;
  v_kept_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_dry_run := COALESCE(p_dry_run, TRUE);
  v_rewind_to := p_to;
  v_as_of := v_rewind_to;

  -- 1. Announce it, then lock, as every run does.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'rewind', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_payment_snapshot
  SET locked_at = SYSDATE()
  WHERE node = :c_node;
  v_written := SQLROWCOUNT;
  IF (v_written <> 1) THEN
    v_message := 'ZC008 ' || c_node || ': its lock table must hold one row, not ' || v_written || '. Run deploy.sql first.';
    RAISE guard_failed;
  END IF;

  -- The row that is locked is the latest there is. Of other tables, a session may see a little later what another has committed
  -- (READ_CONSISTENCY_MODE of the account): the run that the row names must be in the log before anything else is read.
  v_waited := 0;
  LOOP
    SELECT q.unseen INTO :v_unseen
    FROM (
      SELECT COUNT(*) AS unseen
      FROM C360.c360_control.lock_payment_snapshot AS l
      WHERE l.run_id IS NOT NULL
        AND NOT EXISTS (
          SELECT 1 FROM C360.c360_control.run_log AS r WHERE r.run_id = l.run_id AND r.node = :c_node AND r.status = 'succeeded'
        )
    ) AS q;
    IF (v_unseen = 0 OR v_waited = 10) THEN
      BREAK;
    END IF;
    CALL SYSTEM$WAIT(1);
    v_waited := v_waited + 1;
  END LOOP;
  IF (v_unseen > 0) THEN
    v_message := 'ZC024 ' || c_node || ': what its last run has committed is not seen in the log after ' || v_waited || ' seconds. '
      || 'Nothing was written. Run again; if that does not help, the log was cleaned by hand, and run_id of its lock table must be NULL.';
    RAISE guard_failed;
  END IF;

  -- The run whose result stays.
  SELECT q.kept_as_of INTO :v_kept_as_of
  FROM (SELECT MAX(w.as_of) AS kept_as_of FROM C360.c360_control.watermark AS w WHERE w.node = :c_node AND w.as_of <= :v_rewind_to) AS q;

  -- Nobody means all of it by NULL.
  IF (v_rewind_to IS NULL) THEN
    v_message := 'ZC018 snapshots.payment_snapshot: '
      || 'the instant is NULL'
      || '. Nothing was written. Say to which instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- Runs that are not in the log cannot be told from each other.
  IF (v_kept_as_of IS NULL) THEN
    v_message := 'ZC018 snapshots.payment_snapshot: '
      || 'the log has no run at or before '
      || v_rewind_to
      || '. Nothing was written. Choose a later instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- What a run did that is not in the log any more cannot be taken back.
  SELECT
    q.unknown_rows
  INTO
    :v_unknown_rows
  FROM (
    SELECT
      COUNT(*) AS unknown_rows
    FROM C360.snapshots.payment_snapshot AS h
    WHERE
      (
        h.valid_from > :v_rewind_to
        AND h.opened_run_id IS NOT NULL
        AND NOT h.opened_run_id IN (
          SELECT
            r.run_id
          FROM C360.c360_control.run_log AS r
        )
      )
      OR (
        h.valid_to > :v_rewind_to
        AND h.closed_run_id IS NOT NULL
        AND NOT h.closed_run_id IN (
          SELECT
            r.run_id
          FROM C360.c360_control.run_log AS r
        )
      )
  ) AS q;

  -- A part of it would stay.
  IF (v_unknown_rows > 0) THEN
    v_message := 'ZC018 snapshots.payment_snapshot: '
      || v_unknown_rows
      || ' versions began or ended after '
      || v_rewind_to
      || ' by runs that the log has not'
      || '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.';
    RAISE guard_failed;
  END IF;

  -- Count what the runs after that instant have done.
  SELECT
    q.removed_rows,
    q.reopened_rows
  INTO
    :v_removed_rows,
    :v_reopened_rows
  FROM (
    SELECT
      COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
      COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
    FROM C360.snapshots.payment_snapshot AS h
    LEFT JOIN (
      SELECT
        r.run_id
      FROM C360.c360_control.run_log AS r
      WHERE
        r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
    ) AS o
      ON o.run_id = h.opened_run_id
    LEFT JOIN (
      SELECT
        r.run_id
      FROM C360.c360_control.run_log AS r
      WHERE
        r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
    ) AS c
      ON c.run_id = h.closed_run_id
  ) AS q;

  -- Remove the versions that later runs opened.
  IF (v_removed_rows > 0 AND NOT v_dry_run) THEN
    DELETE FROM C360.snapshots.payment_snapshot AS t
    WHERE
      t.opened_run_id IN (
        SELECT
          r.run_id
        FROM C360.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_removed_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.payment_snapshot' || ': ' || (v_removed_rows) || ' versions to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Open those again that later runs closed.
  IF (v_reopened_rows > 0 AND NOT v_dry_run) THEN
    UPDATE C360.snapshots.payment_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
    WHERE
      t.closed_run_id IN (
        SELECT
          r.run_id
        FROM C360.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > :v_rewind_to
      );
    v_written := SQLROWCOUNT;
    IF (v_written <> v_reopened_rows) THEN
      v_message := 'ZC006 ' || 'snapshots.payment_snapshot' || ': ' || (v_reopened_rows) || ' versions to open again, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- What is undone does not count as committed any more; the next run reads on from the run that stays.
  IF (NOT v_dry_run) THEN
    DELETE FROM C360.c360_control.watermark WHERE node = :c_node AND as_of > :v_rewind_to;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, updated_rows, deleted_rows
  )
  SELECT
    :v_run_id, :c_node, 'rewind', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_reopened_rows,
    :v_removed_rows
  ;
  UPDATE C360.c360_control.lock_payment_snapshot SET run_id = :v_run_id WHERE node = :c_node;
  COMMIT;
  v_in_transaction := FALSE;
  RETURN c_node || ': rewind succeeded, run ' || v_run_id;
EXCEPTION
  WHEN OTHER THEN
    v_message := COALESCE(v_message, SQLERRM);
    IF (v_in_transaction) THEN
      ROLLBACK;
    END IF;
    BEGIN TRANSACTION;
    INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, message)
    SELECT :v_run_id, :c_node, 'rewind', :v_dry_run, 'failed', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(), :v_message;
    COMMIT;
    LET v_raise VARCHAR := 'DECLARE run_failed EXCEPTION (-20002, ''' || TRANSLATE(v_message, '"''\\', '   ') || '''); BEGIN RAISE run_failed; END;';
    EXECUTE IMMEDIATE :v_raise;
END;
$$;


-- ==================== jobs/run_job_snapshots_daily.sql: job snapshots_daily

-- By hand, or from a scheduler that is not Snowflake's; the task graph calls the nodes themselves. Each node commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE C360.c360_control.run_job_snapshots_daily()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Runs every node of the schedule snapshots_daily in order'
EXECUTE AS OWNER
AS
$$
BEGIN
  CALL C360.c360_control.run_customer_snapshot();
  CALL C360.c360_control.run_order_snapshot();
  CALL C360.c360_control.run_payment_snapshot();
  RETURN 'snapshots_daily: 3 nodes succeeded';
END;
$$;


-- ==================== jobs/run_job_incrementals.sql: job incrementals

-- By hand, or from a scheduler that is not Snowflake's; the task graph calls the nodes themselves. Each node commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE C360.c360_control.run_job_incrementals()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Runs every node of the schedule incrementals in order'
EXECUTE AS OWNER
AS
$$
BEGIN
  CALL C360.c360_control.run_int_customer_orders();
  CALL C360.c360_control.run_int_interactions();
  CALL C360.c360_control.run_int_payments();
  CALL C360.c360_control.run_mart_customer_360();
  RETURN 'incrementals: 4 nodes succeeded';
END;
$$;


-- ==================== jobs/prune_run_log.sql: retention of the run log

CREATE OR REPLACE PROCEDURE C360.c360_control.prune_run_log(p_keep_days NUMBER(38, 0) DEFAULT 400)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Removes old rows of the run log'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.prune_run_log();
-- Rows of the run log that are older than 400 days go; the last success of every node and action stays, and so do
-- the last success and the last failure of every window.
-- A history can be rewound to runs that are in the log.
BEGIN
  BEGIN TRANSACTION;
  DELETE FROM C360.c360_control.run_log
  WHERE logged_at < DATEADD(DAY, -:p_keep_days, SYSDATE())
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (
        SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM C360.c360_control.watermark AS w
        UNION ALL
        SELECT s.run_id, ROW_NUMBER() OVER (PARTITION BY s.node, s.action ORDER BY s.logged_at DESC) AS position
        FROM C360.c360_control.run_log AS s
        WHERE s.status = 'succeeded'
      ) AS k
      WHERE k.position = 1
    );
  DELETE FROM C360.c360_control.watermark
  WHERE run_id NOT IN (SELECT l.run_id FROM C360.c360_control.run_log AS l)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM C360.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM C360.c360_control.window_log
  WHERE recorded_at < DATEADD(DAY, -:p_keep_days, SYSDATE())
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (
        SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node, w.window_start, w.status ORDER BY w.recorded_at DESC) AS position
        FROM C360.c360_control.window_log AS w
      ) AS k
      WHERE k.position = 1
    );
  COMMIT;
  RETURN 'old rows are gone';
EXCEPTION
  WHEN OTHER THEN
    ROLLBACK;
    RAISE;
END;
$$;


-- ==================== grants.sql: who may do what

-- C360_JOB may call procedures, which run with their owner's rights, and read the log.
GRANT USAGE ON DATABASE C360 TO ROLE C360_JOB;
GRANT USAGE ON SCHEMA C360.c360_control TO ROLE C360_JOB;
GRANT SELECT ON TABLE C360.c360_control.run_log TO ROLE C360_JOB;
GRANT SELECT ON VIEW C360.c360_control.windows TO ROLE C360_JOB;
GRANT SELECT ON VIEW C360.c360_control.run_status TO ROLE C360_JOB;
GRANT SELECT ON VIEW C360.c360_control.node_status TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_customer_snapshot(TIMESTAMP_NTZ) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_order_snapshot(TIMESTAMP_NTZ) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_payment_snapshot(TIMESTAMP_NTZ) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_int_customer_orders(TIMESTAMP_NTZ, BOOLEAN) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_int_interactions(TIMESTAMP_NTZ, BOOLEAN) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_int_payments(TIMESTAMP_NTZ, BOOLEAN) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_mart_customer_360(TIMESTAMP_NTZ) TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_job_snapshots_daily() TO ROLE C360_JOB;
GRANT USAGE ON PROCEDURE C360.c360_control.run_job_incrementals() TO ROLE C360_JOB;

-- C360_READ may read.
GRANT USAGE ON DATABASE C360 TO ROLE C360_READ;
GRANT USAGE ON SCHEMA C360.intermediate TO ROLE C360_READ;
GRANT USAGE ON SCHEMA C360.marts TO ROLE C360_READ;
GRANT USAGE ON SCHEMA C360.snapshots TO ROLE C360_READ;
GRANT USAGE ON SCHEMA C360.staging TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.snapshots.customer_snapshot TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.snapshots.customer_snapshot_current TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.snapshots.customer_snapshot_health TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.snapshots.order_snapshot TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.snapshots.order_snapshot_current TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.snapshots.order_snapshot_health TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.snapshots.payment_snapshot TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.snapshots.payment_snapshot_current TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.snapshots.payment_snapshot_health TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.staging.stg_customers TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.staging.stg_interactions TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.staging.stg_orders TO ROLE C360_READ;
GRANT SELECT ON VIEW C360.staging.stg_payments TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.intermediate.int_customer_orders TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.intermediate.int_interactions TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.intermediate.int_payments TO ROLE C360_READ;
GRANT SELECT ON TABLE C360.marts.mart_customer_360 TO ROLE C360_READ;
GRANT USAGE ON FUNCTION C360.snapshots.customer_snapshot_as_of(TIMESTAMP_NTZ) TO ROLE C360_READ;
GRANT USAGE ON FUNCTION C360.snapshots.customer_snapshot_changes(TIMESTAMP_NTZ, TIMESTAMP_NTZ) TO ROLE C360_READ;
GRANT USAGE ON FUNCTION C360.snapshots.order_snapshot_as_of(TIMESTAMP_NTZ) TO ROLE C360_READ;
GRANT USAGE ON FUNCTION C360.snapshots.order_snapshot_changes(TIMESTAMP_NTZ, TIMESTAMP_NTZ) TO ROLE C360_READ;
GRANT USAGE ON FUNCTION C360.snapshots.payment_snapshot_as_of(TIMESTAMP_NTZ) TO ROLE C360_READ;
GRANT USAGE ON FUNCTION C360.snapshots.payment_snapshot_changes(TIMESTAMP_NTZ, TIMESTAMP_NTZ) TO ROLE C360_READ;


INSERT INTO C360.c360_control.release (shape, released_at, released_by)
SELECT '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f', SYSDATE(), CURRENT_USER()
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.release AS r WHERE r.shape = '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f');
