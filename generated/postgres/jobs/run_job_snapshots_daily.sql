-- c360gen | postgres | job snapshots_daily | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 09fe88b6efb64800fe15863cbffd34a04bfa4627697a603bc3bac57a6f8e5835

-- CALL c360_control.run_job_snapshots_daily();
-- Runs the nodes of the schedule snapshots_daily in the order of their dependencies. Each commits on its own; the first
-- failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE c360_control.run_job_snapshots_daily()
LANGUAGE plpgsql
AS $$
BEGIN
    CALL c360_control.run_customer_snapshot();
    CALL c360_control.run_order_snapshot();
    CALL c360_control.run_payment_snapshot();
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_job_snapshots_daily() FROM PUBLIC;
