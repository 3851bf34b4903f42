-- c360gen | snowflake | deploy of customer_360 to target snowflake, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: dcd0081edfc71a7ec7c0730e3693ba602e53b5c4a6d080e9a5f308b19555b8f9

-- What stands below ends its transactions itself. Where AUTOCOMMIT is off, by user, account or client (schemachange's default), one
-- that nobody has begun would be open, and the first block that begins its own would fail.
ALTER SESSION SET AUTOCOMMIT = TRUE;

CREATE SCHEMA IF NOT EXISTS C360.c360_control;
CREATE SCHEMA IF NOT EXISTS C360.int;
CREATE SCHEMA IF NOT EXISTS C360.snap;

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
  WHERE r.shape <> '9faa1ecc44800854bf1deda97ecb074a5c3aa621937429a6a2ed99d2cf5e7b75'
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


-- ==================== tables/table.sql: incremental int.limit

CREATE TABLE IF NOT EXISTS C360.int."LIMIT" (
  "GROUP" NUMBER(38, 0) NOT NULL,
  "SELECT" VARCHAR,
  "Größe" VARCHAR,
  "two words" VARCHAR,
  remark VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  CONSTRAINT limit_pk PRIMARY KEY ("GROUP") NOT ENFORCED
);

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_table (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_table: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_table (node, run_id)
SELECT
  'int.limit',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'int.limit' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_table AS l);


-- ==================== tables/user.sql: snapshot snap.user

CREATE TABLE IF NOT EXISTS C360.snap."USER" (
  "GROUP" NUMBER(38, 0) NOT NULL,
  "SELECT" VARCHAR,
  "Größe" VARCHAR,
  "two words" VARCHAR,
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT user_pk PRIMARY KEY ("GROUP", valid_from) NOT ENFORCED
)
COMMENT='Quotes \' and " and \\ and --; DROP TABLE x; $ $ and %s {{ x }}';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_user (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_user: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_user (node, run_id)
SELECT
  'snap.user',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snap.user' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_user AS l);


-- ==================== views/user.sql: views of snap.user

CREATE OR REPLACE VIEW C360.snap.user_current
COPY GRANTS
COMMENT='The open versions of user: one row per key.' AS
SELECT
  h."GROUP",
  h."SELECT",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from
FROM C360.snap."USER" AS h
WHERE
  h.valid_to IS NULL;

CREATE OR REPLACE FUNCTION C360.snap.user_as_of(p_at TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  "GROUP" NUMBER(38, 0),
  "SELECT" VARCHAR,
  "Größe" VARCHAR,
  "two words" VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6),
  valid_to TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'user as it was at an instant: at most one row per key.'
AS
$$
SELECT
  h."GROUP",
  h."SELECT",
  h."Größe",
  h."two words",
  h.updated_at,
  h.valid_from,
  h.valid_to
FROM C360.snap."USER" AS h
WHERE
  h.valid_from <= p_at AND (
    h.valid_to > p_at OR h.valid_to IS NULL
  )
$$;

CREATE OR REPLACE FUNCTION C360.snap.user_changes(p_from TIMESTAMP_NTZ(6), p_to TIMESTAMP_NTZ(6))
COPY GRANTS
RETURNS TABLE (
  "GROUP" NUMBER(38, 0),
  changed_at TIMESTAMP_NTZ(6),
  change VARCHAR,
  select_before VARCHAR,
  select_after VARCHAR,
  "Größe_before" VARCHAR,
  "Größe_after" VARCHAR,
  "two words_before" VARCHAR,
  "two words_after" VARCHAR,
  updated_at_before TIMESTAMP_NTZ(6),
  updated_at_after TIMESTAMP_NTZ(6)
)
LANGUAGE SQL
COMMENT = 'What changed in user after one instant and not after another, with old and new values.'
AS
$$
SELECT
  v."GROUP",
  v.valid_from AS changed_at,
  CASE WHEN b.valid_from IS NULL THEN 'inserted' ELSE 'updated' END AS change,
  b."SELECT" AS select_before,
  v."SELECT" AS select_after,
  b."Größe" AS "Größe_before",
  v."Größe" AS "Größe_after",
  b."two words" AS "two words_before",
  v."two words" AS "two words_after",
  b.updated_at AS updated_at_before,
  v.updated_at AS updated_at_after
FROM C360.snap."USER" AS v
LEFT JOIN C360.snap."USER" AS b
  ON b."GROUP" = v."GROUP" AND b.valid_to = v.valid_from
WHERE
  v.valid_from > p_from AND v.valid_from <= p_to
UNION ALL
SELECT
  v."GROUP",
  v.valid_to AS changed_at,
  'deleted' AS change,
  v."SELECT" AS select_before,
  CAST(NULL AS VARCHAR) AS select_after,
  v."Größe" AS "Größe_before",
  CAST(NULL AS VARCHAR) AS "Größe_after",
  v."two words" AS "two words_before",
  CAST(NULL AS VARCHAR) AS "two words_after",
  v.updated_at AS updated_at_before,
  CAST(NULL AS TIMESTAMP_NTZ(6)) AS updated_at_after
FROM C360.snap."USER" AS v
LEFT JOIN C360.snap."USER" AS n
  ON n."GROUP" = v."GROUP" AND n.valid_from = v.valid_to
WHERE
  v.valid_to > p_from AND v.valid_to <= p_to AND n.valid_from IS NULL
$$;

CREATE OR REPLACE VIEW C360.snap.user_health
COPY GRANTS
COMMENT='What is wrong with the history user: no row when it is sound.' AS
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
      COALESCE(CAST(v."GROUP" AS VARCHAR), 'NULL') AS c360_key
    FROM (
      SELECT
        h."GROUP",
        h.valid_from,
        h.valid_to,
        LEAD(h.valid_from) OVER (PARTITION BY h."GROUP" ORDER BY h.valid_from) AS c360_next,
        COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h."GROUP") AS c360_open
      FROM C360.snap."USER" AS h
    ) AS v
  ) AS j
  WHERE
    j.c360_problem IS NOT NULL
) AS p
GROUP BY
  p.c360_problem;


