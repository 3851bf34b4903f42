-- c360gen | snowflake | check of the sources' freshness | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: c6f0872423eb4228aaae6c1a93a842144bab55bf599788a584d875245ec8cb9a

CREATE OR REPLACE PROCEDURE C360.c360_control.check_freshness()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Fails when a source is older than its error_after'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.check_freshness();
-- Rules:   the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old
-- Errors:  ZC019 a source is too old
-- Rights:  its caller's; nobody is granted USAGE by grants.sql
DECLARE
  c_node VARCHAR DEFAULT 'c360_control.source_freshness';
  c_spec_hash VARCHAR DEFAULT 'c47d31e339b59e58ad0a2626591ab31a6aedf5d416568ded59fb46f6f5f17f00';
  v_run_id VARCHAR DEFAULT UUID_STRING();
  v_as_of TIMESTAMP_NTZ(6) DEFAULT NULL;
  v_in_transaction BOOLEAN DEFAULT FALSE;
  v_message VARCHAR DEFAULT NULL;
  v_written NUMBER(18, 0) DEFAULT 0;
  v_dry_run BOOLEAN DEFAULT FALSE;
  v_stale_sources NUMBER(18, 0) DEFAULT NULL;
  v_stale_names VARCHAR DEFAULT NULL;
  guard_failed EXCEPTION (-20001, 'guard failed');
BEGIN
  v_as_of := SYSDATE();

  -- 1. Announce it.
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;
  INSERT INTO C360.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by)
  SELECT :v_run_id, :c_node, 'check', :v_dry_run, 'running', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER();
  COMMIT;
  v_in_transaction := FALSE;
  BEGIN TRANSACTION;
  v_in_transaction := TRUE;

  -- Look at every source that says how fresh it should be.
  SELECT
    q.stale_sources,
    q.stale_names
  INTO
    :v_stale_sources,
    :v_stale_names
  FROM (
    SELECT
      COUNT(*) AS stale_sources,
      LISTAGG(s.line, '; ') WITHIN GROUP (ORDER BY
        s.line) AS stale_names
    FROM (
      SELECT
        l.source || ' (' || l.loaded || ')' AS line
      FROM (
        SELECT
          f.source AS source,
          COALESCE(CAST(f.loaded_at AS VARCHAR), 'no row') AS loaded
        FROM C360.c360_control.source_freshness AS f
        WHERE
          f.status = 'error'
      ) AS l
    ) AS s
  ) AS q;

  -- Runs over old rows succeed and say nothing.
  IF (v_stale_sources > 0) THEN
    v_message := 'ZC019 c360_control.source_freshness: '
      || v_stale_sources
      || ' sources are older than their error_after: '
      || v_stale_names
      || '. See the view source_freshness. Ask whoever loads the sources.';
    RAISE guard_failed;
  END IF;
  INSERT INTO C360.c360_control.run_log (
    run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by
  )
  SELECT
    :v_run_id, :c_node, 'check', :v_dry_run, 'succeeded', SYSDATE(), :v_as_of, :c_spec_hash, CURRENT_USER()
  ;
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
