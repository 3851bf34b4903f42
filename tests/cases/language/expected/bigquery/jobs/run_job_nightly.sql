-- c360gen | bigquery | job nightly | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8879e6700d5ee6726163ebdbe8c9df19fef00b2ac2259a0a80f37b18432842ef

-- CALL `acme-analytics`.c360_control.run_job_nightly();
-- Scheduled queries cannot depend on each other, so this runs the nodes in the order of their dependencies. Each commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe. Each node takes its own clock.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_job_nightly()
OPTIONS (description = 'Runs every node of the schedule nightly in order')
BEGIN
  CALL `acme-analytics`.c360_control.run_customers(NULL);
  CALL `acme-analytics`.c360_control.run_spending(NULL);
  CALL `acme-analytics`.c360_control.run_order_lines(NULL, FALSE);
END;
