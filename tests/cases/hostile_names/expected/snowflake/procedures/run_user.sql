-- c360gen | snowflake | run of snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b27970a05dfc2ab596e952fe245e0b785e87799890c2aec8c7fdc9486b72933f

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
