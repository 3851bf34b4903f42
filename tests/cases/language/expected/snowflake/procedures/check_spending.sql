-- c360gen | snowflake | check of snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f6e56616e46c744f75fc5ad93d4f093b4cdd8dd2f58869328c502ef87c5b9cc1

CREATE OR REPLACE PROCEDURE C360.c360_control.check_spending()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Fails when the history spending is not sound'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.check_spending();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
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
              COALESCE(CAST(v.customer_id AS VARCHAR), 'NULL') AS c360_key
            FROM (
              SELECT
                h.customer_id,
                h.valid_from,
                h.valid_to,
                LEAD(h.valid_from) OVER (PARTITION BY h.customer_id ORDER BY h.valid_from) AS c360_next,
                COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.customer_id) AS c360_open
              FROM C360.snap.spending AS h
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
    v_message := 'ZC016 snap.spending: '
      || v_damaged_rows
      || ' versions are damaged: '
      || v_damage
      || '. See the view spending_health. Rewind to a run before the damage, or mend it by hand.';
    RAISE guard_failed;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by
  )
  SELECT
    :v_run_id, :c_node, 'check', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER()
  ;
  UPDATE C360.c360_control.lock_spending SET run_id = :v_run_id WHERE node = :c_node;
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
