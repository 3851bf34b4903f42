-- c360gen | snowflake | run of int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0884f7f22d152b4d93251990aac1b54ba580710aaedd834fbc46b395343f10b6

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
