-- c360gen | bigquery | job incrementals | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4abbf8db720ef17962281062804a476ee17a6dda732639dbf2ec3711b80f46f9

-- CALL `acme-analytics`.c360_control.run_job_incrementals();
-- Scheduled queries cannot depend on each other, so this runs the nodes in the order of their dependencies. Each commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe. Each node takes its own clock.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_job_incrementals()
OPTIONS (description = 'Runs every node of the schedule incrementals in order')
BEGIN
  CALL `acme-analytics`.c360_control.run_int_customer_orders(NULL, FALSE);
  CALL `acme-analytics`.c360_control.run_int_interactions(NULL, FALSE);
  CALL `acme-analytics`.c360_control.run_int_payments(NULL, FALSE);
  CALL `acme-analytics`.c360_control.run_mart_customer_360(NULL);
END;
