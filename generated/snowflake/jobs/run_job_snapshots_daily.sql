-- c360gen | snowflake | job snapshots_daily | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 34fdd12c5a4296b8958518f05083c0806068f1c7885e0fd46a29c08e524ee3f6

-- By hand, or from a scheduler that is not Snowflake's; the task graph calls the nodes themselves. Each node commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE C360.c360_control.run_job_snapshots_daily()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Runs every node of the schedule snapshots_daily in order'
EXECUTE AS OWNER
AS
$$
BEGIN
  CALL C360.c360_control.run_customer_snapshot();
  CALL C360.c360_control.run_order_snapshot();
  CALL C360.c360_control.run_payment_snapshot();
  RETURN 'snapshots_daily: 3 nodes succeeded';
END;
$$;
