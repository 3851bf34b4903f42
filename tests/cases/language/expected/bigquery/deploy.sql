-- c360gen | bigquery | deploy of language to target bigquery, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 016bce76ac53fe6233103b9e69c4b64c04baf371c6d511cfa4d9bb303df8ecae

-- All data sets must be in one location: a procedure cannot read across locations, and a data set stays where it was made.
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.c360_control;
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.analytics;
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.ref;
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.snap;

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
  WHERE r.shape <> 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53'
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

CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.seed_state (
  seed STRING NOT NULL OPTIONS (description = 'schema.name of the seed'),
  digest STRING NOT NULL OPTIONS (description = 'Hash of the rows that were loaded last'),
  loaded_at TIMESTAMP NOT NULL
)
OPTIONS (description = 'One row per seed, written in the transaction of its rows.');


-- ==================== tables/countries.sql: seed ref.country

CREATE TABLE IF NOT EXISTS `acme-analytics`.ref.country (
  code STRING(2),
  name STRING,
  since DATE
);

-- The rows of the seed, replaced as a whole, in one transaction, when they are not what was loaded last.
IF NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.seed_state AS s WHERE s.seed = 'ref.country' AND s.digest = 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68') THEN
  BEGIN
    DECLARE v_message STRING DEFAULT NULL;
    BEGIN
      BEGIN TRANSACTION;
      DELETE FROM `acme-analytics`.ref.country
      WHERE
        TRUE;
      INSERT INTO `acme-analytics`.ref.country (
        code,
        name,
        since
      )
      VALUES
        ('IT', 'Italy', CAST('1958-01-01' AS DATE)),
        ('NO', 'Norway, "Norge"', NULL);
      DELETE FROM `acme-analytics`.c360_control.seed_state WHERE seed = 'ref.country';
      INSERT INTO `acme-analytics`.c360_control.seed_state (seed, digest, loaded_at)
      SELECT 'ref.country', 'aeebdf21ccbc652bb421e2f282d2d7672f5b74b78ef61d8890cb1a7203aa2b68', CURRENT_TIMESTAMP();
      COMMIT TRANSACTION;
    EXCEPTION WHEN ERROR THEN
      -- Keep the message first: the statement below would replace it.
      SET v_message = @@error.message;
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_message = v_message || ' (BigQuery had ended the transaction already)';
      END;
      RAISE USING MESSAGE = v_message;
    END;
  END;
END IF;


-- ==================== tables/customers.sql: table analytics.customers

CREATE TABLE IF NOT EXISTS `acme-analytics`.analytics.customers (
  id INT64 NOT NULL,
  email STRING,
  country STRING,
  PRIMARY KEY (id) NOT ENFORCED
)
CLUSTER BY id;

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_customers (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_customers: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_customers (node)
SELECT 'analytics.customers'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_customers AS l);


-- ==================== tables/spending.sql: snapshot snap.spending

CREATE TABLE IF NOT EXISTS `acme-analytics`.snap.spending (
  customer_id INT64 NOT NULL,
  total BIGNUMERIC(38, 2),
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
  description='History of the query of spending, one row per version.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_spending (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_spending: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_spending (node)
SELECT 'snap.spending'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_spending AS l);


-- ==================== views/spending.sql: views of snap.spending

CREATE OR REPLACE VIEW `acme-analytics`.snap.spending_current
OPTIONS (
  description='The open versions of spending: one row per key.'
) AS
SELECT
  h.customer_id,
  h.total,
  h.valid_from
