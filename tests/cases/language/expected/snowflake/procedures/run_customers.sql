-- c360gen | snowflake | run of analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 3a404b5d407f09184dc84649a5705df259ffdbe2334b207fca5db433bfa5abea

CREATE OR REPLACE PROCEDURE C360.c360_control.run_customers(
  p_as_of TIMESTAMP_NTZ(6) DEFAULT NULL
)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Replaces the contents of customers by its query'
EXECUTE AS OWNER
AS
$$
-- CALL C360.c360_control.run_customers();
--      the run time is now, in UTC
-- CALL C360.c360_control.run_customers('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      repeats a run as of a stated UTC time: now is SYSDATE(), and CURRENT_TIMESTAMP() the wall clock of your session
-- Rules:   the old rows are visible until the commit; a failure leaves them in place
--          before the commit all rows must keep: customers_pk, customers_email_uq
-- Errors:  ZC005 time runs backwards
--          ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC011 source columns are not as declared
--          ZC021 a constraint does not hold
--          ZC024 the last run is not seen yet
-- Safety:  all writes are in one transaction behind a mutex, every guard but those of constraints runs before the first of them; a failure leaves one row in
--          the run log and raises its message
-- Rights:  runs as its owner; a caller needs USAGE on it and no right on the tables
-- Do not:  call it in an open transaction: commit first, for Snowflake refuses it there ("Modifying a transaction that has started at a
--          different scope is not allowed")
DECLARE
  c_node VARCHAR DEFAULT 'analytics.customers';
  c_spec_hash VARCHAR DEFAULT '66af08f6696b199e6f90da8675b7f122c40f389a4bba02393afbcd771b3a7591';
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

  -- The columns of shop.customers must be there, of the kind that is declared.
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
      ('country', 'text'),
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
    v_message := 'ZC011 analytics.customers: '
      || 'shop.customers is not there, or none of its columns is'
      || '. Nothing was written. Load the table, or create it: sources belong to others, and are only read.';
    RAISE guard_failed;
  END IF;

  -- What is missing or retyped would be lost or bent in silence.
  IF (v_drifted_columns > 0) THEN
    v_message := 'ZC011 analytics.customers: '
      || v_drifted_columns
      || ' columns of shop.customers are missing or of another kind than declared: '
      || v_drifted_names
      || '. Nothing was written. Declare the columns as they are; what that changes in tables is a migration.';
    RAISE guard_failed;
  END IF;

  -- 3. Lock, in a statement of its own: a second run waits here (LOCK_TIMEOUT of the session), and then reads what this one has
  --    committed.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  UPDATE C360.c360_control.lock_customers
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
      FROM C360.c360_control.lock_customers AS l
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
    FROM C360.analytics.customers AS t
  ) AS q;

  -- Empty the table; readers see its rows until the commit.
  DELETE FROM C360.analytics.customers AS t
  WHERE
    TRUE;
  v_written := SQLROWCOUNT;
  IF (v_written <> v_target_rows) THEN
    v_message := 'ZC006 ' || 'analytics.customers' || ': ' || (v_target_rows) || ' rows to remove, ' || v_written || ' found. Nothing was written.';
    RAISE guard_failed;
  END IF;

  -- Fill it again.
  INSERT INTO C360.analytics.customers (
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
    FROM C360.raw.customers AS c
    LEFT JOIN C360.ref.country AS n
      ON n.code = c.country
  ) AS m;

  -- Count the rows that came.
  SELECT
    q.new_rows
  INTO
    :v_new_rows
  FROM (
    SELECT
      COUNT(*) AS new_rows
    FROM C360.analytics.customers AS t
  ) AS q;

  -- Constraint customers_pk: id is unique and never NULL.
  SELECT
    q.violating_rows
  INTO
    :v_violating_rows
  FROM (
    SELECT
      COUNT(*) AS violating_rows
    FROM (
      SELECT
        COALESCE(CAST(t.id AS VARCHAR), 'NULL') AS c360_key_1
      FROM C360.analytics.customers AS t
      GROUP BY
        t.id
      HAVING
        COUNT(*) > 1 OR t.id IS NULL
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
            COALESCE(CAST(t.id AS VARCHAR), 'NULL') AS c360_key_1
          FROM C360.analytics.customers AS t
          GROUP BY
            t.id
          HAVING
            COUNT(*) > 1 OR t.id IS NULL
        ) AS b
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC021 analytics.customers: '
      || v_violating_rows
      || ' values of id break the constraint customers_pk: id is unique and never NULL'
      || ', for example ' || COALESCE(v_sample, 'none')
      || '. Nothing was written. Mend the rows in the source, or take the constraint away.';
    RAISE guard_failed;
  END IF;

  -- Constraint customers_email_uq: email is unique.
  SELECT
    q.violating_rows
  INTO
    :v_violating_rows
  FROM (
    SELECT
      COUNT(*) AS violating_rows
    FROM (
      SELECT
        COALESCE(CAST(t.email AS VARCHAR), 'NULL') AS c360_key_1
      FROM C360.analytics.customers AS t
      WHERE
        t.email IS NOT NULL
      GROUP BY
        t.email
      HAVING
        COUNT(*) > 1
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
            COALESCE(CAST(t.email AS VARCHAR), 'NULL') AS c360_key_1
          FROM C360.analytics.customers AS t
          WHERE
            t.email IS NOT NULL
          GROUP BY
            t.email
          HAVING
            COUNT(*) > 1
        ) AS b
        ORDER BY
          c360_key
        LIMIT 5
      ) AS k
    ) AS q;
    v_message := 'ZC021 analytics.customers: '
      || v_violating_rows
      || ' values of email break the constraint customers_email_uq: email is unique'
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
  UPDATE C360.c360_control.lock_customers SET run_id = :v_run_id WHERE node = :c_node;
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
