-- c360gen | bigquery | check of the sources' freshness | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: dc9dd6e6a561c85bee8123710ff810f15882c7d9092263ca48389389b42839fe

-- CALL `acme-analytics`.c360_control.check_freshness();
-- Rules:   the newest loaded_at_field of each source counts, of the rows that its filter lets through; no row is too old
-- Errors:  ZC019 a source is too old
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_freshness()
OPTIONS (strict_mode = FALSE, description = 'Fails when a source is older than its error_after')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'c360_control.source_freshness';
  DECLARE c_spec_hash STRING DEFAULT 'c47d31e339b59e58ad0a2626591ab31a6aedf5d416568ded59fb46f6f5f17f00';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT FALSE;
  DECLARE v_as_of TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_stale_sources INT64;
  DECLARE v_stale_names STRING;

  -- 1. Announce it.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'check', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;

    -- Look at every source that says how fresh it should be.
    SET (v_stale_sources, v_stale_names) = (
      SELECT AS STRUCT
        COUNT(*) AS stale_sources,
        STRING_AGG(s.line, '; '
        ORDER BY
          s.line) AS stale_names
      FROM (
        SELECT
          l.source || ' (' || l.loaded || ')' AS line
        FROM (
          SELECT
            f.source AS source,
            COALESCE(CAST(f.loaded_at AS STRING), 'no row') AS loaded
          FROM `acme-analytics`.c360_control.source_freshness AS f
          WHERE
            f.status = 'error'
        ) AS l
      ) AS s
    );

    -- Runs over old rows succeed and say nothing.
    IF v_stale_sources > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC019 c360_control.source_freshness: ',
        CAST(v_stale_sources AS STRING),
        ' sources are older than their error_after: ',
        CAST(v_stale_names AS STRING),
        '. See the view source_freshness. Ask whoever loads the sources.'
      );
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id
    )
    VALUES (
      v_run_id, c_node, 'check', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id
    );
    COMMIT TRANSACTION;
    SET v_in_transaction = FALSE;
  EXCEPTION WHEN ERROR THEN
    SET v_message = @@error.message;
    IF v_in_transaction THEN
      BEGIN
        ROLLBACK TRANSACTION;
      EXCEPTION WHEN ERROR THEN
        SET v_in_transaction = FALSE;  -- BigQuery had ended the transaction already; ROLLBACK fails without one
      END;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, message)
    VALUES (v_run_id, c_node, 'check', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;
