-- c360gen | postgres | job incrementals | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f2bc9498f1ed54c6d6f8923f2e8b68675d8dd10b5ca6df710da62ede75b911a8

-- CALL c360_control.run_job_incrementals();
-- Runs the nodes of the schedule incrementals in the order of their dependencies. Each commits on its own; the first
-- failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE c360_control.run_job_incrementals()
LANGUAGE plpgsql
AS $$
BEGIN
    CALL c360_control.run_int_customer_orders();
    CALL c360_control.run_int_interactions();
    CALL c360_control.run_int_payments();
    CALL c360_control.run_mart_customer_360();
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_job_incrementals() FROM PUBLIC;
