-- c360gen | bigquery | deploy of customer_360 to target bigquery, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 626a6a9cd5ddf764a9461b6846e45c207ef1bd06672e535187fbed85a85ff3bb

-- All data sets must be in one location: a procedure cannot read across locations, and a data set stays where it was made.
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.c360_control;
CREATE SCHEMA IF NOT EXISTS `acme-analytics`.int;
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
  WHERE r.shape <> '9faa1ecc44800854bf1deda97ecb074a5c3aa621937429a6a2ed99d2cf5e7b75'
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


-- ==================== tables/table.sql: incremental int.limit

CREATE TABLE IF NOT EXISTS `acme-analytics`.int.`limit` (
  `group` INT64 NOT NULL,
  `select` STRING,
  `Größe` STRING,
  `two words` STRING,
  remark STRING,
  updated_at TIMESTAMP,
  PRIMARY KEY (`group`) NOT ENFORCED
)
CLUSTER BY `group`;

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_table (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_table: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_table (node)
SELECT 'int.limit'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_table AS l);


-- ==================== tables/user.sql: snapshot snap.user

CREATE TABLE IF NOT EXISTS `acme-analytics`.snap.`user` (
  `group` INT64 NOT NULL,
  `select` STRING,
  `Größe` STRING,
  `two words` STRING,
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
  PRIMARY KEY (`group`, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY `group`
OPTIONS (
  description='Quotes \' and " and \\ and --; DROP TABLE x; $$ and %s {{ x }}'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_user (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_user: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_user (node)
SELECT 'snap.user'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_user AS l);


-- ==================== views/user.sql: views of snap.user

CREATE OR REPLACE VIEW `acme-analytics`.snap.user_current
OPTIONS (
  description='The open versions of user: one row per key.'
) AS
SELECT
  h.`group`,
  h.`select`,
  h.`Größe`,
  h.`two words`,
  h.updated_at,
  h.valid_from
FROM `acme-analytics`.snap.`user` AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.user_as_of(p_at TIMESTAMP)
OPTIONS (description = 'user as it was at an instant: at most one row per key.')
AS (
  SELECT
    h.`group`,
    h.`select`,
    h.`Größe`,
    h.`two words`,
    h.updated_at,
    h.valid_from,
    h.valid_to
  FROM `acme-analytics`.snap.`user` AS h
  WHERE
    h.valid_from <= p_at AND (
      h.valid_to > p_at OR h.valid_to IS NULL
    )
);

CREATE OR REPLACE TABLE FUNCTION `acme-analytics`.snap.user_changes(p_from TIMESTAMP, p_to TIMESTAMP)
OPTIONS (description = 'What changed in user after one instant and not after another, with old and new values.')
AS (
  SELECT
    v.`group`,
    v.valid_from AS changed_at,
    CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
    b.`select` AS select_before,
    v.`select` AS select_after,
    b.`Größe` AS `Größe_before`,
    v.`Größe` AS `Größe_after`,
    b.`two words` AS `two words_before`,
    v.`two words` AS `two words_after`,
    b.updated_at AS updated_at_before,
    v.updated_at AS updated_at_after
  FROM `acme-analytics`.snap.`user` AS v
  LEFT JOIN `acme-analytics`.snap.`user` AS b
    ON b.`group` = v.`group` AND b.valid_to = v.valid_from
  WHERE
    v.valid_from > p_from AND v.valid_from <= p_to
  UNION ALL
  SELECT
    v.`group`,
    v.valid_to AS changed_at,
    'deleted' AS change,
    v.`select` AS select_before,
    CAST(NULL AS STRING) AS select_after,
    v.`Größe` AS `Größe_before`,
    CAST(NULL AS STRING) AS `Größe_after`,
    v.`two words` AS `two words_before`,
    CAST(NULL AS STRING) AS `two words_after`,
    v.updated_at AS updated_at_before,
    CAST(NULL AS TIMESTAMP) AS updated_at_after
  FROM `acme-analytics`.snap.`user` AS v
  LEFT JOIN `acme-analytics`.snap.`user` AS n
    ON n.`group` = v.`group` AND n.valid_from = v.valid_to
  WHERE
    v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
);

CREATE OR REPLACE VIEW `acme-analytics`.snap.user_health
OPTIONS (
  description='What is wrong with the history user: no row when it is sound.'
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
      COALESCE(CAST(v.`group` AS STRING), 'NULL') AS c360_key
    FROM (
      SELECT
        h.`group`,
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h.`group` ORDER BY h.valid_from NULLS LAST) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.`group`) AS c360_open
      FROM `acme-analytics`.snap.`user` AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== procedures/run_table.sql: run of int.limit

-- CALL `acme-analytics`.c360_control.run_table(NULL, FALSE);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_table(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      repeats a run as of a stated time
-- CALL `acme-analytics`.c360_control.run_table(NULL, TRUE);
--      replaces every row, in one transaction
-- Rules:   a row of a known group is updated where any column differs, a new one inserted, a missing one kept
--          rows that share group must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
--          ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its caller, who reads the sources and writes the node and the control tables
-- Do not:  call it in a transaction: BigQuery's do not nest
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_table(IN p_as_of TIMESTAMP, IN p_full_refresh BOOL)
OPTIONS (strict_mode = FALSE, description = 'Brings table up to date with its query')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'int.limit';
  DECLARE c_spec_hash STRING DEFAULT 'ffda4eac478e1dfb4916c578c9182132d5e7fd5904eae8ccf410f3c5ba94bf5a';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_as_of TIMESTAMP;
  DECLARE v_latest TIMESTAMP;
  DECLARE v_last_as_of TIMESTAMP;
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_full_refresh BOOL DEFAULT COALESCE(p_full_refresh, FALSE);
  DECLARE v_incremental BOOL;
  DECLARE v_missing_tables INT64;
  DECLARE v_drifted_columns INT64;
  DECLARE v_drifted_names STRING;
  DECLARE v_new_rows INT64;
  DECLARE v_updated_rows INT64;
  DECLARE v_older_rows INT64;
  DECLARE v_null_keys INT64;
  DECLARE v_null_times INT64;
  DECLARE v_source_rows INT64;
  DECLARE v_duplicate_keys INT64;
  DECLARE v_target_rows INT64;
  DECLARE v_sample STRING;

  -- 1. Announce the run outside of the transaction, so that a run that is killed leaves a trace.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'run', FALSE, 'running', CURRENT_TIMESTAMP(), p_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);

  -- What a block declares cannot be seen by its own exception handler: variables are declared above.
  BEGIN
    -- The columns of raw.order must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('group' AS c360_name, 'integer' AS c360_family),
        STRUCT('select' AS c360_name, 'text' AS c360_family),
        STRUCT(LOWER('Größe') AS c360_name, 'text' AS c360_family),
        STRUCT('two words' AS c360_name, 'text' AS c360_family),
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
          c.table_name = 'order'
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
        'ZC011 int.limit: ',
        'raw.order is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 int.limit: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw.order are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_table (
      c360_action STRING,
      c360_copies INT64,
      c360_position INT64,
      `group` INT64,
      `select` STRING,
      `Größe` STRING,
      `two words` STRING,
      remark STRING,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_table SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_table SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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

    -- Read the batch once and look its keys up in the target.
    INSERT INTO stage_table (
      c360_action,
      c360_copies,
      c360_position,
      `group`,
      `select`,
      `Größe`,
      `two words`,
      remark,
      updated_at
    )
    SELECT
      CASE
        WHEN b.`group` IS NULL
        THEN 'null_key'
        WHEN t.`group` IS NULL
        THEN 'insert'
        WHEN b.`select` IS DISTINCT FROM t.`select`
        OR b.`Größe` IS DISTINCT FROM t.`Größe`
        OR b.`two words` IS DISTINCT FROM t.`two words`
        OR b.remark IS DISTINCT FROM t.remark
        OR b.updated_at IS DISTINCT FROM t.updated_at
        THEN 'update'
        ELSE 'same'
      END AS c360_action,
      b.c360_copies,
      b.c360_position,
      b.`group`,
      b.`select`,
      b.`Größe`,
      b.`two words`,
      b.remark,
      b.updated_at
    FROM (
      SELECT
        m.`group`,
        m.`select`,
        m.`Größe`,
        m.`two words`,
        m.remark,
        m.updated_at,
        COUNT(*) OVER (PARTITION BY m.`group`) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.`group` ORDER BY m.`group` NULLS LAST) AS c360_position
      FROM (
        SELECT
          o.`group` AS `group`,
          o.`select` AS `select`,
          o.`Größe` AS `Größe`,
          o.`two words` AS `two words`,
          CAST('it\'s $x$ 100% \\ --' AS STRING) AS remark,
          o.updated_at AS updated_at
        FROM `acme-analytics`.raw.`order` AS o
      ) AS m
    ) AS b
    LEFT JOIN `acme-analytics`.int.`limit` AS t
      ON t.`group` = b.`group` AND NOT v_full_refresh;

    -- Count what was decided.
    SET (v_new_rows, v_updated_rows, v_older_rows, v_null_keys, v_null_times, v_source_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
        COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
        COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
        COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
        COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
        COUNT(*) AS source_rows
      FROM stage_table AS s
    );

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 int.limit: ',
        CAST(v_null_keys AS STRING),
        ' rows of the query of table have no group',
        '. Nothing was written. Mend the rows in the source.'
      );
    END IF;

    -- Rows that share a key must be equal in every column.
    SET v_duplicate_keys = (
      SELECT
        COUNT(*) AS duplicate_keys
      FROM (
        SELECT
          d.`group`
        FROM (
          SELECT DISTINCT
            s.`group`,
            s.`select`,
            s.`Größe`,
            s.`two words`,
            s.remark,
            s.updated_at
          FROM stage_table AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ) AS d
        GROUP BY
          d.`group`
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
            COALESCE(CAST(s.`group` AS STRING), 'NULL') AS c360_key
          FROM stage_table AS s
          WHERE
            s.c360_copies > 1 AND s.c360_action <> 'superseded'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 int.limit: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of group occur in several rows that differ',
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Make the query give one row per key, or declare a version_column that tells them apart.'
      );
    END IF;

    -- A full refresh replaces every row.
    IF v_full_refresh THEN
      SET v_target_rows = (
        SELECT
          COUNT(*) AS target_rows
        FROM `acme-analytics`.int.`limit` AS t
      );
    END IF;

    -- Empty the table; readers see its rows until the commit.
    IF v_full_refresh THEN
      DELETE FROM `acme-analytics`.int.`limit` AS t
      WHERE
        TRUE;
      IF @@row_count <> v_target_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.limit', ': ', CAST(v_target_rows AS STRING), ' rows to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Update the rows that differ; the count must be exact.
    IF v_updated_rows > 0 THEN
      UPDATE `acme-analytics`.int.`limit` AS t SET `select` = s.`select`, `Größe` = s.`Größe`, `two words` = s.`two words`, remark = s.remark, updated_at = s.updated_at
      FROM stage_table AS s
      WHERE
        t.`group` = s.`group` AND s.c360_action = 'update' AND s.c360_position = 1;
      IF @@row_count <> v_updated_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.limit', ': ', CAST(v_updated_rows AS STRING), ' rows to update, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the rows that are new.
    IF v_new_rows > 0 THEN
      INSERT INTO `acme-analytics`.int.`limit` (
        `group`,
        `select`,
        `Größe`,
        `two words`,
        remark,
        updated_at
      )
      SELECT
        s.`group`,
        s.`select`,
        s.`Größe`,
        s.`two words`,
        s.remark,
        s.updated_at
      FROM stage_table AS s
      WHERE
        s.c360_action = 'insert' AND s.c360_position = 1;
      IF @@row_count <> v_new_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'int.limit', ': ', CAST(v_new_rows AS STRING), ' rows to insert, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Watermark and success belong to the transaction of the data.
    INSERT INTO `acme-analytics`.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
    VALUES (c_node, NULL, v_run_id, v_as_of, CURRENT_TIMESTAMP());
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id,
      source_rows, inserted_rows, updated_rows, deleted_rows, unchanged_rows
    )
    VALUES (
      v_run_id, c_node, 'run', FALSE, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
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


-- ==================== procedures/run_user.sql: run of snap.user

-- CALL `acme-analytics`.c360_control.run_user(NULL);
--      the run time is now; BigQuery has no default arguments, so every CALL passes all
-- CALL `acme-analytics`.c360_control.run_user(TIMESTAMP '2026-01-31 02:00:00+00');
--      repeats a run as of a stated time
-- Rules:   a row of raw.order is new or changed when any of its columns but group, updated_at differs from its open version (NULL-safe)
--          a version starts at updated_at, or the run time where updated_at is not usable; the version before it ends there
--          a key that is gone from raw.order closes at the run time
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
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_user(IN p_as_of TIMESTAMP)
OPTIONS (strict_mode = FALSE, description = 'Brings the history user up to date with raw.order')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snap.user';
  DECLARE c_spec_hash STRING DEFAULT '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
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
    -- The columns of raw.order must be there, of the kind that is declared.
    SET (v_missing_tables, v_drifted_columns, v_drifted_names) = (
      SELECT AS STRUCT
        CASE WHEN COUNT(*) = 5 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
        COUNT(*) AS drifted_columns,
        STRING_AGG(w.c360_name, '; '
        ORDER BY
          w.c360_name) AS drifted_names
      FROM UNNEST([
        STRUCT('group' AS c360_name, 'integer' AS c360_family),
        STRUCT('select' AS c360_name, 'text' AS c360_family),
        STRUCT(LOWER('Größe') AS c360_name, 'text' AS c360_family),
        STRUCT('two words' AS c360_name, 'text' AS c360_family),
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
          c.table_name = 'order'
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
        'ZC011 snap.user: ',
        'raw.order is not there, or none of its columns is',
        '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.'
      );
    END IF;

    -- What is missing or retyped would be lost or bent in silence.
    IF v_drifted_columns > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC011 snap.user: ',
        CAST(v_drifted_columns AS STRING),
        ' columns of raw.order are missing or of another kind than declared: ',
        CAST(v_drifted_names AS STRING),
        '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.'
      );
    END IF;

    -- 2. The stage, private to this script.
    CREATE OR REPLACE TEMPORARY TABLE stage_user (
      c360_action STRING,
      c360_rows INT64,
      c360_open_from TIMESTAMP,
      c360_starts_at TIMESTAMP,
      c360_ends_at TIMESTAMP,
      `group` INT64,
      `select` STRING,
      `Größe` STRING,
      `two words` STRING,
      updated_at TIMESTAMP
    );

    -- 3. Queue, then lock. Outside of a transaction an UPDATE waits for the transaction that holds the table; inside of one it does
    --    not: of two runs that still meet here, BigQuery cancels one, which fails cleanly. The transaction begins after the wait,
    --    because it reads the tables as they were when it began.
    UPDATE `acme-analytics`.c360_control.lock_user SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_user SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
    INSERT INTO stage_user (
      c360_action,
      c360_rows,
      c360_open_from,
      c360_starts_at,
      c360_ends_at,
      `group`,
      `select`,
      `Größe`,
      `two words`,
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
      d.`group`,
      d.`select`,
      d.`Größe`,
      d.`two words`,
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
        e.`group`,
        e.`select`,
        e.`Größe`,
        e.`two words`,
        e.updated_at
      FROM (
        SELECT
          w.c360_action,
          w.c360_open_from,
          w.`group`,
          w.`select`,
          w.`Größe`,
          w.`two words`,
          w.updated_at
        FROM (
          SELECT
            CASE
              WHEN s.c360_present IS NULL
              THEN 'delete'
              WHEN s.`group` IS NULL
              THEN 'null_key'
              WHEN s.updated_at IS NULL
              THEN 'null_time'
              WHEN s.updated_at > v_latest
              THEN 'future_time'
              WHEN o.valid_from IS NULL
              THEN 'new'
              WHEN s.`select` IS DISTINCT FROM o.`select`
              OR s.`Größe` IS DISTINCT FROM o.`Größe`
              OR s.`two words` IS DISTINCT FROM o.`two words`
              THEN 'change'
            END AS c360_action,
            o.valid_from AS c360_open_from,
            COALESCE(s.`group`, o.`group`) AS `group`,
            s.`select` AS `select`,
            s.`Größe` AS `Größe`,
            s.`two words` AS `two words`,
            s.updated_at AS updated_at
          FROM (
            SELECT
              r.`group`,
              r.`select`,
              r.`Größe`,
              r.`two words`,
              r.updated_at,
              TRUE AS c360_present
            FROM `acme-analytics`.raw.`order` AS r
          ) AS s
          FULL JOIN (
            SELECT
              h.`group`,
              h.`select`,
              h.`Größe`,
              h.`two words`,
              h.valid_from
            FROM `acme-analytics`.snap.`user` AS h
            WHERE
              h.valid_to IS NULL
          ) AS o
            ON o.`group` = s.`group`
        ) AS w
        WHERE
          w.c360_action IS NOT NULL
      ) AS e
      LEFT JOIN (
        SELECT
          p.`group`,
          MAX(p.valid_to) AS c360_boundary
        FROM `acme-analytics`.snap.`user` AS p
        WHERE
          p.valid_to IS NOT NULL
        GROUP BY
          p.`group`
      ) AS l
        ON l.`group` = e.`group`
    ) AS d
    UNION ALL
    SELECT
      'source' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS `group`,
      NULL AS `select`,
      NULL AS `Größe`,
      NULL AS `two words`,
      NULL AS updated_at
    FROM `acme-analytics`.raw.`order` AS r
    UNION ALL
    SELECT
      'open' AS c360_action,
      COUNT(*) AS c360_rows,
      NULL AS c360_open_from,
      NULL AS c360_starts_at,
      NULL AS c360_ends_at,
      NULL AS `group`,
      NULL AS `select`,
      NULL AS `Größe`,
      NULL AS `two words`,
      NULL AS updated_at
    FROM `acme-analytics`.snap.`user` AS h
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
              k.`group`
            FROM stage_user AS k
            WHERE
              k.c360_action IN ('new', 'revive')
          ) AS u
        ) AS new_keys
      FROM stage_user AS s
    );

    -- Only where the numbers do not add up, look for the keys that occur twice.
    IF v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows THEN
      SET v_duplicate_keys = (
        SELECT
          COUNT(*) AS duplicate_keys
        FROM (
          SELECT
            r.`group`
          FROM `acme-analytics`.raw.`order` AS r
          GROUP BY
            r.`group`
          HAVING
            COUNT(*) > 1
        ) AS d
      );
    END IF;

    -- Keys must not be NULL.
    IF v_null_keys > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC002 snap.user: ',
        CAST(v_null_keys AS STRING),
        ' rows of raw.order have no group',
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
            COALESCE(CAST(s.`group` AS STRING), 'NULL') AS c360_key
          FROM (
            SELECT
              r.`group`
            FROM `acme-analytics`.raw.`order` AS r
            GROUP BY
              r.`group`
            HAVING
              COUNT(*) > 1
          ) AS s
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC001 snap.user: ',
        CAST(v_duplicate_keys AS STRING),
        ' values of group occur in several rows of raw.order',
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
            COALESCE(CAST(s.`group` AS STRING), 'NULL') AS c360_key
          FROM stage_user AS s
          WHERE
            s.c360_action = 'null_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC003 snap.user: ',
        CAST(v_null_times AS STRING),
        ' rows of raw.order have no usable updated_at',
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
            COALESCE(CAST(s.`group` AS STRING), 'NULL') AS c360_key
          FROM stage_user AS s
          WHERE
            s.c360_action = 'future_time'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC009 snap.user: ',
        CAST(v_future_times AS STRING),
        ' rows of raw.order have updated_at later than ',
        CAST(v_latest AS STRING),
        ', for example ', COALESCE(v_sample, 'none'),
        '. Nothing was written. Compare the clocks.'
      );
    END IF;

    -- An empty source is more likely a failed load than the end of everything.
    IF v_open_rows > 0 AND v_source_rows = 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC004 snap.user: ',
        'raw.order is empty while ',
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
            COALESCE(CAST(s.`group` AS STRING), 'NULL') AS c360_key
          FROM stage_user AS s
          WHERE
            s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
          ORDER BY
            c360_key NULLS LAST
          LIMIT 5
        ) AS k
      );
      RAISE USING MESSAGE = CONCAT(
        'ZC010 snap.user: ',
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
      UPDATE `acme-analytics`.snap.`user` AS t SET valid_to = s.c360_ends_at, closed_run_id = v_run_id
      FROM stage_user AS s
      WHERE
        t.`group` = s.`group`
        AND t.valid_from = s.c360_open_from
        AND t.valid_to IS NULL
        AND s.c360_ends_at IS NOT NULL;
      IF @@row_count <> v_closing_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.user', ': ', CAST(v_closing_rows AS STRING), ' versions to close, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Insert the versions that began.
    IF v_starting_rows > 0 THEN
      INSERT INTO `acme-analytics`.snap.`user` (
        `group`,
        `select`,
        `Größe`,
        `two words`,
        updated_at,
        valid_from,
        opened_run_id
      )
      SELECT
        s.`group`,
        s.`select`,
        s.`Größe`,
        s.`two words`,
        s.updated_at,
        s.c360_starts_at AS valid_from,
        v_run_id AS opened_run_id
      FROM stage_user AS s
      WHERE
        s.c360_action IN ('new', 'change', 'revive');
      IF @@row_count <> v_starting_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.user', ': ', CAST(v_starting_rows AS STRING), ' versions to insert, another number was found. Nothing was written.');
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


-- ==================== procedures/check_user.sql: check of snap.user

-- CALL `acme-analytics`.c360_control.check_user();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_user()
OPTIONS (strict_mode = FALSE, description = 'Fails when the history user is not sound')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snap.user';
  DECLARE c_spec_hash STRING DEFAULT '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
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
    UPDATE `acme-analytics`.c360_control.lock_user SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_user SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
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
                COALESCE(CAST(v.`group` AS STRING), 'NULL') AS c360_key
              FROM (
                SELECT
                  h.`group`,
                  h.valid_from,
                  h.valid_to,
                  LEAD(h.valid_from) OVER (PARTITION BY h.`group` ORDER BY h.valid_from NULLS LAST) AS c360_next,
                  COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.`group`) AS c360_open
                FROM `acme-analytics`.snap.`user` AS h
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
        'ZC016 snap.user: ',
        CAST(v_damaged_rows AS STRING),
        ' versions are damaged: ',
        CAST(v_damage AS STRING),
        '. See the view user_health. Rewind to a run before the damage, or mend it by hand.'
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


-- ==================== procedures/rewind_user.sql: rewind of snap.user

-- CALL `acme-analytics`.c360_control.rewind_user(TIMESTAMP '2026-01-31 02:00:00+00', TRUE);
--      a dry run: it counts what it would do, and logs that
-- CALL `acme-analytics`.c360_control.rewind_user(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.rewind_user(p_to TIMESTAMP, IN p_dry_run BOOL)
OPTIONS (strict_mode = FALSE, description = 'Takes the history user back to what it was after the last run at or before an instant')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snap.user';
  DECLARE c_spec_hash STRING DEFAULT '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
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
    UPDATE `acme-analytics`.c360_control.lock_user SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_user SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- The run whose result stays.
    SET v_kept_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node AND w.as_of <= v_rewind_to);

    -- Nobody means all of it by NULL.
    IF v_rewind_to IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snap.user: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
      );
    END IF;

    -- Runs that are not in the log cannot be told from each other.
    IF v_kept_as_of IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snap.user: ',
        'the log has no run at or before ',
        CAST(v_rewind_to AS STRING),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
      );
    END IF;

    -- What a run did that is not in the log any more cannot be taken back.
    SET v_unknown_rows = (
      SELECT
        COUNT(*) AS unknown_rows
      FROM `acme-analytics`.snap.`user` AS h
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
        'ZC018 snap.user: ',
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
      FROM `acme-analytics`.snap.`user` AS h
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
      DELETE FROM `acme-analytics`.snap.`user` AS t
      WHERE
        t.opened_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_removed_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.user', ': ', CAST(v_removed_rows AS STRING), ' versions to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Open those again that later runs closed.
    IF v_reopened_rows > 0 AND NOT v_dry_run THEN
      UPDATE `acme-analytics`.snap.`user` AS t SET valid_to = NULL, closed_run_id = NULL
      WHERE
        t.closed_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_reopened_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snap.user', ': ', CAST(v_reopened_rows AS STRING), ' versions to open again, another number was found. Nothing was written.');
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
  FROM `acme-analytics`.snap.INFORMATION_SCHEMA.TABLE_OPTIONS AS o
  WHERE
    o.table_name IN ('user') AND o.option_name IN ('expiration_timestamp', 'partition_expiration_days')
) THEN
  RAISE USING MESSAGE = 'a history in snap has an expiration: its versions would be deleted. Say for it ALTER TABLE … SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL), and deploy again.';
END IF;

INSERT INTO `acme-analytics`.c360_control.release (shape, released_at, released_by)
SELECT '9faa1ecc44800854bf1deda97ecb074a5c3aa621937429a6a2ed99d2cf5e7b75', CURRENT_TIMESTAMP(), SESSION_USER()
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.release AS r WHERE r.shape = '9faa1ecc44800854bf1deda97ecb074a5c3aa621937429a6a2ed99d2cf5e7b75');
