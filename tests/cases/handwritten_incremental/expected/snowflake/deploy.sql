-- c360gen | snowflake | deploy of customer_360 to target snowflake, safe to run again | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9e49389af24a5419f3a13ce770cd127dc8a0ae9804dfa10b0e0ef10d85575128

-- What stands below ends its transactions itself. Where AUTOCOMMIT is off, by user, account or client (schemachange's default), one
-- that nobody has begun would be open, and the first block that begins its own would fail.
ALTER SESSION SET AUTOCOMMIT = TRUE;

CREATE SCHEMA IF NOT EXISTS C360.c360_control;
CREATE SCHEMA IF NOT EXISTS C360.int;

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
  WHERE r.shape <> 'd57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c'
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


-- ==================== tables/latest.sql: incremental int.latest

CREATE TABLE IF NOT EXISTS C360.int.latest (
  id NUMBER(38, 0) NOT NULL,
  email VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  CONSTRAINT latest_pk PRIMARY KEY (id) NOT ENFORCED
);

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_latest (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_latest: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_latest (node, run_id)
SELECT
  'int.latest',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'int.latest' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_latest AS l);


-- ==================== procedures/run_latest.sql: run of int.latest

CREATE OR REPLACE PROCEDURE C360.c360_control.run_latest(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL,
  p_full_refresh BOOLEAN DEFAULT FALSE
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Brings latest up to date with its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_latest();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_latest('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- CALL C360.c360_control.run_latest(p_full_refresh => TRUE);
--      replaces every row, in one transaction
-- Rules:   a row of a known id is updated where any column differs, a new one inserted, a missing one kept
--          rows that share id must be equal, and count once
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
  c_node VARCHAR DEFAULT 'int.latest';
  c_spec_hash VARCHAR DEFAULT 'aa99845f4237a374d01c2cfa334d2640825d42c4d6ca5181dd8e86a61f86176c';
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

  -- The columns of raw.customers must be there, of the kind that is declared.
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
      CASE WHEN COUNT(*) = 4 AND COUNT(a.c360_name) = 0 THEN 1 ELSE 0 END AS missing_tables,
      COUNT(*) AS drifted_columns,
      LISTAGG(w.c360_name, '; ') WITHIN GROUP (ORDER BY
        w.c360_name) AS drifted_names
    FROM (VALUES
      ('id', 'integer'),
      ('email', 'text'),
      ('city', 'text'),
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
        c.table_schema = 'RAW' AND c.table_name = 'CUSTOMERS'
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
    v_message := 'ZC011 int.latest: '
      || 'raw.customers is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 int.latest: '
      || v_drifted_columns
      || ' columns of raw.customers are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 2. The stage, private to the session; before the transaction, because DDL commits.
  CREATE OR REPLACE TEMPORARY TABLE C360.c360_control.stage_latest (
    c360_action VARCHAR,
    c360_copies NUMBER(38, 0),
    c360_position NUMBER(38, 0),
    id NUMBER(38, 0),
    email VARCHAR,
    updated_at TIMESTAMP_NTZ(6)
  );

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_latest
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
      FROM C360.c360_control.lock_latest AS l
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
  IF (NOT v_incremental) THEN
    INSERT INTO C360.c360_control.stage_latest (
      c360_action,
      c360_copies,
      c360_position,
      id,
      email,
      updated_at
    )
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
      b.c360_copies,
      b.c360_position,
      b.id,
      b.email,
      b.updated_at
    FROM (
      SELECT
        m.id,
        m.email,
        CAST(m.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
        COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id) AS c360_position
      FROM (
        SELECT
          customers.id AS id,
          customers.email AS email,
          customers.updated_at AS updated_at
        FROM C360.raw.customers AS customers
      ) AS m
    ) AS b
    LEFT JOIN C360.int.latest AS t
      ON t.id = b.id AND NOT :v_full_refresh;
  END IF;

  -- Read the batch once and look its keys up in the target.
  IF (v_incremental) THEN
    INSERT INTO C360.c360_control.stage_latest (
      c360_action,
      c360_copies,
      c360_position,
      id,
      email,
      updated_at
    )
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
      b.c360_copies,
      b.c360_position,
      b.id,
      b.email,
      b.updated_at
    FROM (
      SELECT
        m.id,
        m.email,
        CAST(m.updated_at AS TIMESTAMP_NTZ(6)) AS updated_at,
        COUNT(*) OVER (PARTITION BY m.id) AS c360_copies,
        ROW_NUMBER() OVER (PARTITION BY m.id ORDER BY m.id) AS c360_position
      FROM (
        SELECT
          customers.id AS id,
          customers.email AS email,
          customers.updated_at AS updated_at
        FROM C360.raw.customers AS customers
        WHERE
          customers.updated_at > (
            SELECT
              MAX(t.updated_at) AS _col_0
            FROM C360.int.latest AS t
          )
      ) AS m
    ) AS b
    LEFT JOIN C360.int.latest AS t
      ON t.id = b.id AND NOT :v_full_refresh;
  END IF;

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
    FROM C360.c360_control.stage_latest AS s
  ) AS q;

  -- Keys must not be NULL.
  IF (v_null_keys > 0) THEN
    v_message := 'ZC002 int.latest: '
      || v_null_keys
      || ' rows of the query of latest have no id'
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
        d.id
      FROM (
        SELECT DISTINCT
          s.id,
          s.email,
          s.updated_at
        FROM C360.c360_control.stage_latest AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
      ) AS d
      GROUP BY
        d.id
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
          COALESCE(CAST(s.id AS VARCHAR), 'NULL') AS c360_key
        FROM C360.c360_control.stage_latest AS s
        WHERE
          s.c360_copies > 1 AND s.c360_action <> 'superseded'
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC001 int.latest: '
      || v_duplicate_keys
      || ' values of id occur in several rows that differ'
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
      FROM C360.int.latest AS t
    ) AS q;
  END IF;

  -- Empty the table; readers see its rows until the commit.
  IF (v_full_refresh) THEN
    DELETE FROM C360.int.latest AS t
    WHERE
      TRUE;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_target_rows) THEN
      v_message := 'ZC006 ' || 'int.latest' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Update the rows that differ; the count must be exact.
  IF (v_updated_rows > 0) THEN
    UPDATE C360.int.latest AS t SET email = s.email, updated_at = s.updated_at
    FROM C360.c360_control.stage_latest AS s
    WHERE
      t.id = s.id AND s.c360_action = 'update' AND s.c360_position = 1;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_updated_rows) THEN
      v_message := 'ZC006 ' || 'int.latest' || ': ' || (v_updated_rows) || ' rows to update, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Insert the rows that are new.
  IF (v_new_rows > 0) THEN
    INSERT INTO C360.int.latest (
      id,
      email,
      updated_at
    )
    SELECT
      s.id,
      s.email,
      s.updated_at
    FROM C360.c360_control.stage_latest AS s
    WHERE
      s.c360_action = 'insert' AND s.c360_position = 1;
    v_written := SQLROWCOUNT;
    IF (v_written <> v_new_rows) THEN
      v_message := 'ZC006 ' || 'int.latest' || ': ' || (v_new_rows) || ' rows to insert, ' || v_written || ' found. Nothing was written.';
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
  UPDATE C360.c360_control.lock_latest SET run_id = :v_run_id WHERE node = :c_node;
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
SELECT 'd57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c', SYSDATE(), CURRENT_USER()
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.release AS r WHERE r.shape = 'd57aebd78b1f6bb90229b72a84e970c135b6d7098ad13ba37302b330fe6b663c');
