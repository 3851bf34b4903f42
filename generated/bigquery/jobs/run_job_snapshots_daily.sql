-- c360gen | bigquery | job snapshots_daily | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 03666ceaa2d48ac97cc612926db01e7df10ee6ed14580bd7426efaece6f86e36

-- CALL `acme-analytics`.c360_control.run_job_snapshots_daily();
-- Scheduled queries cannot depend on each other, so this runs the nodes in the order of their dependencies. Each commits on its own;
-- the first failure stops the job and is raised, and calling it again is safe. Each node takes its own clock.
CREATE OR REPLACE PROCEDURE `acme-analytics`.c360_control.run_job_snapshots_daily()
OPTIONS (description = 'Runs every node of the schedule snapshots_daily in order')
BEGIN
  CALL `acme-analytics`.c360_control.run_customer_snapshot(NULL);
  CALL `acme-analytics`.c360_control.run_order_snapshot(NULL);
  CALL `acme-analytics`.c360_control.run_payment_snapshot(NULL);
END;
