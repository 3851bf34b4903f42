-- c360gen | snowflake | job nightly | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 58a0808c230bb0a8009b39d5e6fe881a431b16bd8cdd48275ced22bb06c621b6

-- By hand, or from a scheduler that is not Snowflake's; the task graph calls the nodes themselves. Each node commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE C360.c360_control.run_job_nightly()
COPY GRANTS
RETURNS VARCHAR
LANGUAGE SQL
COMMENT = 'Runs every node of the schedule nightly in order'
EXECUTE AS OWNER
AS
$$
BEGIN
  CALL C360.c360_control.run_customers();
  CALL C360.c360_control.run_spending();
  CALL C360.c360_control.run_order_lines();
  RETURN 'nightly: 3 nodes succeeded';
END;
$$;