FROM `acme-analytics`.snap.spending AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.spending_as_of(p_at TIMESTAMP)
OPTIONS (description = 'spending as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.customer_id,
    h.total,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snap.spending AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.spending_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in spending after one instant and not after another, with old and new values.')
AS (
  SELECT
    v.customer_id,
    v.valid_from AS changed_at,
    CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
    b.total AS total_before,
    v.total AS total_after
  FROM `acme-analytics`.snap.spending AS v
  LEFT JOIN `acme-analytics`.snap.spending AS b
    ON b.customer_id = v.customer_id AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.customer_id,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.total AS total_before,
    ROUND(CAST(NULL AS BIGNUMERIC), 2) AS total_after
  FROM `acme-analytics`.snap.spending AS v
  LEFT JOIN `acme-analytics`.snap.spending AS n
    ON n.customer_id = v.customer_id AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snap.spending_health
OPTIONS (
  description='What is wrong with the history spending: no row when it is sound.'
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
      FROM `acme-analytics`.snap.spending AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== tables/order_lines.sql: incremental analytics.order_lines

CREATE TABLE IF NOT EXISTS `acme-analytics`.analytics.order_lines (
  id INT64 NOT NULL,
  customer_id INT64 NOT NULL,
  amount NUMERIC(12, 2),
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (id) NOT ENFORCED
)
CLUSTER BY id
OPTIONS (
  description='One row per large order.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_order_lines (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_order_lines: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_order_lines (node)
SELECT 'analytics.order_lines'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_order_lines AS l);


-- ==================== views/source_freshness.sql: how fresh the sources are

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.source_freshness
OPTIONS (description = 'One row per source that says how fresh it should be: its newest row, and whether that is too old. Ages in seconds.')
AS
SELECT
  'shop.customers' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 86400 SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 43200 SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS INT64) AS warn_after,
  CAST(86400 AS INT64) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      customers.updated_at AS loaded_at
    FROM `acme-analytics`.raw.customers AS customers
  ) AS q
) AS n
UNION ALL
SELECT
  'shop.orders' AS source,
  n.loaded_at AS loaded_at,
  CASE
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 86400 SECOND
    THEN 'error'
    WHEN n.loaded_at IS NULL OR n.loaded_at < CURRENT_TIMESTAMP() - INTERVAL 43200 SECOND
    THEN 'warn'
    ELSE 'pass'
  END AS status,
  CAST(43200 AS INT64) AS warn_after,
  CAST(86400 AS INT64) AS error_after
FROM (
  SELECT
    MAX(q.loaded_at) AS loaded_at
  FROM (
    SELECT
      orders.updated_at AS loaded_at
    FROM `acme-analytics`.raw.orders_v2 AS orders
    WHERE
      (
        orders.amount > 0
      )
  ) AS q
) AS n;


-- ==================== procedures/run_customers.sql: run of analytics.customers

