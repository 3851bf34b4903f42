-- c360gen | snowflake | retention of the run log | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0c8af96f18089613df75abf10ec58affb52682669c712aee73db2cfcac0c3fcf

CREATE OR REPLACE PROCEDURE C360.c360_control.prune_run_log(p_keep_days NUMBER(38, 0) DEFAULT 400)
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Removes old rows of the run log'
EXECUTE AS CALLER
AS
$$
-- CALL C360.c360_control.prune_run_log();
-- Rows of the run log that are older than 400 days go; the last success of every node stays.
-- A history can be rewound to runs that are in the log.
BEGIN
  DELETE FROM C360.c360_control.run_log
  WHERE logged_at < DATEADD(DAY, -:p_keep_days, SYSDATE())
    AND run_id NOT IN (
      SELECT k.run_id
      FROM (SELECT w.run_id, ROW_NUMBER() OVER (PARTITION BY w.node ORDER BY w.recorded_at DESC) AS position FROM C360.c360_control.watermark AS w) AS k
      WHERE k.position = 1
    );
  DELETE FROM C360.c360_control.watermark
  WHERE run_id NOT IN (SELECT l.run_id FROM C360.c360_control.run_log AS l);
  RETURN 'old rows are gone';
END;
$$;
