-- c360gen | snowflake | rewind of snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 355a557713c5790cb2b6417847762da43f0302065d596b98cb80536aea316a25

CREATE OR REPLACE PROCEDURE C360.c360_control.rewind_spending(p_to TIMESTAMP_NTZ(6), p_dry_run BOOLEAN DEFAULT TRUE)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Takes the history spending back to what it was after the last run at or before an instant'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.rewind_spending('2026-01-31 02:00:00'::TIMESTAMP_NTZ);
--      a dry run: it counts what it would do, and logs that
-- CALL C360.c360_control.rewind_spending('2026-01-31 02:00:00'::TIMESTAMP_NTZ, FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
--          ZC024 the last run is not seen yet
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'snap.spending';
  c_spec_hash VARCHAR DEFAULT 'fad5844310687384f7261918fd0a60546b45caa4142cddf60ab7e9ed1f4d0e2e';
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
  UPDATE C360.c360_control.lock_spending
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
      FROM C360.c360_control.lock_spending AS l
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
    v_message := 'ZC018 snap.spending: '
      || 'the instant is NULL'
      || '. Nothing was written. Say to which instant; the run log shows which runs there are.';
    RAISE guard_failed;
  END IF;

  -- Runs that are not in the log cannot be told from each other.
  IF (v_kept_as_of IS NULL) THEN
    v_message := 'ZC018 snap.spending: '
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
    FROM C360.snap.spending AS h
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
    v_message := 'ZC018 snap.spending: '
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
    FROM C360.snap.spending AS h
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
    DELETE FROM C360.snap.spending AS t
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
      v_message := 'ZC006 ' || 'snap.spending' || ': ' || (v_removed_rows) || ' versions to remove, ' || v_written || ' found. Nothing was written.';
      RAISE guard_failed;
    END IF;
  END IF;

  -- Open those again that later runs closed.
  IF (v_reopened_rows > 0 AND NOT v_dry_run) THEN
    UPDATE C360.snap.spending AS t SET valid_to = NULL, closed_run_id = NULL
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
      v_message := 'ZC006 ' || 'snap.spending' || ': ' || (v_reopened_rows) || ' versions to open again, ' || v_written || ' found. Nothing was written.';
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
  UPDATE C360.c360_control.lock_spending SET run_id = :v_run_id WHERE node = :c_node;
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
