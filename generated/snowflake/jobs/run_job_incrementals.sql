-- c360gen | snowflake | job incrementals | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a92ccc46d037773a22873502a1d70c158acf2ee0716c57c681fb6a9311fe9f42

-- By hand, or from a scheduler that is not Snowflake's; the task graph calls the nodes themselves. Each node commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE C360.c360_control.run_job_incrementals()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Runs every node of the schedule incrementals in order'
EXECUTE AS OWNER
AS
$$
BEGIN
  CALL C360.c360_control.run_int_customer_orders();
  CALL C360.c360_control.run_int_interactions();
  CALL C360.c360_control.run_int_payments();
  CALL C360.c360_control.run_mart_customer_360();
  RETURN 'incrementals: 4 nodes succeeded';
END;
$$;
