-- c360gen | snowflake | run of intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 733d908cb1503f96f0f8578a54b8e079b5083f3e6524b9067c69c7e0abae96f2

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