-- ==================== procedures/run_table.sql: run of int.limit

CREATE OR REPLACE PROCEDURE C360.c360_control.run_table(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL,
  p_full_refresh BOOLEAN DEFAULT FALSE
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings table up to date with its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_table();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_table('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- CALL C360.c360_control.run_table(p_full_refresh => TRUE);
--      replaces every row, in one transaction
-- Rules:   a row of a known group is updated where any column differs, a new one inserted, a missing one kept
--          rows that share group must be equal, and count once
-- Errors:  ZC001 duplicate key
--          ZC002 NULL in a key column
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
  c_node VARCHAR DEFAULT 'int.limit';
  c_spec_hash VARCHAR DEFAULT 'ffda4eac478e1dfb4916c578c9182132d5e7fd5904eae8ccf410f3c5ba94bf5a';
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
  v_missing_tables NUMBER(18, 0) DEFAULT NULL;
  v_drifted_columns NUMBER(18, 0) DEFAULT NULL;
  v_drifted_names VARCHAR DEFAULT NULL;
  v_new_rows NUMBER(18, 0) DEFAULT NULL;
  v_updated_rows NUMBER(18, 0) DEFAULT NULL;
  v_older_rows NUMBER(18, 0) DEFAULT NULL;
  v_null_keys NUMBER(18, 0) DEFAULT NULL;
  v_null_times NUMBER(18, 0) DEFAULT NULL;
  v_source_rows NUMBER(18, 0) DEFAULT NULL;
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

  -- The columns of raw.order must be there, of the kind that is declared.
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
      ('group', 'integer'),
      ('select', 'text'),
      (LOWER('Größe'), 'text'),
      ('two words', 'text'),
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
        c.table_schema = 'RAW' AND c.table_name = 'ORDER'
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
    v_message := 'ZC011 int.limit: '
      || 'raw.order is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 int.limit: '
      || v_drifted_columns
      || ' columns of raw.order are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_table (
    c360_action VARCHAR,
    c360_copies NUMBER(38, 0),
    c360_position NUMBER(38, 0),
    "GROUP" NUMBER(38, 0),
    "SELECT" VARCHAR,
    "Größe" VARCHAR,
    "two words" VARCHAR,
    remark VARCHAR,
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_table
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
      FROM C360.c360_control.lock_table AS l
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

  -- Read the batch once and look its keys up in the target.
  INSERT INTO C360.c360_control.stage_table (
    c360_action,
    c360_copies,
    c360_position,
    "GROUP",
    "SELECT",
    "Größe",
    "two words",
    remark,
    updated_at
  )
  SELECT
    CASE
      WHEN b."GROUP" IS NULL
      THEN 'null_key'
      WHEN t."GROUP" IS NULL
      THEN 'insert'
      WHEN b."SELECT" IS DISTINCT FROM t."SELECT"
      OR b."Größe" IS DISTINCT FROM t."Größe"
      OR b."two words" IS DISTINCT FROM t."two words"
      OR b.remark IS DISTINCT FROM t.remark
      OR b.updated_at IS DISTINCT FROM t.updated_at
      THEN 'update'
      ELSE 'same'
    END AS c360_action,
    b.c360_copies,
    b.c360_position,
    b."GROUP",
    b."SELECT",
    b."Größe",
    b."two words",
    b.remark,
    b.updated_at
  FROM (
    SELECT
      m."GROUP",
      m."SELECT",
      m."Größe",
      m."two words",
      m.remark,
      CAST(m.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
      COUNT(*) OVER (PARTITION BY m."GROUP") AS c360_copies,
      ROW_NUMBER() OVER (PARTITION BY m."GROUP" ORDER BY m."GROUP") AS c360_position
    FROM (
      SELECT
        o."GROUP" AS "GROUP",
        o."SELECT" AS "SELECT",
        o."Größe" AS "Größe",
        o."two words" AS "two words",
        CAST('it\'s $x$ 100% \\ --' AS VARCHAR) AS remark,
        o.updated_at AS updated_at
      FROM C360.raw."ORDER" AS o
    ) AS m
  ) AS b
  LEFT JOIN C360.int."LIMIT" AS t
    ON t."GROUP" = b."GROUP" AND NOT :v_full_refresh;

  -- Count what was decided.
  SELECT
    q.new_rows,
    q.updated_rows,
    q.older_rows,
    q.null_keys,
    q.null_times,
    q.source_rows
  INTO
    :v_new_rows,
    :v_updated_rows,
    :v_older_rows,
    :v_null_keys,
    :v_null_times,
    :v_source_rows
  FROM (
    SELECT
      COUNT(CASE WHEN s.c360_action = 'insert' AND s.c360_position = 1 THEN 1 END) AS new_rows,
      COUNT(CASE WHEN s.c360_action = 'update' AND s.c360_position = 1 THEN 1 END) AS updated_rows,
      COUNT(CASE WHEN s.c360_action IN ('older', 'superseded') THEN 1 END) AS older_rows,
      COUNT(CASE WHEN s.c360_action = 'null_key' THEN 1 END) AS null_keys,
      COUNT(CASE WHEN s.c360_action = 'null_time' THEN 1 END) AS null_times,
      COUNT(*) AS source_rows
    FROM C360.c360_control.stage_table AS s
  ) AS q;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 int.limit: '
      || v_null_keys
      || ' rows of the query of table have no group'
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
        d."GROUP"
      FROM (
        SELECT DISTINCT
          s."GROUP",
          s."SELECT",
          s."Größe",
          s."two words",
          s.remark,
          s.updated_at
        FROM C360.c360_control.stage_table AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
      ) AS d
      GROUP BY
        d."GROUP"
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
          COALESCE(CAST(s."GROUP" AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_table AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 int.limit: '
      || v_duplicate_keys
      || ' values of group occur in several rows that differ'
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
      FROM C360.int."LIMIT" AS t
    ) AS q;
  END IF;

  -- Empty the table; readers see its rows until the commit.
  IF (v_full_refresh) THEN
    DELETE FROM C360.int."LIMIT" AS t
    WHERE
      TRUE;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_target_rows) THEN
      v_message := 'ZC006 ' || 'int.limit' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Update the rows that differ; the count must be exact.
  IF (v_updated_rows > 0) THEN
    UPDATE C360.int."LIMIT" AS t SET "SELECT" = s."SELECT", "Größe" = s."Größe", "two words" = s."two words", remark = s.remark, updated_at = s.updated_at
    FROM C360.c360_control.stage_table AS s
    WHERE
      t."GROUP" = s."GROUP" AND s.c360_action = 'update' AND s.c360_position = 1;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_updated_rows) THEN
      v_message := 'ZC006 ' || 'int.limit' || ': ' || (v_updated_rows) || ' rows to update, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the rows that are new.
  IF (v_new_rows > 0) THEN
    INSERT INTO C360.int."LIMIT" (
      "GROUP",
      "SELECT",
      "Größe",
      "two words",
      remark,
      updated_at
    )
    SELECT
      s."GROUP",
      s."SELECT",
      s."Größe",
      s."two words",
      s.remark,
      s.updated_at
    FROM C360.c360_control.stage_table AS s
    WHERE
      s.c360_action = 'insert' AND s.c360_position = 1;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_new_rows) THEN
      v_message := 'ZC006 ' || 'int.limit' || ': ' || (v_new_rows) || ' rows to insert, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Watermark and success belong to the transaction of the data, and so does the name of the run in the row that is locked.
  INSERT INTO C360.c360_control.watermark (node, cursor_value, run_id, as_of, recorded_at)
  SELECT :c_node, NULL, :v_run_id, :v_as_of, SYSDATE();
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by,
    source_rows, inserted_rows, updated_rows, deleted_rows, unchanged_rows
  )
  SELECT
    :v_run_id, :c_node, 'run', FALSE, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER(),
    :v_source_rows,
    :v_new_rows,
    :v_updated_rows,
    CASE WHEN :v_full_refresh THEN :v_target_rows ELSE 0 END,
    :v_source_rows - :v_new_rows - :v_updated_rows - :v_older_rows
  ;
  UPDATE C360.c360_control.lock_table SET run_id = :v_run_id WHERE node = :c_node;
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


