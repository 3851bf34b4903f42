-- c360gen | snowflake | retention of the run log | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 909b360af728d86afdd8cda12fde9859d80d588fd9701674093bdd3ce4201518

CREATE OR REPLACE PROCEDURE C360.c360_control.prune_run_log(p_keep_days NUMBER(38, 0) DEFAULT 400)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Removes old rows of the run log'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.prune_run_log();
-- Rows of the run log that are older than 400 days go; the last success of every node and action stays, and so do
-- the last success and the last failure of every window.
-- A history can be rewound to runs that are in the log.
BEGIN
  BEGIN TRANSACTION;
  DELETE FROM C360.c360_control.run_log
  WHERE logged_at < DATEADD(DAY, -:p_keep_days, SYSDATE())
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (
        SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM C360.c360_control.watermark AS w
        UNION ALL
        SELECT s.run_id, ROW_NUMBER() OVER (PARTITION BY s.node, s.action ORDER BY s.logged_at DESC) AS position
        FROM C360.c360_control.run_log AS s
        WHERE s.status = 'succeeded'
      ) AS k
      WHERE k.position = 1
    );
  DELETE FROM C360.c360_control.watermark
  WHERE run_id NOT IN (SELECT l.run_id FROM C360.c360_control.run_log AS l)
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM C360.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM C360.c360_control.window_log
  WHERE recorded_at < DATEADD(DAY, -:p_keep_days, SYSDATE())
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (
        SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node, w.window_start, w.status ORDER BY w.recorded_at DESC) AS position
        FROM C360.c360_control.window_log AS w
      ) AS k
      WHERE k.position = 1
    );
  COMMIT;
  RETURN 'old rows are gone';
EXCEPTION
  WHEN OTHER THEN
    ROLLBACK;
    RAISE;
END;
$$;
