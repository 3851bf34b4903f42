-- c360gen | bigquery | retention of the run log | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 1adcc0bdcac412bb9617afcff8f65d20f5e5bdf6d0a1b3816e87a9aa7890a0d6

-- CALL `acme-analytics`.c360_control.prune_run_log(400);
-- Rows of the run log that are older than so many days go; the last success of every node stays, and so do
-- the last success and the last failure of every window.
-- A history can be rewound to runs that are in the log.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.prune_run_log(IN p_keep_days INT64)
OPTIONS (description = 'Removes old rows of the run log')
BEGIN
  DELETE FROM `acme-analytics`.c360_control.run_log
  WHERE logged_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL p_keep_days DAY)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM `acme-analytics`.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM `acme-analytics`.c360_control.watermark
  WHERE run_id NOT IN (SELECT l.run_id FROM `acme-analytics`.c360_control.run_log AS l)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM `acme-analytics`.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM `acme-analytics`.c360_control.window_log
  WHERE recorded_at < TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL p_keep_days DAY)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (
        SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node, w.window_start, w.status ORDER BY w.recorded_at DESC) AS position
        FROM `acme-analytics`.c360_control.window_log AS w
      ) AS k
      WHERE k.position = 1
    );
END;
