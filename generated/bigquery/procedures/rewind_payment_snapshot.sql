-- c360gen | bigquery | rewind of snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8ea4447ab4a5d19b26ae1dc76ed0b8f6160b59dd14b13f6031932aa8f64eb290

-- CALL `acme-analytics`.c360_control.rewind_payment_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', TRUE);
--      a dry run: it counts what it would do, and logs that
-- CALL `acme-analytics`.c360_control.rewind_payment_snapshot(TIMESTAMP '2026-01-31 02:00:00+00', FALSE);
--      does it
-- Rules:   versions that were opened by later runs go, versions that they closed are open again; the runs that are undone are marked
--          what those runs saw in between is gone: the next run sees the source as it is then, and nodes that read this one are not rewound
-- Errors:  ZC006 the target changed under the run
--          ZC008 not deployed
--          ZC018 the log does not reach back so far
-- Rights:  its caller's
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.rewind_payment_snapshot(p_to TIMESTAMP, IN p_dry_run BOOL)
OPTIONS (strict_mode = FALSE, description = 'Takes the history payment_snapshot back to what it was after the last run at or before an instant')  -- a source that is not there yet is told by the run, and stops no deploy
BEGIN
  DECLARE c_node STRING DEFAULT 'snapshots.payment_snapshot';
  DECLARE c_spec_hash STRING DEFAULT 'f829da9fdd7781ee0bf0dcb3662192dfeecf3931cf0f634bbb117328fd0a2b04';
  DECLARE v_run_id STRING DEFAULT GENERATE_UUID();
  DECLARE v_in_transaction BOOL DEFAULT FALSE;
  DECLARE v_message STRING;
  DECLARE v_dry_run BOOL DEFAULT COALESCE(p_dry_run, TRUE);
  DECLARE v_rewind_to TIMESTAMP DEFAULT p_to;
  DECLARE v_as_of TIMESTAMP DEFAULT v_rewind_to;
  DECLARE v_unknown_rows INT64;
  DECLARE v_removed_rows INT64;
  DECLARE v_reopened_rows INT64;
  DECLARE v_kept_as_of TIMESTAMP;

  -- 1. Announce it, queue, then lock, as every run does.
  INSERT INTO `acme-analytics`.c360_control.run_log (run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id)
  VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'running', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id);
  BEGIN
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    BEGIN TRANSACTION;
    SET v_in_transaction = TRUE;
    UPDATE `acme-analytics`.c360_control.lock_payment_snapshot SET run_id = v_run_id, locked_at = CURRENT_TIMESTAMP() WHERE node = c_node;
    IF @@row_count <> 1 THEN
      RAISE USING MESSAGE = CONCAT('ZC008 ', c_node, ': its lock table must hold one row. Run deploy.sql first.');
    END IF;

    -- The run whose result stays.
    SET v_kept_as_of = (SELECT MAX(w.as_of) FROM `acme-analytics`.c360_control.watermark AS w WHERE w.node = c_node AND w.as_of <= v_rewind_to);

    -- Nobody means all of it by NULL.
    IF v_rewind_to IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.payment_snapshot: ',
        'the instant is NULL',
        '. Nothing was written. Say to which instant; the run log shows which runs there are.'
      );
    END IF;

    -- Runs that are not in the log cannot be told from each other.
    IF v_kept_as_of IS NULL THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.payment_snapshot: ',
        'the log has no run at or before ',
        CAST(v_rewind_to AS STRING),
        '. Nothing was written. Choose a later instant; the run log shows which runs there are.'
      );
    END IF;

    -- What a run did that is not in the log any more cannot be taken back.
    SET v_unknown_rows = (
      SELECT
        COUNT(*) AS unknown_rows
      FROM `acme-analytics`.snapshots.payment_snapshot AS h
      WHERE
        (
          h.valid_from > v_rewind_to
          AND h.opened_run_id IS NOT NULL
          AND NOT h.opened_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
        OR (
          h.valid_to > v_rewind_to
          AND h.closed_run_id IS NOT NULL
          AND NOT h.closed_run_id IN (
            SELECT
              r.run_id
            FROM `acme-analytics`.c360_control.run_log AS r
          )
        )
    );

    -- A part of it would stay.
    IF v_unknown_rows > 0 THEN
      RAISE USING MESSAGE = CONCAT(
        'ZC018 snapshots.payment_snapshot: ',
        CAST(v_unknown_rows AS STRING),
        ' versions began or ended after ',
        CAST(v_rewind_to AS STRING),
        ' by runs that the log has not',
        '. Nothing was written. Choose a later instant; prune_run_log decides how far back the log reaches.'
      );
    END IF;

    -- Count what the runs after that instant have done.
    SET (v_removed_rows, v_reopened_rows) = (
      SELECT AS STRUCT
        COUNT(CASE WHEN o.run_id IS NOT NULL THEN 1 END) AS removed_rows,
        COUNT(CASE WHEN c.run_id IS NOT NULL AND o.run_id IS NULL THEN 1 END) AS reopened_rows
      FROM `acme-analytics`.snapshots.payment_snapshot AS h
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS o
        ON o.run_id = h.opened_run_id
      LEFT JOIN (
        SELECT
          r.run_id
        FROM `acme-analytics`.c360_control.run_log AS r
        WHERE
          r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
      ) AS c
        ON c.run_id = h.closed_run_id
    );

    -- Remove the versions that later runs opened.
    IF v_removed_rows > 0 AND NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.snapshots.payment_snapshot AS t
      WHERE
        t.opened_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_removed_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.payment_snapshot', ': ', CAST(v_removed_rows AS STRING), ' versions to remove, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- Open those again that later runs closed.
    IF v_reopened_rows > 0 AND NOT v_dry_run THEN
      UPDATE `acme-analytics`.snapshots.payment_snapshot AS t SET valid_to = NULL, closed_run_id = NULL
      WHERE
        t.closed_run_id IN (
          SELECT
            r.run_id
          FROM `acme-analytics`.c360_control.run_log AS r
          WHERE
            r.action = 'run' AND r.status = 'succeeded' AND r.as_of > v_rewind_to
        );
      IF @@row_count <> v_reopened_rows THEN
        RAISE USING MESSAGE = CONCAT('ZC006 ', 'snapshots.payment_snapshot', ': ', CAST(v_reopened_rows AS STRING), ' versions to open again, another number was found. Nothing was written.');
      END IF;
    END IF;

    -- What is undone does not count as committed any more; the next run reads on from the run that stays.
    IF NOT v_dry_run THEN
      DELETE FROM `acme-analytics`.c360_control.watermark WHERE node = c_node AND as_of > v_rewind_to;
    END IF;
    INSERT INTO `acme-analytics`.c360_control.run_log (
      run_id, node, action, dry_run, status, logged_at, as_of, spec_hash, called_by, job_id, updated_rows, deleted_rows
    )
    VALUES (
      v_run_id, c_node, 'rewind', v_dry_run, 'succeeded', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id,
      v_reopened_rows,
      v_removed_rows
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
    VALUES (v_run_id, c_node, 'rewind', v_dry_run, 'failed', CURRENT_TIMESTAMP(), v_as_of, c_spec_hash, SESSION_USER(), @@script.job_id, v_message);
    RAISE USING MESSAGE = v_message;
  END;
END;
