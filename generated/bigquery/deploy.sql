-- c360gen | bigquery | deploy of customer_360 to target bigquery, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: bab17cef3e48446f1fa1217c233f0a7e6339bc66ab7f25f18ac40cacdf64c6ec

-- All data sets must be in one location: a procedure cannot read across locations, and a data set stays where it was made.
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.c360_control OPTIONS (location = 'EU');
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.intermediate OPTIONS (location = 'EU');
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.marts OPTIONS (location = 'EU');
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.snapshots OPTIONS (location = 'EU');
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.staging OPTIONS (location = 'EU');

CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.release (
  shape STRING NOT NULL OPTIONS (description = 'Hash of tables, columns, types, keys and strategies'),
  released_at TIMESTAMP NOT NULL,
  released_by STRING NOT NULL
)
OPTIONS (description = 'One row per released state, never changed; deploy.sql compares with the last.');

-- Guard: a database in another released state is not touched. Changing it is what migrations are for.
IF EXISTS (
  SELECT 1
  FROM `acme-analytics`.c360_control.release AS r
  WHERE r.shape <> '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f'
    AND r.released_at = (SELECT MAX(l.released_at) FROM `acme-analytics`.c360_control.release AS l)
) THEN
  RAISE USING MESSAGE = 'this database is in another released state: tables, columns, types, keys or strategies differ. Nothing was changed; go from one state to another with a migration.';
END IF;


-- ==================== control.sql: control tables: run log, state, releases

-- Runs only ever insert into these tables (a rewind, prune_run_log and the full refresh of a microbatch delete, and are for one
-- person at a time): two transactions that update one table conflict, and BigQuery cancels one of
-- them; transactions that only insert never conflict. The latest row of a run, or of a node, counts. None is partitioned: all
-- runs share a partitioned table's fifty changes in ten seconds.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.run_log (
  run_id STRING NOT NULL OPTIONS (description = 'One id per call of a node procedure'),
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  action STRING NOT NULL OPTIONS (description = 'run; or check, rewind, erase, adopt'),
  dry_run BOOL NOT NULL OPTIONS (description = 'Whether nothing was changed on purpose'),
  status STRING NOT NULL OPTIONS (description = 'running, succeeded or failed'),
  logged_at TIMESTAMP NOT NULL OPTIONS (description = 'For succeeded: when the transaction began, which is what CURRENT_TIMESTAMP means in it'),
  as_of TIMESTAMP OPTIONS (description = 'Time of the run'),
  source_rows INT64,
  inserted_rows INT64,
  updated_rows INT64,
  closed_rows INT64,
  deleted_rows INT64,
  revived_rows INT64,
  unchanged_rows INT64,
  dated_by_run INT64,
  quarantined_rows INT64,
  watermark_before TIMESTAMP,
  watermark_after TIMESTAMP,
  window_start TIMESTAMP OPTIONS (description = 'The window of a microbatch that the run loads'),
  window_end TIMESTAMP,
  message STRING OPTIONS (description = 'Set when status is failed'),
  spec_hash STRING NOT NULL OPTIONS (description = 'What the procedure was generated from'),
  called_by STRING,
  job_id STRING OPTIONS (description = 'Join to INFORMATION_SCHEMA.JOBS for duration, bytes and slots')
)
CLUSTER BY node
OPTIONS (description = 'One row when a run begins, one when it ends. Succeeded is written by the transaction that writes the data.');

CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.watermark (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  cursor_value TIMESTAMP OPTIONS (description = 'Highest cursor loaded, never later than the run time'),
  run_id STRING NOT NULL OPTIONS (description = 'Run that committed it'),
  as_of TIMESTAMP NOT NULL OPTIONS (description = 'Time of that run'),
  recorded_at TIMESTAMP NOT NULL OPTIONS (description = 'The latest row of a node counts')
)
CLUSTER BY node
OPTIONS (description = 'Written in the transaction of the data, whatever the node: also the proof that time does not run backwards.');

CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.window_log (
  node STRING NOT NULL OPTIONS (description = 'schema.name of a microbatch'),
  window_start TIMESTAMP NOT NULL,
  window_end TIMESTAMP NOT NULL,
  status STRING NOT NULL OPTIONS (description = 'succeeded or failed'),
  run_id STRING NOT NULL,
  as_of TIMESTAMP OPTIONS (description = 'Time of that run'),
  recorded_at TIMESTAMP NOT NULL
)
CLUSTER BY node
OPTIONS (description = 'One row per window and run. Delete the rows of a window, and the next run loads it again.');

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.windows
OPTIONS (description = 'One row per node and window: how its last run ended, and the run time of its last success')
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
  FROM `acme-analytics`.c360_control.window_log AS w
) AS l
WHERE l.recency = 1;

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.run_status
OPTIONS (description = 'One row per run and how it ended; a run that a rewind has undone is rewound')
AS
SELECT
  l.run_id,
  l.node,
  l.action,
  l.dry_run,
  MIN(CASE WHEN l.status = 'running' THEN l.logged_at END) AS started_at,
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
  MAX(l.called_by) AS called_by,
  MAX(l.job_id) AS job_id
FROM `acme-analytics`.c360_control.run_log AS l
LEFT JOIN `acme-analytics`.c360_control.watermark AS w
  ON w.run_id = l.run_id
GROUP BY l.run_id, l.node, l.action, l.dry_run;

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.node_status
OPTIONS (description = 'One row per node: how fresh it is, how its last run ended, how often it has failed since it last succeeded')
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
  FROM `acme-analytics`.c360_control.run_status AS s
  WHERE s.action = 'run'
) AS r
LEFT JOIN (
  SELECT c.node, c.cursor_value, ROW_NUMBER() OVER (PARTITION BY c.node ORDER BY c.recorded_at DESC) AS position
  FROM `acme-analytics`.c360_control.watermark AS c
) AS w
  ON w.node = r.node AND w.position = 1
GROUP BY r.node;


-- ==================== tables/customer_snapshot.sql: snapshot snapshots.customer_snapshot

