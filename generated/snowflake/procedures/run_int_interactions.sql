-- c360gen | snowflake | run of intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2ac02b63753f1ed49bc3d8c491cf353341433886587487ffb90f54438b4e92cc

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