-- ==================== procedures/run_user.sql: run of snap.user

CREATE OR REPLACE PROCEDURE C360.c360_control.run_user(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings the history user up to date with raw.order'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_user();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_user('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
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
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'snap.user';
  c_spec_hash VARCHAR DEFAULT '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
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

  -- The columns of raw.order must be there, of the kind that is declared.
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
      ('group', 'integer'),
      ('select', 'text'),
      (LOWER('Größe'), 'text'),
      ('two words', 'text'),
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
        c.table_schema = 'RAW' AND c.table_name = 'ORDER'
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
    v_message := 'ZC011 snap.user: '
      || 'raw.order is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 snap.user: '
      || v_drifted_columns
      || ' columns of raw.order are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_user (
    c360_action VARCHAR,
    c360_rows NUMBER(38, 0),
    c360_open_from TIMESTAMP_NTZ(6),
    c360_starts_at TIMESTAMP_NTZ(6),
    c360_ends_at TIMESTAMP_NTZ(6),
    "GROUP" NUMBER(38, 0),
    "SELECT" VARCHAR,
    "Größe" VARCHAR,
    "two words" VARCHAR,
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_user
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
      FROM C360.c360_control.lock_user AS l
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
  INSERT INTO C360.c360_control.stage_user (
    c360_action,
    c360_rows,
    c360_open_from,
    c360_starts_at,
    c360_ends_at,
    "GROUP",
    "SELECT",
    "Größe",
    "two words",
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
    d."GROUP",
    d."SELECT",
    d."Größe",
    d."two words",
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
      e."GROUP",
      e."SELECT",
      e."Größe",
      e."two words",
      e.updated_at
    FROM (
      SELECT
        w.c360_action,
        w.c360_open_from,
        w."GROUP",
        w."SELECT",
        w."Größe",
        w."two words",
        w.updated_at
      FROM (
        SELECT
          CASE
            WHEN s.c360_present IS NULL
            THEN 'delete'
            WHEN s."GROUP" IS NULL
            THEN 'null_key'
            WHEN s.updated_at IS NULL
            THEN 'null_time'
            WHEN s.updated_at > :v_latest
            THEN 'future_time'
            WHEN o.valid_from IS NULL
            THEN 'new'
            WHEN s."SELECT" IS DISTINCT FROM o."SELECT"
            OR s."Größe" IS DISTINCT FROM o."Größe"
            OR s."two words" IS DISTINCT FROM o."two words"
            THEN 'change'
          END AS c360_action,
          o.valid_from AS c360_open_from,
          COALESCE(s."GROUP", o."GROUP") AS "GROUP",
          s."SELECT" AS "SELECT",
          s."Größe" AS "Größe",
          s."two words" AS "two words",
          s.updated_at AS updated_at
        FROM (
          SELECT
            r."GROUP",
            r."SELECT",
            r."Größe",
            r."two words",
            CAST(r.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
            TRUE AS c360_present
          FROM C360.raw."ORDER" AS r
        ) AS s
        FULL JOIN (
          SELECT
            h."GROUP",
            h."SELECT",
            h."Größe",
            h."two words",
            h.valid_from
          FROM C360.snap."USER" AS h
          WHERE
            h.valid_to IS NULL
        ) AS o
          ON o."GROUP" = s."GROUP"
      ) AS w
      WHERE
        w.c360_action IS NOT NULL
    ) AS e
    LEFT JOIN (
      SELECT
        p."GROUP",
        MAX(p.valid_to) AS c360_boundary
      FROM C360.snap."USER" AS p
      WHERE
        p.valid_to IS NOT NULL
      GROUP BY
        p."GROUP"
    ) AS l
      ON l."GROUP" = e."GROUP"
  ) AS d
  UNION ALL
  SELECT
    'source' AS c360_action,
    COUNT(*) AS c360_rows,
    NULL AS c360_open_from,
    NULL AS c360_starts_at,
    NULL AS c360_ends_at,
    NULL AS "GROUP",
    NULL AS "SELECT",
    NULL AS "Größe",
    NULL AS "two words",
    NULL AS updated_at
  FROM C360.raw."ORDER" AS r
  UNION ALL
  SELECT
    'open' AS c360_action,
    COUNT(*) AS c360_rows,
    NULL AS c360_open_from,
    NULL AS c360_starts_at,
    NULL AS c360_ends_at,
    NULL AS "GROUP",
    NULL AS "SELECT",
    NULL AS "Größe",
    NULL AS "two words",
    NULL AS updated_at
  FROM C360.snap."USER" AS h
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
            k."GROUP"
          FROM C360.c360_control.stage_user AS k
          WHERE
            k.c360_action IN ('new', 'revive')
        ) AS u
      ) AS new_keys
    FROM C360.c360_control.stage_user AS s
  ) AS q;

  -- Only where the numbers do not add up, look for the keys that occur twice.
  IF (v_source_rows - v_unmatched_rows <> v_open_rows - v_absent_rows OR v_new_keys <> v_new_rows + v_revived_rows) THEN
    SELECT q.duplicate_keys INTO :v_duplicate_keys
    FROM (
      SELECT
        COUNT(*) AS duplicate_keys
      FROM (
        SELECT
          r."GROUP"
        FROM C360.raw."ORDER" AS r
        GROUP BY
          r."GROUP"
        HAVING
          COUNT(*) > 1
      ) AS d
    ) AS q;
  END IF;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 snap.user: '
      || v_null_keys
      || ' rows of raw.order have no group'
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
          COALESCE(CAST(s."GROUP" AS VARCHAR), 'NULL') AS c360_key
        FROM (
          SELECT
            r."GROUP"
          FROM C360.raw."ORDER" AS r
          GROUP BY
            r."GROUP"
          HAVING
            COUNT(*) > 1
        ) AS s
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 snap.user: '
      || v_duplicate_keys
      || ' values of group occur in several rows of raw.order'
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
          COALESCE(CAST(s."GROUP" AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_user AS s
        WHERE
          s.c360_action = 'null_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC003 snap.user: '
      || v_null_times
      || ' rows of raw.order have no usable updated_at'
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
          COALESCE(CAST(s."GROUP" AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_user AS s
        WHERE
          s.c360_action = 'future_time'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC009 snap.user: '
      || v_future_times
      || ' rows of raw.order have updated_at later than '
      || v_latest
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Compare the clocks.';
    RAISE guard_failed;
  END IF;

  -- An empty source is more likely a failed load than the end of everything.
  IF (v_open_rows > 0 AND v_source_rows = 0) THEN
    v_message := 'ZC004 snap.user: '
      || 'raw.order is empty while '
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
          COALESCE(CAST(s."GROUP" AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_user AS s
        WHERE
          s.c360_ends_at <= s.c360_open_from OR s.c360_action = 'blocked'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC010 snap.user: '
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
    UPDATE C360.snap."USER" AS t SET valid_to = s.c360_ends_at, closed_run_id = :v_run_id
    FROM C360.c360_control.stage_user AS s
    WHERE
      t."GROUP" = s."GROUP"
      AND t.valid_from = s.c360_open_from
      AND t.valid_to IS NULL
      AND s.c360_ends_at IS NOT NULL;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_closing_rows) THEN
      v_message := 'ZC006 ' || 'snap.user' || ': ' || (v_closing_rows) || ' versions to close, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the versions that began.
  IF (v_starting_rows > 0) THEN
    INSERT INTO C360.snap."USER" (
      "GROUP",
      "SELECT",
      "Größe",
      "two words",
      updated_at,
      valid_from,
      opened_run_id
    )
    SELECT
      s."GROUP",
      s."SELECT",
      s."Größe",
      s."two words",
      s.updated_at,
      s.c360_starts_at AS valid_from,
      :v_run_id AS opened_run_id
    FROM C360.c360_control.stage_user AS s
    WHERE
      s.c360_action IN ('new', 'change', 'revive');
    v_written := SQLROWCOUNT;
    IF (v_written <> v_starting_rows) THEN
      v_message := 'ZC006 ' || 'snap.user' || ': ' || (v_starting_rows) || ' versions to insert, ' || v_written || ' found. Nothing was written.';
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
  UPDATE C360.c360_control.lock_user SET run_id = :v_run_id WHERE node = :c_node;
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


-- ==================== procedures/check_user.sql: check of snap.user

CREATE OR REPLACE PROCEDURE C360.c360_control.check_user()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Fails when the history user is not sound'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.check_user();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snap.user';
  c_spec_hash VARCHAR DEFAULT '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
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
  UPDATE C360.c360_control.lock_user
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
      FROM C360.c360_control.lock_user AS l
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
              COALESCE(CAST(v."GROUP" AS VARCHAR), 'NULL') AS c360_key
            FROM (
              SELECT
                h."GROUP",
                h.valid_from,
                h.valid_to,
                LEAD(h.valid_from) OVER (PARTITION BY h."GROUP" ORDER BY h.valid_from) AS c360_next,
                COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h."GROUP") AS c360_open
              FROM C360.snap."USER" AS h
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
    v_message := 'ZC016 snap.user: '
      || v_damaged_rows
      || ' versions are damaged: '
      || v_damage
      || '. See the view user_health. Rewind to a run before the damage, or mend it by hand.';
    RAISE guard_failed;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by
  )
  SELECT
    :v_run_id, :c_node, 'check', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER()
  ;
  UPDATE C360.c360_control.lock_user SET run_id = :v_run_id WHERE node = :c_node;
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


-- ==================== procedures/rewind_user.sql: rewind of snap.user

CREATE OR REPLACE PROCEDURE C360.c360_control.rewind_user(p_to TIMESTAMP_NTZ(6), p_dry_run BOOLEAN DEFAULT TRUE)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Takes the history user back to what it was after the last run at or before an instant'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.rewind_user('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      a dry run: it counts what it would do, and logs that
-- CALL C360.c360_control.rewind_user('2026-01-31 02:00:00'::TIMESTAMP_NTZ, FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snap.user';
  c_spec_hash VARCHAR DEFAULT '8fbb7030512d43bac9215758706283879770cb9a2c0dafdfede85e9146cdc9c8';
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
  UPDATE C360.c360_control.lock_user
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
      FROM C360.c360_control.lock_user AS l
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
    v_message := 'ZC018 snap.user: '
      || 'the instant is NULL'
      || '. Nothing was written. Say to which instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- Runs that are not in the log cannot be told from each other.
  IF (v_kept_as_of IS NULL) THEN
    v_message := 'ZC018 snap.user: '
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
    FROM C360.snap."USER" AS h
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
    v_message := 'ZC018 snap.user: '
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
    FROM C360.snap."USER" AS h
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
    DELETE FROM C360.snap."USER" AS t
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
      v_message := 'ZC006 ' || 'snap.user' || ': ' || (v_removed_rows) || ' versions to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Open those again that later runs closed.
  IF (v_reopened_rows > 0 AND NOT v_dry_run) THEN
    UPDATE C360.snap."USER" AS t SET valid_to = NULL, closed_run_id = NULL
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
      v_message := 'ZC006 ' || 'snap.user' || ': ' || (v_reopened_rows) || ' versions to open again, ' || v_written || ' found. Nothing was written.';
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
  UPDATE C360.c360_control.lock_user SET run_id = :v_run_id WHERE node = :c_node;
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


INSERT INTO C360.c360_control.release (shape, released_at, released_by)
SELECT '9faa1ecc44800854bf1deda97ecb074a5c3aa621937429a6a2ed99d2cf5e7b75', SYSDATE(), CURRENT_USER()
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.release AS r WHERE r.shape = '9faa1ecc44800854bf1deda97ecb074a5c3aa621937429a6a2ed99d2cf5e7b75');
