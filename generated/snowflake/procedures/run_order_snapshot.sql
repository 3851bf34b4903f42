-- c360gen | snowflake | run of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 293dea6fc3a6ba6b5653a56e638bc74dd4e0b22f153b95908e3f93dd7d303f55

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