CREATE TABLE IF NOT EXISTS `acme-analytics`.snapshots.customer_snapshot (
  customer_id INT64 NOT NULL OPTIONS (
    description='Key of the customer.'
  ),
  first_name STRING,
  last_name STRING,
  email STRING,
  phone STRING,
  created_at TIMESTAMP,
  updated_at TIMESTAMP NOT NULL OPTIONS (
    description='When the row was last changed.'
  ),
  valid_from TIMESTAMP NOT NULL OPTIONS (
    description='First instant of this version (UTC, inclusive).'
  ),
  valid_to TIMESTAMP OPTIONS (
    description='First instant after this version (UTC); NULL while it is current.'
  ),
  opened_run_id STRING NOT NULL OPTIONS (
    description='Run that wrote this version.'
  ),
  closed_run_id STRING OPTIONS (
    description='Run that closed this version.'
  ),
  PRIMARY KEY (customer_id, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY customer_id
OPTIONS (
  description='History of every customer, one row per version of name, e-mail address and telephone number.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_customer_snapshot (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_customer_snapshot: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_customer_snapshot (node)
SELECT 'snapshots.customer_snapshot'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_customer_snapshot AS l);


-- ==================== views/customer_snapshot.sql: views of snapshots.customer_snapshot

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.customer_snapshot_current
OPTIONS (
  description='The open versions of customer_snapshot: one row per key.'
) AS
SELECT
  h.customer_id,
  h.first_name,
  h.last_name,
  h.email,
  h.phone,
  h.created_at,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.customer_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.customer_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'customer_snapshot as it was at an instant: at most one row per key.')
AS (
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
  FROM `acme-analytics`.snapshots.customer_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.customer_snapshot_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in customer_snapshot after one instant and not after another, with old and new values.')
AS (
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
  FROM `acme-analytics`.snapshots.customer_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.customer_snapshot AS b
    ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.customer_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.first_name AS first_name_before,
    CAST(NULL AS STRING) AS first_name_after,
    v.last_name AS last_name_before,
    CAST(NULL AS STRING) AS last_name_after,
    v.email AS email_before,
    CAST(NULL AS STRING) AS email_after,
    v.phone AS phone_before,
    CAST(NULL AS STRING) AS phone_after,
    v.created_at AS created_at_before,
    CAST(NULL AS TIMESTAMP) AS created_at_after,
    v.updated_at AS updated_at_before,
    CAST(NULL AS TIMESTAMP) AS updated_at_after
  FROM `acme-analytics`.snapshots.customer_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.customer_snapshot AS n
    ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.customer_snapshot_health
OPTIONS (
  description='What is wrong with the history customer_snapshot: no row when it is sound.'
) AS
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
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
      COALESCE(CAST(v.customer_id AS STRING), 'NULL') AS c360_key
    FROM (
      SELECT
        h.customer_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
      FROM `acme-analytics`.snapshots.customer_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== tables/order_snapshot.sql: snapshot snapshots.order_snapshot

CREATE TABLE IF NOT EXISTS `acme-analytics`.snapshots.order_snapshot (
  order_id INT64 NOT NULL,
  customer_id INT64,
  order_date DATE,
  status STRING,
  total_amount NUMERIC(12, 2),
  updated_at TIMESTAMP,
  valid_from TIMESTAMP NOT NULL OPTIONS (
    description='First instant of this version (UTC, inclusive).'
  ),
  valid_to TIMESTAMP OPTIONS (
    description='First instant after this version (UTC); NULL while it is current.'
  ),
  opened_run_id STRING NOT NULL OPTIONS (
    description='Run that wrote this version.'
  ),
  closed_run_id STRING OPTIONS (
    description='Run that closed this version.'
  ),
  PRIMARY KEY (order_id, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY order_id
OPTIONS (
  description='History of every order from pending over shipped to delivered.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_order_snapshot (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_order_snapshot: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_order_snapshot (node)
SELECT 'snapshots.order_snapshot'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_order_snapshot AS l);


-- ==================== views/order_snapshot.sql: views of snapshots.order_snapshot

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.order_snapshot_current
OPTIONS (
  description='The open versions of order_snapshot: one row per key.'
) AS
SELECT
  h.order_id,
  h.customer_id,
  h.order_date,
  h.status,
  h.total_amount,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.order_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.order_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'order_snapshot as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.order_id,
    h.customer_id,
    h.order_date,
    h.status,
    h.total_amount,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snapshots.order_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.order_snapshot_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in order_snapshot after one instant and not after another, with old and new values.')
AS (
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
  FROM `acme-analytics`.snapshots.order_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.order_snapshot AS b
    ON b.order_id = v.order_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.order_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.customer_id AS customer_id_before,
    CAST(NULL AS INT64) AS customer_id_after,
    v.order_date AS order_date_before,
    CAST(NULL AS DATE) AS order_date_after,
    v.status AS status_before,
    CAST(NULL AS STRING) AS status_after,
    v.total_amount AS total_amount_before,
    ROUND(CAST(NULL AS NUMERIC), 2) AS total_amount_after,
    v.updated_at AS updated_at_before,
    CAST(NULL AS TIMESTAMP) AS updated_at_after
  FROM `acme-analytics`.snapshots.order_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.order_snapshot AS n
    ON n.order_id = v.order_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.order_snapshot_health
OPTIONS (
  description='What is wrong with the history order_snapshot: no row when it is sound.'
) AS
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
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
      COALESCE(CAST(v.order_id AS STRING), 'NULL') AS c360_key
    FROM (
      SELECT
        h.order_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
      FROM `acme-analytics`.snapshots.order_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== tables/payment_snapshot.sql: snapshot snapshots.payment_snapshot

CREATE TABLE IF NOT EXISTS `acme-analytics`.snapshots.payment_snapshot (
  payment_id INT64 NOT NULL,
  order_id INT64,
  payment_method STRING,
  amount NUMERIC(12, 2),
  status STRING,
  updated_at TIMESTAMP NOT NULL,
  valid_from TIMESTAMP NOT NULL OPTIONS (
    description='First instant of this version (UTC, inclusive).'
  ),
  valid_to TIMESTAMP OPTIONS (
    description='First instant after this version (UTC); NULL while it is current.'
  ),
  opened_run_id STRING NOT NULL OPTIONS (
    description='Run that wrote this version.'
  ),
  closed_run_id STRING OPTIONS (
    description='Run that closed this version.'
  ),
  PRIMARY KEY (payment_id, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY payment_id
OPTIONS (
  description='History of every payment from pending over completed to refunded.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_payment_snapshot (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_payment_snapshot: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_payment_snapshot (node)
SELECT 'snapshots.payment_snapshot'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_payment_snapshot AS l);


-- ==================== views/payment_snapshot.sql: views of snapshots.payment_snapshot

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.payment_snapshot_current
OPTIONS (
  description='The open versions of payment_snapshot: one row per key.'
) AS
SELECT
  h.payment_id,
  h.order_id,
  h.payment_method,
  h.amount,
  h.status,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snapshots.payment_snapshot AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.payment_snapshot_as_of(p_at TIMESTAMP)
OPTIONS (description = 'payment_snapshot as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.payment_id,
    h.order_id,
    h.payment_method,
    h.amount,
    h.status,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snapshots.payment_snapshot AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snapshots.payment_snapshot_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in payment_snapshot after one instant and not after another, with old and new values.')
AS (
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
  FROM `acme-analytics`.snapshots.payment_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.payment_snapshot AS b
    ON b.payment_id = v.payment_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.payment_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.order_id AS order_id_before,
    CAST(NULL AS INT64) AS order_id_after,
    v.payment_method AS payment_method_before,
    CAST(NULL AS STRING) AS payment_method_after,
    v.amount AS amount_before,
    ROUND(CAST(NULL AS NUMERIC), 2) AS amount_after,
    v.status AS status_before,
    CAST(NULL AS STRING) AS status_after,
    v.updated_at AS updated_at_before,
    CAST(NULL AS TIMESTAMP) AS updated_at_after
  FROM `acme-analytics`.snapshots.payment_snapshot AS v
  LEFT JOIN `acme-analytics`.snapshots.payment_snapshot AS n
    ON n.payment_id = v.payment_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snapshots.payment_snapshot_health
OPTIONS (
  description='What is wrong with the history payment_snapshot: no row when it is sound.'
) AS
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
    ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
      COALESCE(CAST(v.payment_id AS STRING), 'NULL') AS c360_key
    FROM (
      SELECT
        h.payment_id,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
      FROM `acme-analytics`.snapshots.payment_snapshot AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== views/stg_customers.sql: view staging.stg_customers

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_customers AS
SELECT
  customers.customer_id AS customer_id,
  TRIM(customers.first_name, ' ') AS first_name,
  TRIM(customers.last_name, ' ') AS last_name,
  LOWER(customers.email) AS email,
  customers.phone AS phone,
  customers.created_at AS created_at,
  customers.updated_at AS updated_at
FROM `acme-analytics`.raw_data.customers AS customers;


-- ==================== views/stg_interactions.sql: view staging.stg_interactions

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_interactions AS
SELECT
  interactions.interaction_id AS interaction_id,
  interactions.customer_id AS customer_id,
  interactions.channel AS channel,
  interactions.subject AS subject,
  interactions.occurred_at AS occurred_at
FROM `acme-analytics`.raw_data.interactions AS interactions;


-- ==================== views/stg_orders.sql: view staging.stg_orders

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_orders AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM `acme-analytics`.raw_data.orders AS orders;


-- ==================== views/stg_payments.sql: view staging.stg_payments

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_payments AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM `acme-analytics`.raw_data.payments AS payments;


-- ==================== tables/int_customer_orders.sql: incremental intermediate.int_customer_orders

CREATE TABLE IF NOT EXISTS `acme-analytics`.intermediate.int_customer_orders (
  order_id INT64 NOT NULL,
  customer_id INT64,
  order_date DATE,
  status STRING,
  total_amount NUMERIC(12, 2),
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (order_id) NOT ENFORCED
)
CLUSTER BY order_id
OPTIONS (
  description='Orders, the latest state of each.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_int_customer_orders (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_int_customer_orders: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_int_customer_orders (node)
SELECT 'intermediate.int_customer_orders'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_int_customer_orders AS l);


-- ==================== tables/int_interactions.sql: incremental intermediate.int_interactions

CREATE TABLE IF NOT EXISTS `acme-analytics`.intermediate.int_interactions (
  interaction_id INT64,
  customer_id INT64,
  channel STRING,
  subject STRING,
  occurred_at TIMESTAMP NOT NULL
)
PARTITION BY TIMESTAMP_TRUNC(occurred_at, MONTH)
CLUSTER BY customer_id
OPTIONS (
  description='Every contact with a customer, appended as it comes.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_int_interactions (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_int_interactions: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_int_interactions (node)
SELECT 'intermediate.int_interactions'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_int_interactions AS l);


-- ==================== tables/int_payments.sql: incremental intermediate.int_payments

CREATE TABLE IF NOT EXISTS `acme-analytics`.intermediate.int_payments (
  payment_id INT64 NOT NULL,
  order_id INT64,
  payment_method STRING,
  amount NUMERIC(12, 2),
  status STRING,
  updated_at TIMESTAMP NOT NULL
)
OPTIONS (
  description='Payments, the latest state of each.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_int_payments (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_int_payments: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_int_payments (node)
SELECT 'intermediate.int_payments'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_int_payments AS l);


-- ==================== tables/mart_customer_360.sql: table marts.mart_customer_360

CREATE TABLE IF NOT EXISTS `acme-analytics`.marts.mart_customer_360 (
  customer_id INT64 NOT NULL OPTIONS (
    description='Key of the customer.'
  ),
  full_name STRING,
  email STRING,
  order_count INT64,
  lifetime_value BIGNUMERIC(38, 2) OPTIONS (
    description='Sum of all orders that were not cancelled, in euro.'
  ),
  average_order_value BIGNUMERIC(38, 2),
  days_since_last_order INT64 OPTIONS (
    description='Whole days between the last order and the run.'
  ),
  months_as_customer INT64 OPTIONS (
    description='Months of 30 days since the first order, truncated.'
  ),
  payment_count INT64,
  refund_rate NUMERIC(9, 4) OPTIONS (
    description='Share of payments that were refunded.'
  ),
  paid_amount BIGNUMERIC(38, 2),
  favourite_payment_method STRING,
  interaction_count INT64,
  last_channel STRING,
  version_count INT64 OPTIONS (
    description='Versions of the customer in the history.'
  ),
  segment STRING,
  PRIMARY KEY (customer_id) NOT ENFORCED
)
CLUSTER BY customer_id
OPTIONS (
  description='One row per current customer - value, recency, payment behaviour, contacts, segment.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_mart_customer_360 (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_mart_customer_360: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_mart_customer_360 (node)
SELECT 'marts.mart_customer_360'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_mart_customer_360 AS l);


-- ==================== procedures/run_customer_snapshot.sql: run of snapshots.customer_snapshot

-- CALL `acme-analytics`.c360_control.run_customer_snapshot(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_customer_snapshot(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
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
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_customer_snapshot(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Brings the history customer_snapshot up to date with raw_data.customers')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.customer_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_staged_rows INT64;
  DECLARE v_absent_rows INT64;
  DECLARE v_starting_rows INT64;
  DECLARE v_closing_rows INT64;
  DECLARE v_deleted_rows INT64;
  DECLARE v_revived_rows INT64;
  DECLARE v_dated_by_run INT64;
  DECLARE v_blocked_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_unmatched_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_future_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_open_rows INT64;
  DECLARE v_new_keys INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.customers must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 7 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('first_name' AS c360_name, 'text' AS c360_family),
        STRUCT('last_name' AS c360_name, 'text' AS c360_family),
        STRUCT('email' AS c360_name, 'text' AS c360_family),
        STRUCT('phone' AS c360_name, 'text' AS c360_family),
        STRUCT('created_at' AS c360_name, 'timestamptz' AS c360_family),
        STRUCT('updated_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'customers'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.customer_snapshot: ',
        'raw_data.customers is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.customer_snapshot: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.customers are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_customer_snapshot (
      c360_action STRING,
      c360_rows INT64,
      c360_open_from TIMESTAMP,
      c360_starts_at TIMESTAMP,
      c360_ends_at TIMESTAMP,
      customer_id INT64,
      first_name STRING,
      last_name STRING,
      email STRING,
      phone STRING,
      created_at TIMESTAMP,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    INSERT INTO stage_customer_snapshot (
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
          WHEN e.c360_action = 'new' AND l.c360_boundary > v_as_of
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
            FROM `acme-analytics`.raw_data.customers AS r
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
            FROM `acme-analytics`.snapshots.customer_snapshot AS h
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
        FROM `acme-analytics`.snapshots.customer_snapshot AS p
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
    FROM `acme-analytics`.raw_data.customers AS r
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
    FROM `acme-analytics`.snapshots.customer_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SET (v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_new_rows, v_unmatched_rows, v_null_keys, v_null_times, v_future_times, v_source_rows,
         v_open_rows, v_new_keys) = (
      SELECT AS STRUCT
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
            FROM stage_customer_snapshot AS k
            WHERE
              k.c360_action IN ('new', 'revive')
          ) AS u
        ) AS new_keys
      FROM stage_customer_snapshot AS s
    );

    -- Only where the numbers do not add up, look for the keys that occur twice.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_duplicate_keys = (
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            r.customer_id
          FROM `acme-analytics`.raw_data.customers AS r
          GROUP BY
            r.customer_id
          HAVING
            COUNT(*) > 1
        ) AS d
      );
    END IF;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 snapshots.customer_snapshot: ',
        CAST(v_null_keys AS STRING),
        ' rows of raw_data.customers have no customer_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Each key must occur once.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM (
            SELECT
              r.customer_id
            FROM `acme-analytics`.raw_data.customers AS r
            GROUP BY
              r.customer_id
            HAVING
              COUNT(*) > 1
          ) AS s
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 snapshots.customer_snapshot: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of customer_id occur in several rows of raw_data.customers',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Every row must have a time.
    IF v_null_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM stage_customer_snapshot AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 snapshots.customer_snapshot: ',
        CAST(v_null_times AS STRING),
        ' rows of raw_data.customers have no usable updated_at',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- No time may lie beyond the clock and its tolerance.
    IF v_future_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM stage_customer_snapshot AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC009 snapshots.customer_snapshot: ',
        CAST(v_future_times AS STRING),
        ' rows of raw_data.customers have updated_at later than ',
        CAST(v_latest AS STRING),
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Compare the clocks.'
      );
    END IF;

    -- An empty source is more likely a failed load than the end of everything.
    IF v_open_rows > 0 AND v_source_rows = 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC004 snapshots.customer_snapshot: ',
        'raw_data.customers is empty while ',
        CAST(v_open_rows AS STRING),
        ' versions are open',
        '. Nothing was written. Load the source first.'
      );
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
          FROM stage_customer_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC010 snapshots.customer_snapshot: ',
        CAST(v_blocked_rows AS STRING),
        ' keys have versions that begin at or end after the run time ',
        CAST(v_as_of AS STRING),
        ' and cannot be closed or followed at it',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Run again once that time has passed.'
      );
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
      UPDATE `acme-analytics`.snapshots.customer_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
      FROM stage_customer_snapshot AS s
      WHERE
        t.customer_id = s.customer_id
        AND t.valid_from = s.c360_open_from
        AND t.valid_to IS NULL
        AND s.c360_ends_at IS NOT NULL;
      IF @@row_count <> v_closing_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.customer_snapshot', ': ', CAST(v_closing_rows AS STRING), ' versions to close, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
      INSERT INTO `acme-analytics`.snapshots.customer_snapshot (
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
      FROM stage_customer_snapshot AS s
      WHERE
        s.c360_action IN ('new', 'change', 'revive');
      IF @@row_count <> v_starting_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.customer_snapshot', ': ', CAST(v_starting_rows AS STRING), ' versions to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_source_rows,
      v_starting_rows,
      v_closing_rows,
      v_deleted_rows,
      v_revived_rows,
      v_source_rows - (v_staged_rows - v_absent_rows),
      v_dated_by_run
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/run_order_snapshot.sql: run of snapshots.order_snapshot

-- CALL `acme-analytics`.c360_control.run_order_snapshot(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_order_snapshot(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
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
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_order_snapshot(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Brings the history order_snapshot up to date with raw_data.orders')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.order_snapshot';
  DECLARE c_spec_hash STRING DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_staged_rows INT64;
  DECLARE v_absent_rows INT64;
  DECLARE v_starting_rows INT64;
  DECLARE v_closing_rows INT64;
  DECLARE v_deleted_rows INT64;
  DECLARE v_revived_rows INT64;
  DECLARE v_dated_by_run INT64;
  DECLARE v_blocked_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_open_rows INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.orders must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('order_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('order_date' AS c360_name, 'date' AS c360_family),
        STRUCT('status' AS c360_name, 'text' AS c360_family),
        STRUCT('total_amount' AS c360_name, 'number' AS c360_family),
        STRUCT('updated_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'orders'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.order_snapshot: ',
        'raw_data.orders is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.order_snapshot: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.orders are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_order_snapshot (
      c360_action STRING,
      c360_rows INT64,
      c360_open_from TIMESTAMP,
      c360_starts_at TIMESTAMP,
      c360_ends_at TIMESTAMP,
      order_id INT64,
      customer_id INT64,
      order_date DATE,
      status STRING,
      total_amount NUMERIC(12, 2),
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    INSERT INTO stage_order_snapshot (
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
      d.order_id,
      d.customer_id,
      d.order_date,
      d.status,
      d.total_amount,
      d.updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND l.c360_boundary > v_as_of
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
              ROUND(CAST(r.total_amount AS NUMERIC), 2) AS total_amount,
              r.updated_at,
              TRUE AS c360_present,
              COUNT(*) OVER (PARTITION BY r.order_id) AS c360_copies
            FROM `acme-analytics`.raw_data.orders AS r
          ) AS s
          LEFT JOIN (
            SELECT
              h.order_id,
              h.status,
              h.total_amount,
              h.valid_from
            FROM `acme-analytics`.snapshots.order_snapshot AS h
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
        FROM `acme-analytics`.snapshots.order_snapshot AS p
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
    FROM `acme-analytics`.raw_data.orders AS r
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
    FROM `acme-analytics`.snapshots.order_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SET (v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_null_keys, v_source_rows, v_open_rows, v_duplicate_keys) = (
      SELECT AS STRUCT
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
            FROM stage_order_snapshot AS k
            WHERE
              k.c360_action = 'duplicate_key'
          ) AS u
        ) AS duplicate_keys
      FROM stage_order_snapshot AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 snapshots.order_snapshot: ',
        CAST(v_null_keys AS STRING),
        ' rows of raw_data.orders have no order_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Each key must occur once.
    IF v_duplicate_keys > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS STRING), 'NULL') AS c360_key
          FROM stage_order_snapshot AS s
          WHERE
            s.c360_action = 'duplicate_key'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 snapshots.order_snapshot: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of order_id occur in several rows of raw_data.orders',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS STRING), 'NULL') AS c360_key
          FROM stage_order_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC010 snapshots.order_snapshot: ',
        CAST(v_blocked_rows AS STRING),
        ' keys have versions that begin at or end after the run time ',
        CAST(v_as_of AS STRING),
        ' and cannot be closed or followed at it',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Run again once that time has passed.'
      );
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
      UPDATE `acme-analytics`.snapshots.order_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
      FROM stage_order_snapshot AS s
      WHERE
        t.order_id = s.order_id
        AND t.valid_from = s.c360_open_from
        AND t.valid_to IS NULL
        AND s.c360_ends_at IS NOT NULL;
      IF @@row_count <> v_closing_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.order_snapshot', ': ', CAST(v_closing_rows AS STRING), ' versions to close, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
      INSERT INTO `acme-analytics`.snapshots.order_snapshot (
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
      FROM stage_order_snapshot AS s
      WHERE
        s.c360_action IN ('new', 'change', 'revive');
      IF @@row_count <> v_starting_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.order_snapshot', ': ', CAST(v_starting_rows AS STRING), ' versions to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_source_rows,
      v_starting_rows,
      v_closing_rows,
      v_deleted_rows,
      v_revived_rows,
      v_source_rows - (v_staged_rows - v_absent_rows),
      v_dated_by_run
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/run_payment_snapshot.sql: run of snapshots.payment_snapshot

-- CALL `acme-analytics`.c360_control.run_payment_snapshot(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_payment_snapshot(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
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
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_payment_snapshot(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Brings the history payment_snapshot up to date with raw_data.payments')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.payment_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_staged_rows INT64;
  DECLARE v_absent_rows INT64;
  DECLARE v_starting_rows INT64;
  DECLARE v_closing_rows INT64;
  DECLARE v_deleted_rows INT64;
  DECLARE v_revived_rows INT64;
  DECLARE v_dated_by_run INT64;
  DECLARE v_blocked_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_future_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_open_rows INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.payments must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('payment_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('order_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('payment_method' AS c360_name, 'text' AS c360_family),
        STRUCT('amount' AS c360_name, 'number' AS c360_family),
        STRUCT('status' AS c360_name, 'text' AS c360_family),
        STRUCT('updated_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'payments'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.payment_snapshot: ',
        'raw_data.payments is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snapshots.payment_snapshot: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.payments are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_payment_snapshot (
      c360_action STRING,
      c360_rows INT64,
      c360_open_from TIMESTAMP,
      c360_starts_at TIMESTAMP,
      c360_ends_at TIMESTAMP,
      payment_id INT64,
      order_id INT64,
      payment_method STRING,
      amount NUMERIC(12, 2),
      status STRING,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;

    -- Decide everything in one statement, so that guards and writes rest on one reading of the source. Unchanged rows
    -- are not staged; rows that must not be written are staged under the name of their problem.
    INSERT INTO stage_payment_snapshot (
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
      d.payment_id,
      d.order_id,
      d.payment_method,
      d.amount,
      d.status,
      d.updated_at
    FROM (
      SELECT
        CASE
          WHEN e.c360_action = 'new' AND l.c360_boundary > v_as_of
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
              ROUND(CAST(r.amount AS NUMERIC), 2) AS amount,
              r.status,
              r.updated_at,
              TRUE AS c360_present,
              COUNT(*) OVER (PARTITION BY r.payment_id) AS c360_copies
            FROM `acme-analytics`.raw_data.payments AS r
          ) AS s
          LEFT JOIN (
            SELECT
              h.payment_id,
              h.order_id,
              h.payment_method,
              h.amount,
              h.status,
              h.valid_from
            FROM `acme-analytics`.snapshots.payment_snapshot AS h
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
        FROM `acme-analytics`.snapshots.payment_snapshot AS p
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
    FROM `acme-analytics`.raw_data.payments AS r
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
    FROM `acme-analytics`.snapshots.payment_snapshot AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SET (v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_null_keys, v_null_times, v_future_times, v_source_rows, v_open_rows, v_duplicate_keys) = (
      SELECT AS STRUCT
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
            FROM stage_payment_snapshot AS k
            WHERE
              k.c360_action = 'duplicate_key'
          ) AS u
        ) AS duplicate_keys
      FROM stage_payment_snapshot AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 snapshots.payment_snapshot: ',
        CAST(v_null_keys AS STRING),
        ' rows of raw_data.payments have no payment_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Each key must occur once.
    IF v_duplicate_keys > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS STRING), 'NULL') AS c360_key
          FROM stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'duplicate_key'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 snapshots.payment_snapshot: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of payment_id occur in several rows of raw_data.payments',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Every row must have a time.
    IF v_null_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS STRING), 'NULL') AS c360_key
          FROM stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 snapshots.payment_snapshot: ',
        CAST(v_null_times AS STRING),
        ' rows of raw_data.payments have no usable updated_at',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- No time may lie beyond the clock and its tolerance.
    IF v_future_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS STRING), 'NULL') AS c360_key
          FROM stage_payment_snapshot AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC009 snapshots.payment_snapshot: ',
        CAST(v_future_times AS STRING),
        ' rows of raw_data.payments have updated_at later than ',
        CAST(v_latest AS STRING),
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Compare the clocks.'
      );
    END IF;

    -- A version cannot end before it starts, nor begin before the one before it has ended.
    IF v_blocked_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS STRING), 'NULL') AS c360_key
          FROM stage_payment_snapshot AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC010 snapshots.payment_snapshot: ',
        CAST(v_blocked_rows AS STRING),
        ' keys have versions that begin at or end after the run time ',
        CAST(v_as_of AS STRING),
        ' and cannot be closed or followed at it',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Run again once that time has passed.'
      );
    END IF;

    -- Close the versions that ended. Key and start name the exact row, and the count must be exact.
    IF v_closing_rows > 0 THEN
      UPDATE `acme-analytics`.snapshots.payment_snapshot AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
      FROM stage_payment_snapshot AS s
      WHERE
        t.payment_id = s.payment_id
        AND t.valid_from = s.c360_open_from
        AND t.valid_to IS NULL
        AND s.c360_ends_at IS NOT NULL;
      IF @@row_count <> v_closing_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.payment_snapshot', ': ', CAST(v_closing_rows AS STRING), ' versions to close, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
      INSERT INTO `acme-analytics`.snapshots.payment_snapshot (
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
      FROM stage_payment_snapshot AS s
      WHERE
        s.c360_action IN ('new', 'change', 'revive');
      IF @@row_count <> v_starting_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.payment_snapshot', ': ', CAST(v_starting_rows AS STRING), ' versions to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      source_rows, inserted_rows, closed_rows, deleted_rows, revived_rows, unchanged_rows, dated_by_run
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_source_rows,
      v_starting_rows,
      v_closing_rows,
      v_deleted_rows,
      v_revived_rows,
      v_source_rows - (v_staged_rows - v_absent_rows),
      v_dated_by_run
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/run_int_customer_orders.sql: run of intermediate.int_customer_orders

-- CALL `acme-analytics`.c360_control.run_int_customer_orders(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_int_customer_orders(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_int_customer_orders(NULL, TRUE);
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
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_int_customer_orders(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings int_customer_orders up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'intermediate.int_customer_orders';
  DECLARE c_spec_hash STRING DEFAULT '084cae8c45ae0c146be65ef963062d0174d8efc5153b85bb91623a82dd9f5eb2';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_full_refresh BOOL DEFAULT COALESCE(p_full_refresh, FALSE);
  DECLARE v_incremental BOOL;
  DECLARE v_watermark TIMESTAMP;
  DECLARE v_window_start TIMESTAMP;
  DECLARE v_next_watermark TIMESTAMP;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_new_rows INT64;
  DECLARE v_updated_rows INT64;
  DECLARE v_older_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_newest TIMESTAMP;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_target_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.orders must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('order_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('order_date' AS c360_name, 'date' AS c360_family),
        STRUCT('status' AS c360_name, 'text' AS c360_family),
        STRUCT('total_amount' AS c360_name, 'number' AS c360_family),
        STRUCT('updated_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'orders'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_customer_orders: ',
        'raw_data.orders is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_customer_orders: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.orders are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_int_customer_orders (
      c360_action STRING,
      c360_copies INT64,
      c360_position INT64,
      order_id INT64,
      customer_id INT64,
      order_date DATE,
      status STRING,
      total_amount NUMERIC(12, 2),
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_int_customer_orders SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_int_customer_orders SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;
    SET v_incremental = v_last_as_of IS NOT NULL AND NOT v_full_refresh;
    SET v_watermark = (
      SELECT MAX(w.cursor_value)
      FROM `acme-analytics`.c360_control.watermark AS w
      WHERE w.node = c_node
        AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM `acme-analytics`.c360_control.watermark AS l WHERE l.node = c_node)
    );
    IF v_incremental THEN
      SET v_window_start = TIMESTAMP_SUB(v_watermark, INTERVAL 259200 SECOND);
    END IF;

    -- Read the batch once and look its keys up in the target.
    INSERT INTO stage_int_customer_orders (
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
        ROUND(CAST(m.total_amount AS NUMERIC), 2) AS total_amount,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.order_id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.order_id ORDER BY m.order_id NULLS LAST) AS c360_position
      FROM (
        SELECT
          stg_orders.order_id AS order_id,
          stg_orders.customer_id AS customer_id,
          stg_orders.order_date AS order_date,
          stg_orders.status AS status,
          stg_orders.total_amount AS total_amount,
          stg_orders.updated_at AS updated_at
        FROM `acme-analytics`.staging.stg_orders AS stg_orders
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b
    LEFT JOIN `acme-analytics`.intermediate.int_customer_orders AS t
      ON t.order_id = b.order_id AND NOT v_full_refresh;

    -- Count what was decided.
    SET (v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows, v_newest) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
        COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(*) AS source_rows,
        MAX(s.updated_at) AS newest
      FROM stage_int_customer_orders AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 intermediate.int_customer_orders: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of int_customer_orders have no order_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS STRING), 'NULL') AS c360_key
          FROM stage_int_customer_orders AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 intermediate.int_customer_orders: ',
        CAST(v_null_times AS STRING),
        ' rows of the query of int_customer_orders have no usable updated_at',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Rows that share a key must be equal in every column.
    SET v_duplicate_keys = (
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
          FROM stage_int_customer_orders AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ) AS d
        GROUP BY
          d.order_id
        HAVING
          COUNT(*) > 1
      ) AS r
    );

    -- Which of two different rows would win would be chance.
    IF v_duplicate_keys > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.order_id AS STRING), 'NULL') AS c360_key
          FROM stage_int_customer_orders AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 intermediate.int_customer_orders: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of order_id occur in several rows that differ',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.intermediate.int_customer_orders AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.intermediate.int_customer_orders AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_customer_orders', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
      UPDATE `acme-analytics`.intermediate.int_customer_orders AS t SET customer_id = s.customer_id, order_date = s.order_date, status = s.status, total_amount = s.total_amount, updated_at = s.updated_at
      FROM stage_int_customer_orders AS s
      WHERE
        t.order_id = s.order_id AND s.c360_action = 'update' AND s.c360_position = 1;
      IF @@row_count <> v_updated_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_customer_orders', ': ', CAST(v_updated_rows AS STRING), ' rows to update, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.intermediate.int_customer_orders (
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
      FROM stage_int_customer_orders AS s
      WHERE
        s.c360_action = 'insert' AND s.c360_position = 1;
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_customer_orders', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    SET v_next_watermark = CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
    IF NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark) THEN
      SET v_next_watermark = v_watermark;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, v_next_watermark, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, watermark_before, watermark_after,
      source_rows, inserted_rows, updated_rows, deleted_rows, unchanged_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_watermark, v_next_watermark,
      v_source_rows,
      v_new_rows,
      v_updated_rows,
      CASE WHEN v_full_refresh THEN v_target_rows ELSE 0 END,
      v_source_rows - v_new_rows - v_updated_rows - v_older_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/run_int_interactions.sql: run of intermediate.int_interactions

-- CALL `acme-analytics`.c360_control.run_int_interactions(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_int_interactions(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_int_interactions(NULL, TRUE);
--      replaces every row, in one transaction
-- Rules:   reads rows whose occurred_at is after the watermark and not after the run time
--          rows are added, never changed; rows that arrive later with a cursor at or below the watermark are not read
-- Errors:  ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_int_interactions(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings int_interactions up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'intermediate.int_interactions';
  DECLARE c_spec_hash STRING DEFAULT 'ba6985050432067d35f75ac62b07fc04659b13704ed12b205adc1b69d513c166';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_full_refresh BOOL DEFAULT COALESCE(p_full_refresh, FALSE);
  DECLARE v_incremental BOOL;
  DECLARE v_watermark TIMESTAMP;
  DECLARE v_window_start TIMESTAMP;
  DECLARE v_next_watermark TIMESTAMP;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_new_rows INT64;
  DECLARE v_null_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_newest TIMESTAMP;
  DECLARE v_target_rows INT64;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.interactions must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('interaction_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('channel' AS c360_name, 'text' AS c360_family),
        STRUCT('subject' AS c360_name, 'text' AS c360_family),
        STRUCT('occurred_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'interactions'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_interactions: ',
        'raw_data.interactions is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_interactions: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.interactions are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_int_interactions (
      c360_action STRING,
      interaction_id INT64,
      customer_id INT64,
      channel STRING,
      subject STRING,
      occurred_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_int_interactions SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_int_interactions SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;
    SET v_incremental = v_last_as_of IS NOT NULL AND NOT v_full_refresh;
    SET v_watermark = (
      SELECT MAX(w.cursor_value)
      FROM `acme-analytics`.c360_control.watermark AS w
      WHERE w.node = c_node
        AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM `acme-analytics`.c360_control.watermark AS l WHERE l.node = c_node)
    );
    IF v_incremental THEN
      SET v_window_start = TIMESTAMP_SUB(v_watermark, INTERVAL 0 SECOND);
    END IF;

    -- Read the rows beyond the watermark.
    INSERT INTO stage_int_interactions (
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
        m.occurred_at
      FROM (
        SELECT
          stg_interactions.interaction_id AS interaction_id,
          stg_interactions.customer_id AS customer_id,
          stg_interactions.channel AS channel,
          stg_interactions.subject AS subject,
          stg_interactions.occurred_at AS occurred_at
        FROM `acme-analytics`.staging.stg_interactions AS stg_interactions
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
    SET (v_new_rows, v_null_times, v_source_rows, v_newest) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action = 'insert' THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(*) AS source_rows,
        MAX(s.occurred_at) AS newest
      FROM stage_int_interactions AS s
    );

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC003 intermediate.int_interactions: ',
        CAST(v_null_times AS STRING),
        ' rows of the query of int_interactions have no usable occurred_at',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.intermediate.int_interactions AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.intermediate.int_interactions AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_interactions', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Append the rows.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.intermediate.int_interactions (
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
      FROM stage_int_interactions AS s
      WHERE
        s.c360_action = 'insert';
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_interactions', ': ', CAST(v_new_rows AS STRING), ' rows to append, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    SET v_next_watermark = CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
    IF NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark) THEN
      SET v_next_watermark = v_watermark;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, v_next_watermark, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, watermark_before, watermark_after,
      source_rows, inserted_rows, deleted_rows, unchanged_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_watermark, v_next_watermark,
      v_source_rows,
      v_new_rows,
      CASE WHEN v_full_refresh THEN v_target_rows ELSE 0 END,
      0
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/run_int_payments.sql: run of intermediate.int_payments

-- CALL `acme-analytics`.c360_control.run_int_payments(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_int_payments(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_int_payments(NULL, TRUE);
--      replaces every row, in one transaction
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          the rows of every payment_id in the batch replace those in the table; other rows are kept
-- Errors:  ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_int_payments(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings int_payments up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'intermediate.int_payments';
  DECLARE c_spec_hash STRING DEFAULT '8788628355af93b82ddd53aafe187853ec2d887ad695a89e86fe3d42685d2063';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_full_refresh BOOL DEFAULT COALESCE(p_full_refresh, FALSE);
  DECLARE v_incremental BOOL;
  DECLARE v_watermark TIMESTAMP;
  DECLARE v_window_start TIMESTAMP;
  DECLARE v_next_watermark TIMESTAMP;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_source_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_newest TIMESTAMP;
  DECLARE v_target_rows INT64;
  DECLARE v_deleted_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw_data.payments must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 6 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('payment_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('order_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('payment_method' AS c360_name, 'text' AS c360_family),
        STRUCT('amount' AS c360_name, 'number' AS c360_family),
        STRUCT('status' AS c360_name, 'text' AS c360_family),
        STRUCT('updated_at' AS c360_name, 'timestamptz' AS c360_family)
      ]) AS w
      LEFT JOIN (
        SELECT
          LOWER(c.column_name) AS c360_name,
          CASE
            WHEN c.data_type = 'INT64'
            THEN 'integer'
            WHEN c.data_type LIKE 'NUMERIC%' OR c.data_type LIKE 'BIGNUMERIC%' OR c.data_type = 'FLOAT64'
            THEN 'number'
            WHEN c.data_type LIKE 'STRING%'
            THEN 'text'
            WHEN c.data_type = 'BOOL'
            THEN 'boolean'
            WHEN c.data_type = 'TIMESTAMP'
            THEN 'timestamptz'
            WHEN c.data_type = 'DATETIME'
            THEN 'timestamp'
            ELSE LOWER(c.data_type)
          END AS c360_family
        FROM `acme-analytics`.raw_data.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'payments'
      ) AS a
        ON a.c360_name = w.c360_name
      WHERE
        a.c360_family IS NULL
        OR a.c360_family <> w.c360_family
        AND NOT (
          a.c360_family = 'integer' AND w.c360_family = 'number'
        )
    );

    -- No column at all: who reads the catalog sees nothing of a table that is not there.
    IF v_missing_tables > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_payments: ',
        'raw_data.payments is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 intermediate.int_payments: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw_data.payments are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_int_payments (
      c360_action STRING,
      payment_id INT64,
      order_id INT64,
      payment_method STRING,
      amount NUMERIC(12, 2),
      status STRING,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_int_payments SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_int_payments SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;
    SET v_incremental = v_last_as_of IS NOT NULL AND NOT v_full_refresh;
    SET v_watermark = (
      SELECT MAX(w.cursor_value)
      FROM `acme-analytics`.c360_control.watermark AS w
      WHERE w.node = c_node
        AND w.recorded_at = (SELECT MAX(l.recorded_at) FROM `acme-analytics`.c360_control.watermark AS l WHERE l.node = c_node)
    );
    IF v_incremental THEN
      SET v_window_start = TIMESTAMP_SUB(v_watermark, INTERVAL 259200 SECOND);
    END IF;

    -- Read the batch once.
    INSERT INTO stage_int_payments (
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
        ROUND(CAST(m.amount AS NUMERIC), 2) AS amount,
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
        FROM `acme-analytics`.staging.stg_payments AS stg_payments
      ) AS m
      WHERE
        v_window_start IS NULL OR m.updated_at >= v_window_start OR m.updated_at IS NULL
    ) AS b;

    -- Count what was decided.
    SET (v_source_rows, v_null_keys, v_null_times, v_newest) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action IN ('batch', 'null_key', 'null_time') THEN 1 END) AS source_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        MAX(s.updated_at) AS newest
      FROM stage_int_payments AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 intermediate.int_payments: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of int_payments have no payment_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- No watermark would ever reach a NULL.
    IF v_null_times > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            COALESCE(CAST(s.payment_id AS STRING), 'NULL') AS c360_key
          FROM stage_int_payments AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 intermediate.int_payments: ',
        CAST(v_null_times AS STRING),
        ' rows of the query of int_payments have no usable updated_at',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.intermediate.int_payments AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.intermediate.int_payments AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_payments', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Find the keys whose rows differ, as multisets: what is equal is not written again.
    INSERT INTO stage_int_payments (
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
        FROM stage_int_payments AS s
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
        FROM `acme-analytics`.intermediate.int_payments AS t
        INNER JOIN (
          SELECT DISTINCT
            k.payment_id
          FROM stage_int_payments AS k
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
    SET (v_deleted_rows, v_new_rows) = (
      SELECT AS STRUCT
        (
          SELECT
            COUNT(*)
          FROM `acme-analytics`.intermediate.int_payments AS t
          INNER JOIN stage_int_payments AS r
            ON r.payment_id = t.payment_id AND r.c360_action = 'replace'
        ) AS deleted_rows,
        (
          SELECT
            COUNT(*)
          FROM stage_int_payments AS s
          INNER JOIN stage_int_payments AS r
            ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
          WHERE
            s.c360_action = 'batch'
        ) AS new_rows
    );

    -- Remove the rows of the keys that differ.
    IF v_deleted_rows > 0 THEN
      DELETE FROM `acme-analytics`.intermediate.int_payments AS t
      WHERE
        EXISTS(
          SELECT
            1
          FROM stage_int_payments AS r
          WHERE
            r.c360_action = 'replace' AND r.payment_id = t.payment_id
        );
      IF @@row_count <> v_deleted_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_payments', ': ', CAST(v_deleted_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that replace them.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.intermediate.int_payments (
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
      FROM stage_int_payments AS s
      INNER JOIN stage_int_payments AS r
        ON r.payment_id = s.payment_id AND r.c360_action = 'replace'
      WHERE
        s.c360_action = 'batch';
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'intermediate.int_payments', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    SET v_next_watermark = CASE WHEN v_newest > v_as_of THEN v_as_of ELSE v_newest END;
    IF NOT v_full_refresh AND (v_next_watermark IS NULL OR v_next_watermark < v_watermark) THEN
      SET v_next_watermark = v_watermark;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, v_next_watermark, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, watermark_before, watermark_after,
      source_rows, inserted_rows, deleted_rows, unchanged_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_watermark, v_next_watermark,
      v_source_rows,
      v_new_rows,
      CASE WHEN v_full_refresh THEN v_target_rows ELSE v_deleted_rows END,
      v_source_rows - v_new_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/run_mart_customer_360.sql: run of marts.mart_customer_360

-- CALL `acme-analytics`.c360_control.run_mart_customer_360(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_mart_customer_360(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: mart_customer_360_pk
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC021 a constraint does not hold
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_mart_customer_360(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Replaces the contents of mart_customer_360 by its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'marts.mart_customer_360';
  DECLARE c_spec_hash STRING DEFAULT 'bfbbba32bbfb31c4d57be5547404d73e1b179fb13976f26f0c7ee17b198ac160';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_target_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_violating_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_mart_customer_360 SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_mart_customer_360 SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- 4. The run time, read after the lock: a run that waited is not older than the run it waited for.
    SET v_as_of = COALESCE(p_as_of, CURRENT_TIMESTAMP());
    SET v_latest = TIMESTAMP_ADD(v_as_of, INTERVAL 300 SECOND);
    SET v_last_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node);
    IF v_as_of < v_last_as_of OR v_as_of > TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 300 SECOND) THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC005 ', c_node, ': the run time ', CAST(v_as_of AS STRING), ' is before that of the last run, ',
        COALESCE(CAST(v_last_as_of AS STRING), 'none'), ', or in the future. Nothing was written. Repeat runs in ascending order of p_as_of.'
      );
    END IF;

    -- Count the rows that go.
    SET v_target_rows = (
      SELECT
        COUNT(*) AS target_rows
      FROM `acme-analytics`.marts.mart_customer_360 AS t
    );

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM `acme-analytics`.marts.mart_customer_360 AS t
    WHERE
      TRUE;
    IF @@row_count <> v_target_rows THEN
      RAISE USING MESSAGE = CONCAT('ZC006 ', 'marts.mart_customer_360', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
    END IF;

    -- Fill it again.
    INSERT INTO `acme-analytics`.marts.mart_customer_360 (
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
          DATE(v_as_of, 'UTC') AS today
      ), orders AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS order_count,
          SUM(CASE WHEN o.status <> 'cancelled' THEN o.total_amount ELSE 0 END) AS lifetime_value,
          ROUND(AVG(CAST(o.total_amount AS BIGNUMERIC)), 9) AS average_order_value,
          MIN(o.order_date) AS first_order_date,
          MAX(o.order_date) AS last_order_date
        FROM `acme-analytics`.intermediate.int_customer_orders AS o
        GROUP BY
          o.customer_id
      ), payments AS (
        SELECT
          o.customer_id AS customer_id,
          COUNT(*) AS payment_count,
          SUM(CASE WHEN p.status = 'refunded' THEN 1 ELSE 0 END) AS refund_count,
          SUM(CASE WHEN p.status = 'completed' THEN p.amount ELSE 0 END) AS paid_amount
        FROM `acme-analytics`.intermediate.int_payments AS p
        JOIN `acme-analytics`.intermediate.int_customer_orders AS o
          ON o.order_id = p.order_id
        GROUP BY
          o.customer_id
      ), methods AS (
        SELECT
          o.customer_id AS customer_id,
          p.payment_method AS payment_method,
          COUNT(*) AS used
        FROM `acme-analytics`.intermediate.int_payments AS p
        JOIN `acme-analytics`.intermediate.int_customer_orders AS o
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
            ROW_NUMBER() OVER (
              PARTITION BY methods.customer_id
              ORDER BY methods.used DESC NULLS FIRST, methods.payment_method NULLS LAST
            ) AS position
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
            ORDER BY int_interactions.occurred_at DESC NULLS FIRST, int_interactions.interaction_id DESC NULLS FIRST
          ) AS recency
        FROM `acme-analytics`.intermediate.int_interactions AS int_interactions
      ), versions AS (
        SELECT
          customer_snapshot.customer_id AS customer_id,
          COUNT(*) AS version_count
        FROM `acme-analytics`.snapshots.customer_snapshot AS customer_snapshot
        GROUP BY
          customer_snapshot.customer_id
      )
      SELECT
        c.customer_id AS customer_id,
        CAST(TRIM(c.first_name, ' ') || ' ' || TRIM(c.last_name, ' ') AS STRING) AS full_name,
        c.email AS email,
        CAST(COALESCE(o.order_count, 0) AS INT64) AS order_count,
        ROUND(CAST(COALESCE(o.lifetime_value, 0) AS BIGNUMERIC), 2) AS lifetime_value,
        ROUND(CAST(o.average_order_value AS BIGNUMERIC), 2) AS average_order_value,
        CAST(DATE_DIFF(clock.today, o.last_order_date, DAY) AS INT64) AS days_since_last_order,
        CAST(DIV((
          DATE_DIFF(clock.today, o.first_order_date, DAY)
        ), 30) AS INT64) AS months_as_customer,
        CAST(COALESCE(p.payment_count, 0) AS INT64) AS payment_count,
        ROUND(
          CAST(ROUND(CAST(ROUND(CAST(p.refund_count AS NUMERIC), 4) AS BIGNUMERIC) / NULLIF(p.payment_count, 0), 9) AS NUMERIC),
          4
        ) AS refund_rate,
        ROUND(CAST(COALESCE(p.paid_amount, 0) AS BIGNUMERIC), 2) AS paid_amount,
        f.payment_method AS favourite_payment_method,
        CAST(COALESCE(k.interaction_count, 0) AS INT64) AS interaction_count,
        k.channel AS last_channel,
        CAST(v.version_count AS INT64) AS version_count,
        CAST(CASE
          WHEN o.order_count IS NULL
          THEN 'prospect'
          WHEN o.lifetime_value >= 500
          THEN 'gold'
          WHEN DATE_DIFF(clock.today, o.last_order_date, DAY) <= 90
          THEN 'active'
          ELSE 'dormant'
        END AS STRING) AS segment
      FROM `acme-analytics`.snapshots.customer_snapshot AS c
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
    SET v_new_rows = (
      SELECT
        COUNT(*) AS new_rows
      FROM `acme-analytics`.marts.mart_customer_360 AS t
    );

    -- Constraint mart_customer_360_pk: customer_id is unique and never NULL.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.customer_id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.marts.mart_customer_360 AS t
        GROUP BY
          t.customer_id
        HAVING
          COUNT(*) > 1 OR t.customer_id IS NULL
      ) AS b
    );

    -- The engine itself does not look at it.
    IF v_violating_rows > 0 THEN
      SET v_sample = (
        SELECT
          STRING_AGG(k.c360_key, '; '
          ORDER BY
            k.c360_key) AS c360_sample
        FROM (
          SELECT DISTINCT
            CAST(b.c360_key_1 AS STRING) AS c360_key
          FROM (
            SELECT
              COALESCE(CAST(t.customer_id AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.marts.mart_customer_360 AS t
            GROUP BY
              t.customer_id
            HAVING
              COUNT(*) > 1 OR t.customer_id IS NULL
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 marts.mart_customer_360: ',
        CAST(v_violating_rows AS STRING),
        ' values of customer_id break the constraint mart_customer_360_pk: customer_id is unique and never NULL',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      inserted_rows, deleted_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_new_rows,
      v_target_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    -- Keep the message first: the statements below would replace it.
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'run', FALSE, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/check_customer_snapshot.sql: check of snapshots.customer_snapshot

-- CALL `acme-analytics`.c360_control.check_customer_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_customer_snapshot()
OPTIONS (strict_mode = FALSE, description = 'Fails when the history customer_snapshot is not sound')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.customer_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT FALSE;
  DECLARE v_as_of TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_damaged_rows INT64;
  DECLARE v_damage STRING;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'check', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- Count the versions that break a rule, under the first one that each breaks.
    SET (v_damaged_rows, v_damage) = (
      SELECT AS STRUCT
        COALESCE(SUM(l.found), 0) AS damaged_rows,
        STRING_AGG(l.line, ', '
        ORDER BY
          l.line) AS damage
      FROM (
        SELECT
          d.found AS found,
          d.problem || ': ' || CAST(d.found AS STRING) || ' (' || d.example || ')' AS line
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
              ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
                COALESCE(CAST(v.customer_id AS STRING), 'NULL') AS c360_key
              FROM (
                SELECT
                  h.customer_id,
                  h.valid_from,
                  h.valid_to,
                  LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
                  COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
                FROM `acme-analytics`.snapshots.customer_snapshot AS h
              ) AS v
            ) AS j
            WHERE
              j.c360_problem IS NOT NULL
          ) AS p
          GROUP BY
            p.c360_problem
        ) AS d
      ) AS l
    );

    -- A sound history has none.
    IF v_damaged_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC016 snapshots.customer_snapshot: ',
        CAST(v_damaged_rows AS STRING),
        ' versions are damaged: ',
        CAST(v_damage AS STRING),
        '. See the view customer_snapshot_health. Rewind to a run before the damage, or mend it by hand.'
      );
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id
    )
    VALUES (
      v_run_id, c_node, 'check', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'check', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/rewind_customer_snapshot.sql: rewind of snapshots.customer_snapshot

-- CALL `acme-analytics`.c360_control.rewind_customer_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', TRUE);
--      a dry run: it counts what it would do, and logs that
-- CALL `acme-analytics`.c360_control.rewind_customer_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.rewind_customer_snapshot(p_to TIMESTAMP, IN p_dry_run BOOL)
OPTIONS (strict_mode = FALSE, description = 'Takes the history customer_snapshot back to what it was after the last run at or before an instant')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.customer_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'c570e573c852adeb1033222003e2f2ed898a2d8068622780f4dd9f140bab141d';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT COALESCE(p_dry_run, TRUE);
  DECLARE v_rewind_to TIMESTAMP DEFAULT p_to;
  DECLARE v_as_of TIMESTAMP DEFAULT v_rewind_to;
  DECLARE v_unknown_rows INT64;
  DECLARE v_removed_rows INT64;
  DECLARE v_reopened_rows INT64;
  DECLARE v_kept_as_of TIMESTAMP;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_customer_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- The run whose result stays.
    SET v_kept_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node AND w.as_of <= v_rewind_to);

    -- Nobody means all of it by NULL.
    IF v_rewind_to IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.customer_snapshot: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
      );
    END IF;

    -- Runs that are not in the log cannot be told from each other.
    IF v_kept_as_of IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.customer_snapshot: ',
        'the log has no run at or before ',
        CAST(v_rewind_to AS STRING),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
      );
    END IF;

    -- What a run did that is not in the log any more cannot be taken back.
    SET v_unknown_rows = (
      SELECT
        COUNT(*) AS unknown_rows
      FROM `acme-analytics`.snapshots.customer_snapshot AS h
      WHERE
        (
          h.valid_from > v_rewind_to
          AND h.opened_run_id IS NOT NULL
          AND NOT h.opened_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
        OR (
          h.valid_to > v_rewind_to
          AND h.closed_run_id IS NOT NULL
          AND NOT h.closed_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
    );

    -- A part of it would stay.
    IF v_unknown_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.customer_snapshot: ',
        CAST(v_unknown_rows AS STRING),
        ' versions began or ended after ',
        CAST(v_rewind_to AS STRING),
        ' by runs that the log has not',
        '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.'
      );
    END IF;

    -- Count what the runs after that instant have done.
    SET (v_removed_rows, v_reopened_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
        COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
      FROM `acme-analytics`.snapshots.customer_snapshot AS h
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS o
        ON o.run_id = h.opened_run_id
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS c
        ON c.run_id = h.closed_run_id
    );

    -- Remove the versions that later runs opened.
    IF v_removed_rows > 0 AND NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.snapshots.customer_snapshot AS t
      WHERE
        t.opened_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_removed_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.customer_snapshot', ': ', CAST(v_removed_rows AS STRING), ' versions to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Open those again that later runs closed.
    IF v_reopened_rows > 0 AND NOT v_dry_run THEN
      UPDATE `acme-analytics`.snapshots.customer_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
      WHERE
        t.closed_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_reopened_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.customer_snapshot', ': ', CAST(v_reopened_rows AS STRING), ' versions to open again, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- What is undone does not count as committed any more; the next run reads on from the run that stays.
    IF NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.c360_control.watermark WHERE node = c_node AND as_of > v_rewind_to;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, updated_rows, deleted_rows
    )
    VALUES (
      v_run_id, c_node, 'rewind', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_reopened_rows,
      v_removed_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/check_order_snapshot.sql: check of snapshots.order_snapshot

-- CALL `acme-analytics`.c360_control.check_order_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_order_snapshot()
OPTIONS (strict_mode = FALSE, description = 'Fails when the history order_snapshot is not sound')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.order_snapshot';
  DECLARE c_spec_hash STRING DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT FALSE;
  DECLARE v_as_of TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_damaged_rows INT64;
  DECLARE v_damage STRING;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'check', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- Count the versions that break a rule, under the first one that each breaks.
    SET (v_damaged_rows, v_damage) = (
      SELECT AS STRUCT
        COALESCE(SUM(l.found), 0) AS damaged_rows,
        STRING_AGG(l.line, ', '
        ORDER BY
          l.line) AS damage
      FROM (
        SELECT
          d.found AS found,
          d.problem || ': ' || CAST(d.found AS STRING) || ' (' || d.example || ')' AS line
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
              ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
                COALESCE(CAST(v.order_id AS STRING), 'NULL') AS c360_key
              FROM (
                SELECT
                  h.order_id,
                  h.valid_from,
                  h.valid_to,
                  LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
                  COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
                FROM `acme-analytics`.snapshots.order_snapshot AS h
              ) AS v
            ) AS j
            WHERE
              j.c360_problem IS NOT NULL
          ) AS p
          GROUP BY
            p.c360_problem
        ) AS d
      ) AS l
    );

    -- A sound history has none.
    IF v_damaged_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC016 snapshots.order_snapshot: ',
        CAST(v_damaged_rows AS STRING),
        ' versions are damaged: ',
        CAST(v_damage AS STRING),
        '. See the view order_snapshot_health. Rewind to a run before the damage, or mend it by hand.'
      );
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id
    )
    VALUES (
      v_run_id, c_node, 'check', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'check', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/rewind_order_snapshot.sql: rewind of snapshots.order_snapshot

-- CALL `acme-analytics`.c360_control.rewind_order_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', TRUE);
--      a dry run: it counts what it would do, and logs that
-- CALL `acme-analytics`.c360_control.rewind_order_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.rewind_order_snapshot(p_to TIMESTAMP, IN p_dry_run BOOL)
OPTIONS (strict_mode = FALSE, description = 'Takes the history order_snapshot back to what it was after the last run at or before an instant')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.order_snapshot';
  DECLARE c_spec_hash STRING DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT COALESCE(p_dry_run, TRUE);
  DECLARE v_rewind_to TIMESTAMP DEFAULT p_to;
  DECLARE v_as_of TIMESTAMP DEFAULT v_rewind_to;
  DECLARE v_unknown_rows INT64;
  DECLARE v_removed_rows INT64;
  DECLARE v_reopened_rows INT64;
  DECLARE v_kept_as_of TIMESTAMP;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- The run whose result stays.
    SET v_kept_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node AND w.as_of <= v_rewind_to);

    -- Nobody means all of it by NULL.
    IF v_rewind_to IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.order_snapshot: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
      );
    END IF;

    -- Runs that are not in the log cannot be told from each other.
    IF v_kept_as_of IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.order_snapshot: ',
        'the log has no run at or before ',
        CAST(v_rewind_to AS STRING),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
      );
    END IF;

    -- What a run did that is not in the log any more cannot be taken back.
    SET v_unknown_rows = (
      SELECT
        COUNT(*) AS unknown_rows
      FROM `acme-analytics`.snapshots.order_snapshot AS h
      WHERE
        (
          h.valid_from > v_rewind_to
          AND h.opened_run_id IS NOT NULL
          AND NOT h.opened_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
        OR (
          h.valid_to > v_rewind_to
          AND h.closed_run_id IS NOT NULL
          AND NOT h.closed_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
    );

    -- A part of it would stay.
    IF v_unknown_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.order_snapshot: ',
        CAST(v_unknown_rows AS STRING),
        ' versions began or ended after ',
        CAST(v_rewind_to AS STRING),
        ' by runs that the log has not',
        '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.'
      );
    END IF;

    -- Count what the runs after that instant have done.
    SET (v_removed_rows, v_reopened_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
        COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
      FROM `acme-analytics`.snapshots.order_snapshot AS h
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS o
        ON o.run_id = h.opened_run_id
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS c
        ON c.run_id = h.closed_run_id
    );

    -- Remove the versions that later runs opened.
    IF v_removed_rows > 0 AND NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.snapshots.order_snapshot AS t
      WHERE
        t.opened_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_removed_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.order_snapshot', ': ', CAST(v_removed_rows AS STRING), ' versions to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Open those again that later runs closed.
    IF v_reopened_rows > 0 AND NOT v_dry_run THEN
      UPDATE `acme-analytics`.snapshots.order_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
      WHERE
        t.closed_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_reopened_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.order_snapshot', ': ', CAST(v_reopened_rows AS STRING), ' versions to open again, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- What is undone does not count as committed any more; the next run reads on from the run that stays.
    IF NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.c360_control.watermark WHERE node = c_node AND as_of > v_rewind_to;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, updated_rows, deleted_rows
    )
    VALUES (
      v_run_id, c_node, 'rewind', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_reopened_rows,
      v_removed_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/check_payment_snapshot.sql: check of snapshots.payment_snapshot

-- CALL `acme-analytics`.c360_control.check_payment_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_payment_snapshot()
OPTIONS (strict_mode = FALSE, description = 'Fails when the history payment_snapshot is not sound')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.payment_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT FALSE;
  DECLARE v_as_of TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_damaged_rows INT64;
  DECLARE v_damage STRING;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'check', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- Count the versions that break a rule, under the first one that each breaks.
    SET (v_damaged_rows, v_damage) = (
      SELECT AS STRUCT
        COALESCE(SUM(l.found), 0) AS damaged_rows,
        STRING_AGG(l.line, ', '
        ORDER BY
          l.line) AS damage
      FROM (
        SELECT
          d.found AS found,
          d.problem || ': ' || CAST(d.found AS STRING) || ' (' || d.example || ')' AS line
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
              ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
                COALESCE(CAST(v.payment_id AS STRING), 'NULL') AS c360_key
              FROM (
                SELECT
                  h.payment_id,
                  h.valid_from,
                  h.valid_to,
                  LEAD(h.valid_from) OVER (PARTITION BY h.payment_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
                  COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.payment_id) AS c360_open
                FROM `acme-analytics`.snapshots.payment_snapshot AS h
              ) AS v
            ) AS j
            WHERE
              j.c360_problem IS NOT NULL
          ) AS p
          GROUP BY
            p.c360_problem
        ) AS d
      ) AS l
    );

    -- A sound history has none.
    IF v_damaged_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC016 snapshots.payment_snapshot: ',
        CAST(v_damaged_rows AS STRING),
        ' versions are damaged: ',
        CAST(v_damage AS STRING),
        '. See the view payment_snapshot_health. Rewind to a run before the damage, or mend it by hand.'
      );
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id
    )
    VALUES (
      v_run_id, c_node, 'check', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'check', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== procedures/rewind_payment_snapshot.sql: rewind of snapshots.payment_snapshot

-- CALL `acme-analytics`.c360_control.rewind_payment_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', TRUE);
--      a dry run: it counts what it would do, and logs that
-- CALL `acme-analytics`.c360_control.rewind_payment_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.rewind_payment_snapshot(p_to TIMESTAMP, IN p_dry_run BOOL)
OPTIONS (strict_mode = FALSE, description = 'Takes the history payment_snapshot back to what it was after the last run at or before an instant')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.payment_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT COALESCE(p_dry_run, TRUE);
  DECLARE v_rewind_to TIMESTAMP DEFAULT p_to;
  DECLARE v_as_of TIMESTAMP DEFAULT v_rewind_to;
  DECLARE v_unknown_rows INT64;
  DECLARE v_removed_rows INT64;
  DECLARE v_reopened_rows INT64;
  DECLARE v_kept_as_of TIMESTAMP;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- The run whose result stays.
    SET v_kept_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node AND w.as_of <= v_rewind_to);

    -- Nobody means all of it by NULL.
    IF v_rewind_to IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.payment_snapshot: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
      );
    END IF;

    -- Runs that are not in the log cannot be told from each other.
    IF v_kept_as_of IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.payment_snapshot: ',
        'the log has no run at or before ',
        CAST(v_rewind_to AS STRING),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
      );
    END IF;

    -- What a run did that is not in the log any more cannot be taken back.
    SET v_unknown_rows = (
      SELECT
        COUNT(*) AS unknown_rows
      FROM `acme-analytics`.snapshots.payment_snapshot AS h
      WHERE
        (
          h.valid_from > v_rewind_to
          AND h.opened_run_id IS NOT NULL
          AND NOT h.opened_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
        OR (
          h.valid_to > v_rewind_to
          AND h.closed_run_id IS NOT NULL
          AND NOT h.closed_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
    );

    -- A part of it would stay.
    IF v_unknown_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.payment_snapshot: ',
        CAST(v_unknown_rows AS STRING),
        ' versions began or ended after ',
        CAST(v_rewind_to AS STRING),
        ' by runs that the log has not',
        '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.'
      );
    END IF;

    -- Count what the runs after that instant have done.
    SET (v_removed_rows, v_reopened_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
        COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
      FROM `acme-analytics`.snapshots.payment_snapshot AS h
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS o
        ON o.run_id = h.opened_run_id
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS c
        ON c.run_id = h.closed_run_id
    );

    -- Remove the versions that later runs opened.
    IF v_removed_rows > 0 AND NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.snapshots.payment_snapshot AS t
      WHERE
        t.opened_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_removed_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.payment_snapshot', ': ', CAST(v_removed_rows AS STRING), ' versions to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Open those again that later runs closed.
    IF v_reopened_rows > 0 AND NOT v_dry_run THEN
      UPDATE `acme-analytics`.snapshots.payment_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
      WHERE
        t.closed_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_reopened_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.payment_snapshot', ': ', CAST(v_reopened_rows AS STRING), ' versions to open again, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- What is undone does not count as committed any more; the next run reads on from the run that stays.
    IF NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.c360_control.watermark WHERE node = c_node AND as_of > v_rewind_to;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, updated_rows, deleted_rows
    )
    VALUES (
      v_run_id, c_node, 'rewind', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_reopened_rows,
      v_removed_rows
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;


-- ==================== jobs/run_job_snapshots_daily.sql: job snapshots_daily

-- CALL `acme-analytics`.c360_control.run_job_snapshots_daily();
-- Scheduled queries cannot depend on each other, so this runs the nodes in the order of their dependencies. Each commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe. Each node takes its own clock.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_job_snapshots_daily()
OPTIONS (description = 'Runs every node of the schedule snapshots_daily in order')
BEGIN
  CALL `acme-analytics`.c360_control.run_customer_snapshot(NULL);
  CALL `acme-analytics`.c360_control.run_order_snapshot(NULL);
  CALL `acme-analytics`.c360_control.run_payment_snapshot(NULL);
END;


-- ==================== jobs/run_job_incrementals.sql: job incrementals

-- CALL `acme-analytics`.c360_control.run_job_incrementals();
-- Scheduled queries cannot depend on each other, so this runs the nodes in the order of their dependencies. Each commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe. Each node takes its own clock.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_job_incrementals()
OPTIONS (description = 'Runs every node of the schedule incrementals in order')
BEGIN
  CALL `acme-analytics`.c360_control.run_int_customer_orders(NULL, FALSE);
  CALL `acme-analytics`.c360_control.run_int_interactions(NULL, FALSE);
  CALL `acme-analytics`.c360_control.run_int_payments(NULL, FALSE);
  CALL `acme-analytics`.c360_control.run_mart_customer_360(NULL);
END;


-- ==================== jobs/prune_run_log.sql: retention of the run log

-- CALL `acme-analytics`.c360_control.prune_run_log(400);
-- Rows of the run log that are older than so many days go; the last success of every node stays, and so do
-- the last success and the last failure of every window.
-- A history can be rewound to runs that are in the log.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.prune_run_log(IN p_keep_days INT64)
OPTIONS (description = 'Removes old rows of the run log')
BEGIN
  DELETE FROM `acme-analytics`.c360_control.run_log
  WHERE logged_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL p_keep_days DAY)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM `acme-analytics`.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM `acme-analytics`.c360_control.watermark
  WHERE run_id NOT IN (SELECT l.run_id FROM `acme-analytics`.c360_control.run_log AS l)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM `acme-analytics`.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM `acme-analytics`.c360_control.window_log
  WHERE recorded_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL p_keep_days DAY)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (
        SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node, w.window_start, w.status ORDER BY w.recorded_at DESC) AS position
        FROM `acme-analytics`.c360_control.window_log AS w
      ) AS k
      WHERE k.position = 1
    );
END;


-- Guard: no history expires. A table takes over what its data set says of expiration when it is made.
IF EXISTS (
  SELECT
    o.table_name
  FROM `acme-analytics`.snapshots.INFORMATION_SCHEMA.TABLE_OPTIONS AS o
  WHERE
    o.table_name IN ('customer_snapshot', 'order_snapshot', 'payment_snapshot')
    AND o.option_name IN ('expiration_timestamp', 'partition_expiration_days')
) THEN
  RAISE USING MESSAGE = 'a history in snapshots has an expiration: its versions would be deleted. Say for it ALTER TABLE … SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL), and deploy again.';
END IF;

INSERT INTO `acme-analytics`.c360_control.release (shape, released_at, released_by)
SELECT '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f', CURRENT_TIMESTAMP(), SESSION_USER()
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.release AS r WHERE r.shape = '7e5a2cf5e9493d649eaf7e8484f90e4079e51188c265faeafac13a18fcbf330f');
