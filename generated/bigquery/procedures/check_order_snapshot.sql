-- c360gen | bigquery | check of snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f1c239d03b3b54cf2beb5fd2e6ee4530fc5b1281ea10a1c6695140006ef9d1b8

-- CALL `acme-analytics`.c360_control.check_order_snapshot();
-- Rules:   each key has one open version at most, versions begin before they end and do not overlap; there are no gaps
-- Errors:  ZC008 not deployed
--          ZC016 the history is damaged
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.check_order_snapshot()
OPTIONS (strict_mode = FALSE, description = 'Fails when the history order_snapshot is not sound')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.order_snapshot';
  DECLARE c_spec_hash STRING DEFAULT '1dcf2208bcf5c46d0890e7da5818d8efc6de174533a23b5dad4875cc14b856b9';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT FALSE;
  DECLARE v_as_of TIMESTAMP DEFAULT CURRENT_TIMESTAMP();
  DECLARE v_damaged_rows INT64;
  DECLARE v_damage STRING;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'check', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_order_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- Count the versions that break a rule, under the first one that each breaks.
    SET (v_damaged_rows, v_damage) = (
      SELECT AS STRUCT
        COALESCE(SUM(l.found), 0) AS damaged_rows,
        STRING_AGG(l.line, ', '
        ORDER BY
          l.line) AS damage
      FROM (
        SELECT
          d.found AS found,
          d.problem || ': ' || CAST(d.found AS STRING) || ' (' || d.example || ')' AS line
        FROM (
          SELECT
            p.c360_problem AS problem,
            COUNT(*) AS found,
            STRING_AGG(CASE WHEN p.c360_position <= 5 THEN p.c360_key END, '; '
            ORDER BY
              p.c360_key) AS example
          FROM (
            SELECT
              j.c360_problem,
              j.c360_key,
              ROW_NUMBER() OVER (PARTITION BY j.c360_problem ORDER BY j.c360_key NULLS LAST) AS c360_position
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
                  WHEN v.valid_to < v.c360_next
                  THEN 'gap'
                  WHEN v.valid_to IS NOT NULL AND v.c360_next IS NULL
                  THEN 'orphan'
                END AS c360_problem,
                COALESCE(CAST(v.order_id AS STRING), 'NULL') AS c360_key
              FROM (
                SELECT
                  h.order_id,
                  h.valid_from,
                  h.valid_to,
                  LEAD(h.valid_from) OVER (PARTITION BY h.order_id ORDER BY h.valid_from NULLS LAST) AS c360_next,
                  COUNT(CASE WHEN h.valid_to IS NULL THEN 1 END) OVER (PARTITION BY h.order_id) AS c360_open
                FROM `acme-analytics`.snapshots.order_snapshot AS h
              ) AS v
            ) AS j
            WHERE
              j.c360_problem IS NOT NULL
          ) AS p
          GROUP BY
            p.c360_problem
        ) AS d
      ) AS l
    );

    -- A sound history has none.
    IF v_damaged_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC016 snapshots.order_snapshot: ',
        CAST(v_damaged_rows AS STRING),
        ' versions are damaged: ',
        CAST(v_damage AS STRING),
        '. See the view order_snapshot_health. Rewind to a run before the damage, or mend it by hand.'
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