-- CALL `acme-analytics`.c360_control.run_customers(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_customers(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: customers_pk, customers_email_uq
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC021 a constraint does not hold
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_customers(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Replaces the contents of customers by its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'analytics.customers';
  DECLARE c_spec_hash STRING DEFAULT '66af08f6696b199e6f90da8675b7f122c40f389a4bba02393afbcd771b3a7591';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_target_rows INT64;
  DECLARE v_new_rows INT64;
  DECLARE v_violating_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of shop.customers must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('id' AS c360_name, 'integer' AS c360_family),
        STRUCT('email' AS c360_name, 'text' AS c360_family),
        STRUCT('country' AS c360_name, 'text' AS c360_family),
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
        FROM `acme-analytics`.raw.INFORMATION_SCHEMA.COLUMNS AS c
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
        'ZC011 analytics.customers: ',
        'shop.customers is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 analytics.customers: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of shop.customers are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_customers SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_customers SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
      FROM `acme-analytics`.analytics.customers AS t
    );

    -- Empty the table; readers see its rows until the commit.
    DELETE FROM `acme-analytics`.analytics.customers AS t
    WHERE
      TRUE;
    IF @@row_count <> v_target_rows THEN
      RAISE USING MESSAGE = CONCAT('ZC006 ', 'analytics.customers', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
    END IF;

    -- Fill it again.
    INSERT INTO `acme-analytics`.analytics.customers (
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
      FROM `acme-analytics`.raw.customers AS c
      LEFT JOIN `acme-analytics`.ref.country AS n
        ON n.code = c.country
    ) AS m;

    -- Count the rows that came.
    SET v_new_rows = (
      SELECT
        COUNT(*) AS new_rows
      FROM `acme-analytics`.analytics.customers AS t
    );

    -- Constraint customers_pk: id is unique and never NULL.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.analytics.customers AS t
        GROUP BY
          t.id
        HAVING
          COUNT(*) > 1 OR t.id IS NULL
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
              COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.analytics.customers AS t
            GROUP BY
              t.id
            HAVING
              COUNT(*) > 1 OR t.id IS NULL
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 analytics.customers: ',
        CAST(v_violating_rows AS STRING),
        ' values of id break the constraint customers_pk: id is unique and never NULL',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
    END IF;

    -- Constraint customers_email_uq: email is unique.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.email AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.analytics.customers AS t
        WHERE
          t.email IS NOT NULL
        GROUP BY
          t.email
        HAVING
          COUNT(*) > 1
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
              COALESCE(CAST(t.email AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.analytics.customers AS t
            WHERE
              t.email IS NOT NULL
            GROUP BY
              t.email
            HAVING
              COUNT(*) > 1
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 analytics.customers: ',
        CAST(v_violating_rows AS STRING),
        ' values of email break the constraint customers_email_uq: email is unique',
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


-- ==================== procedures/run_spending.sql: run of snap.spending

-- CALL `acme-analytics`.c360_control.run_spending(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_spending(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
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
--          ZC008 not deployed
--          ZC010 a version cannot be closed yet
--          ZC011 source columns are not as declared
--          ZC021 a constraint does not hold
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_spending(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Brings the history spending up to date with the query of spending')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snap.spending';
  DECLARE c_spec_hash STRING DEFAULT 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e';
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
  DECLARE v_source_rows INT64;
  DECLARE v_open_rows INT64;
  DECLARE v_new_keys INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_violating_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of shop.orders must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('id' AS c360_name, 'integer' AS c360_family),
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('amount' AS c360_name, 'number' AS c360_family),
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
        FROM `acme-analytics`.raw.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'orders_v2'
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
        'ZC011 snap.spending: ',
        'shop.orders is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snap.spending: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of shop.orders are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_spending (
      c360_action STRING,
      c360_rows INT64,
      c360_open_from TIMESTAMP,
      c360_starts_at TIMESTAMP,
      c360_ends_at TIMESTAMP,
      customer_id INT64,
      total BIGNUMERIC(38, 2)
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_spending SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_spending SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
    INSERT INTO stage_spending (
      c360_action,
      c360_rows,
      c360_open_from,
      c360_starts_at,
      c360_ends_at,
      customer_id,
      total
    )
    WITH c360_large_orders AS (
      SELECT
        orders.id AS id,
        orders.customer_id AS customer_id,
        orders.amount AS amount,
        orders.updated_at AS updated_at
      FROM `acme-analytics`.raw.orders_v2 AS orders
      WHERE
        orders.amount >= 10
    ), c360_spending AS (
      SELECT
        large_orders.customer_id AS customer_id,
        ROUND(CAST(SUM(large_orders.amount) AS BIGNUMERIC), 2) AS total
      FROM c360_large_orders AS large_orders
      GROUP BY
        large_orders.customer_id
    )
    SELECT
      d.c360_action,
      NULL AS c360_rows,
      d.c360_open_from,
      CASE WHEN d.c360_action IN ('new', 'change', 'revive') THEN v_as_of END AS c360_starts_at,
      CASE WHEN d.c360_action = 'change' THEN v_as_of WHEN d.c360_action = 'delete' THEN v_as_of END AS c360_ends_at,
      d.customer_id,
      d.total
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
        e.total
      FROM (
        SELECT
          w.c360_action,
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
            o.valid_from AS c360_open_from,
            COALESCE(s.customer_id, o.customer_id) AS customer_id,
            s.total AS total
          FROM (
            SELECT
              r.customer_id,
              ROUND(CAST(r.total AS BIGNUMERIC), 2) AS total,
              TRUE AS c360_present
            FROM c360_spending AS r
          ) AS s
          FULL JOIN (
            SELECT
              h.customer_id,
              h.total,
              h.valid_from
            FROM `acme-analytics`.snap.spending AS h
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
        FROM `acme-analytics`.snap.spending AS p
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
      NULL AS total
    FROM c360_spending AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS customer_id,
      NULL AS total
    FROM `acme-analytics`.snap.spending AS h
    WHERE
      h.valid_to IS NULL;

    -- Count what was decided.
    SET (v_staged_rows, v_absent_rows, v_starting_rows, v_closing_rows, v_deleted_rows, v_revived_rows, v_dated_by_run,
         v_blocked_rows, v_new_rows, v_unmatched_rows, v_null_keys, v_source_rows, v_open_rows, v_new_keys) = (
      SELECT AS STRUCT
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
            FROM stage_spending AS k
            WHERE
              k.c360_action IN ('new', 'revive')
          ) AS u
        ) AS new_keys
      FROM stage_spending AS s
    );

    -- Only where the numbers do not add up, look for the keys that occur twice.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_duplicate_keys = (
        WITH c360_large_orders AS (
          SELECT
            orders.id AS id,
            orders.customer_id AS customer_id,
            orders.amount AS amount,
            orders.updated_at AS updated_at
          FROM `acme-analytics`.raw.orders_v2 AS orders
          WHERE
            orders.amount >= 10
        ), c360_spending AS (
          SELECT
            large_orders.customer_id AS customer_id,
            ROUND(CAST(SUM(large_orders.amount) AS BIGNUMERIC), 2) AS total
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
      );
    END IF;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 snap.spending: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of spending have no customer_id',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Each key must occur once.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_sample = (
        WITH c360_large_orders AS (
          SELECT
            orders.id AS id,
            orders.customer_id AS customer_id,
            orders.amount AS amount,
            orders.updated_at AS updated_at
          FROM `acme-analytics`.raw.orders_v2 AS orders
          WHERE
            orders.amount >= 10
        ), c360_spending AS (
          SELECT
            large_orders.customer_id AS customer_id,
            ROUND(CAST(SUM(large_orders.amount) AS BIGNUMERIC), 2) AS total
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
            COALESCE(CAST(s.customer_id AS STRING), 'NULL') AS c360_key
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
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 snap.spending: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of customer_id occur in several rows of the query of spending',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- An empty source is more likely a failed load than the end of everything.
    IF v_open_rows > 0 AND v_source_rows = 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC004 snap.spending: ',
        'the query of spending is empty while ',
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
          FROM stage_spending AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC010 snap.spending: ',
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
      UPDATE `acme-analytics`.snap.spending AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
      FROM stage_spending AS s
      WHERE
        t.customer_id = s.customer_id
        AND t.valid_from = s.c360_open_from
        AND t.valid_to IS NULL
        AND s.c360_ends_at IS NOT NULL;
      IF @@row_count <> v_closing_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.spending', ': ', CAST(v_closing_rows AS STRING), ' versions to close, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
      INSERT INTO `acme-analytics`.snap.spending (
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
      FROM stage_spending AS s
      WHERE
        s.c360_action IN ('new', 'change', 'revive');
      IF @@row_count <> v_starting_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.spending', ': ', CAST(v_starting_rows AS STRING), ' versions to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Constraint spending_1_ck: total >= 10.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.customer_id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.snap.spending AS t
        WHERE
          t.valid_to IS NULL AND NOT (
            t.total >= 10
          )
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
            FROM `acme-analytics`.snap.spending AS t
            WHERE
              t.valid_to IS NULL AND NOT (
                t.total >= 10
              )
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 snap.spending: ',
        CAST(v_violating_rows AS STRING),
        ' open versions break the constraint spending_1_ck: total >= 10',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
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


-- ==================== procedures/run_order_lines.sql: run of analytics.order_lines

-- CALL `acme-analytics`.c360_control.run_order_lines(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_order_lines(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_order_lines(NULL, TRUE);
--      is refused
-- Rules:   reads rows whose updated_at is at or after the watermark less 3 days; the first run reads all
--          a row of a known id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share id must be equal, and count once
--          a full refresh is refused
--          before the commit all rows must keep: order_lines_customer_id_fk, no_negative_amount
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC003 updated_at, cursor, event_time or version is NULL
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC020 a full refresh is refused
--          ZC021 a constraint does not hold
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_order_lines(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings order_lines up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'analytics.order_lines';
  DECLARE c_spec_hash STRING DEFAULT 'e67f652d7046d4cde60f5e386ced9cacfa3081aa6bb859a2140c09da8958c2af';
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
  DECLARE v_violating_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of shop.orders must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('id' AS c360_name, 'integer' AS c360_family),
        STRUCT('customer_id' AS c360_name, 'integer' AS c360_family),
        STRUCT('amount' AS c360_name, 'number' AS c360_family),
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
        FROM `acme-analytics`.raw.INFORMATION_SCHEMA.COLUMNS AS c
        WHERE
          c.table_name = 'orders_v2'
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
        'ZC011 analytics.order_lines: ',
        'shop.orders is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 analytics.order_lines: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of shop.orders are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_order_lines (
      c360_action STRING,
      c360_copies INT64,
      c360_position INT64,
      id INT64,
      customer_id INT64,
      amount NUMERIC(12, 2),
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_order_lines SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_order_lines SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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

    -- A full refresh would lose what the source has lost.
    IF v_full_refresh THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC020 analytics.order_lines: ',
        'a full refresh is refused: full_refresh: false',
        '. Nothing was written. Run it without p_full_refresh; rows that must change are for a migration.'
      );
    END IF;

    -- Read the batch once and look its keys up in the target.
    INSERT INTO stage_order_lines (
      c360_action,
      c360_copies,
      c360_position,
      id,
      customer_id,
      amount,
      updated_at
    )
    WITH c360_large_orders AS (
      SELECT
        orders.id AS id,
        orders.customer_id AS customer_id,
        orders.amount AS amount,
        orders.updated_at AS updated_at
      FROM `acme-analytics`.raw.orders_v2 AS orders
      WHERE
        orders.amount >= 10
    )
    SELECT
      CASE
        WHEN b.id IS NULL
        THEN 'null_key'
        WHEN b.updated_at IS NULL
        THEN 'null_time'
        WHEN t.id IS NULL
        THEN 'insert'
        WHEN b.customer_id IS DISTINCT FROM t.customer_id
        OR b.amount IS DISTINCT FROM t.amount
        OR b.updated_at IS DISTINCT FROM t.updated_at
        THEN 'update'
        ELSE 'same'
      END AS c360_action,
      b.c360_copies,
      b.c360_position,
      b.id,
      b.customer_id,
      b.amount,
      b.updated_at
    FROM (
      SELECT
        m.id,
        m.customer_id,
        ROUND(CAST(m.amount AS NUMERIC), 2) AS amount,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id NULLS LAST) AS c360_position
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
    LEFT JOIN `acme-analytics`.analytics.order_lines AS t
      ON t.id = b.id AND NOT v_full_refresh;

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
      FROM stage_order_lines AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 analytics.order_lines: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of order_lines have no id',
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
            COALESCE(CAST(s.id AS STRING), 'NULL') AS c360_key
          FROM stage_order_lines AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 analytics.order_lines: ',
        CAST(v_null_times AS STRING),
        ' rows of the query of order_lines have no usable updated_at',
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
          d.id
        FROM (
          SELECT DISTINCT
            s.id,
            s.customer_id,
            s.amount,
            s.updated_at
          FROM stage_order_lines AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ) AS d
        GROUP BY
          d.id
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
            COALESCE(CAST(s.id AS STRING), 'NULL') AS c360_key
          FROM stage_order_lines AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 analytics.order_lines: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of id occur in several rows that differ',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.analytics.order_lines AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.analytics.order_lines AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'analytics.order_lines', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
      UPDATE `acme-analytics`.analytics.order_lines AS t SET customer_id = s.customer_id, amount = s.amount, updated_at = s.updated_at
      FROM stage_order_lines AS s
      WHERE
        t.id = s.id AND s.c360_action = 'update' AND s.c360_position = 1;
      IF @@row_count <> v_updated_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'analytics.order_lines', ': ', CAST(v_updated_rows AS STRING), ' rows to update, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.analytics.order_lines (
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
      FROM stage_order_lines AS s
      WHERE
        s.c360_action = 'insert' AND s.c360_position = 1;
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'analytics.order_lines', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Constraint order_lines_customer_id_fk: customer_id is in customers.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.analytics.order_lines AS t
        WHERE
          t.customer_id IS NOT NULL
          AND NOT EXISTS(
            SELECT
              1
            FROM `acme-analytics`.analytics.customers AS p
            WHERE
              p.id = t.customer_id
          )
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
              COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.analytics.order_lines AS t
            WHERE
              t.customer_id IS NOT NULL
              AND NOT EXISTS(
                SELECT
                  1
                FROM `acme-analytics`.analytics.customers AS p
                WHERE
                  p.id = t.customer_id
              )
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 analytics.order_lines: ',
        CAST(v_violating_rows AS STRING),
        ' rows break the constraint order_lines_customer_id_fk: customer_id is in customers',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
    END IF;

    -- Constraint no_negative_amount: amount >= 0.
    SET v_violating_rows = (
      SELECT
        COUNT(*) AS violating_rows
      FROM (
        SELECT
          COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
        FROM `acme-analytics`.analytics.order_lines AS t
        WHERE
          NOT (
            t.amount >= 0
          )
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
              COALESCE(CAST(t.id AS STRING), 'NULL') AS c360_key_1
            FROM `acme-analytics`.analytics.order_lines AS t
            WHERE
              NOT (
                t.amount >= 0
              )
          ) AS b
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC021 analytics.order_lines: ',
        CAST(v_violating_rows AS STRING),
        ' rows break the constraint no_negative_amount: amount >= 0',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Mend the rows in the source, or take the constraint away.'
      );
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


-- ==================== procedures/check_spending.sql: check of snap.spending

-- CALL `acme-analytics`.c360_control.check_spending();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_spending()
OPTIONS (strict_mode = FALSE, description = 'Fails when the history spending is not sound')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snap.spending';
  DECLARE c_spec_hash STRING DEFAULT 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e';
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
    UPDATE `acme-analytics`.c360_control.lock_spending SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_spending SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
                FROM `acme-analytics`.snap.spending AS h
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
        'ZC016 snap.spending: ',
        CAST(v_damaged_rows AS STRING),
        ' versions are damaged: ',
        CAST(v_damage AS STRING),
        '. See the view spending_health. Rewind to a run before the damage, or mend it by hand.'
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


-- ==================== procedures/rewind_spending.sql: rewind of snap.spending

-- CALL `acme-analytics`.c360_control.rewind_spending(TIMESTAMP '2026-01-31 02:00:00+00', TRUE);
--      a dry run: it counts what it would do, and logs that
-- CALL `acme-analytics`.c360_control.rewind_spending(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.rewind_spending(p_to TIMESTAMP, IN p_dry_run BOOL)
OPTIONS (strict_mode = FALSE, description = 'Takes the history spending back to what it was after the last run at or before an instant')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snap.spending';
  DECLARE c_spec_hash STRING DEFAULT 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e';
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
    UPDATE `acme-analytics`.c360_control.lock_spending SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_spending SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- The run whose result stays.
    SET v_kept_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node AND w.as_of <= v_rewind_to);

    -- Nobody means all of it by NULL.
    IF v_rewind_to IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snap.spending: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
      );
    END IF;

    -- Runs that are not in the log cannot be told from each other.
    IF v_kept_as_of IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snap.spending: ',
        'the log has no run at or before ',
        CAST(v_rewind_to AS STRING),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
      );
    END IF;

    -- What a run did that is not in the log any more cannot be taken back.
    SET v_unknown_rows = (
      SELECT
        COUNT(*) AS unknown_rows
      FROM `acme-analytics`.snap.spending AS h
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
        'ZC018 snap.spending: ',
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
      FROM `acme-analytics`.snap.spending AS h
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
      DELETE FROM `acme-analytics`.snap.spending AS t
      WHERE
        t.opened_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_removed_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.spending', ': ', CAST(v_removed_rows AS STRING), ' versions to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Open those again that later runs closed.
    IF v_reopened_rows > 0 AND NOT v_dry_run THEN
      UPDATE `acme-analytics`.snap.spending AS t SET valid_to = NULL, closed_run_id = NULL
      WHERE
        t.closed_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_reopened_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.spending', ': ', CAST(v_reopened_rows AS STRING), ' versions to open again, another number was found. Nothing was written.');
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


-- ==================== jobs/run_job_nightly.sql: job nightly

-- CALL `acme-analytics`.c360_control.run_job_nightly();
-- Scheduled queries cannot depend on each other, so this runs the nodes in the order of their dependencies. Each commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe. Each node takes its own clock.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_job_nightly()
OPTIONS (description = 'Runs every node of the schedule nightly in order')
BEGIN
  CALL `acme-analytics`.c360_control.run_customers(NULL);
  CALL `acme-analytics`.c360_control.run_spending(NULL);
  CALL `acme-analytics`.c360_control.run_order_lines(NULL, FALSE);
END;


-- ==================== procedures/check_freshness.sql: check of the sources' freshness

-- CALL `acme-analytics`.c360_control.check_freshness();
-- Rules:   the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old
-- Errors:  ZC019 a source is too old
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_freshness()
OPTIONS (strict_mode = FALSE, description = 'Fails when a source is older than its error_after')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'c360_control.source_freshness';
  DECLARE c_spec_hash STRING DEFAULT 'c47d31e339b59e58ad0a2626591ab31a6aedf5d416568ded59fb46f6f5f17f00';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT FALSE;
  DECLARE v_as_of TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_stale_sources INT64;
  DECLARE v_stale_names STRING;

  -- 1. Announce it.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'check', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;

    -- Look at every source that says how fresh it should be.
    SET (v_stale_sources, v_stale_names) = (
      SELECT AS STRUCT
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
            COALESCE(CAST(f.loaded_at AS STRING), 'no row') AS loaded
          FROM `acme-analytics`.c360_control.source_freshness AS f
          WHERE
            f.status = 'error'
        ) AS l
      ) AS s
    );

    -- Runs over old rows succeed and say nothing.
    IF v_stale_sources > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC019 c360_control.source_freshness: ',
        CAST(v_stale_sources AS STRING),
        ' sources are older than their error_after: ',
        CAST(v_stale_names AS STRING),
        '. See the view source_freshness. Ask whoever loads the sources.'
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


-- ==================== grants.sql: who may do what

-- group:analysts@example.com may read the nodes that name it under grants:. What a view reads must be readable as well, or the view authorized.
GRANT `roles/bigquery.dataViewer` ON TABLE `acme-analytics`.ref.country TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON TABLE `acme-analytics`.analytics.customers TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON TABLE `acme-analytics`.snap.spending TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON VIEW `acme-analytics`.snap.spending_current TO 'group:analysts@example.com';
GRANT `roles/bigquery.dataViewer` ON VIEW `acme-analytics`.snap.spending_health TO 'group:analysts@example.com';


-- Guard: no history expires. A table takes over what its data set says of expiration when it is made.
IF EXISTS (
  SELECT
    o.table_name
  FROM `acme-analytics`.snap.INFORMATION_SCHEMA.TABLE_OPTIONS AS o
  WHERE
    o.table_name IN ('spending')
    AND o.option_name IN ('expiration_timestamp', 'partition_expiration_days')
) THEN
  RAISE USING MESSAGE = 'a history in snap has an expiration: its versions would be deleted. Say for it ALTER TABLE … SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL), and deploy again.';
END IF;

INSERT INTO `acme-analytics`.c360_control.release (shape, released_at, released_by)
SELECT 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53', CURRENT_TIMESTAMP(), SESSION_USER()
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.release AS r WHERE r.shape = 'b9b3f1ad1234e752b2f179073636b76c2f3ad29ad4b7e86f827db12d55e5aa53');
