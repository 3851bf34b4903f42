-- c360gen | postgres | job nightly | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 065d8edc7f0bfb1c47a5e2e1fea89582279c8765d390f3b984e17c34ee78b6ee

-- CALL c360_control.run_job_nightly();
-- Runs the nodes of the schedule nightly in the order of their dependencies. Each commits on its own; the first
-- failure stops the job and is raised, and calling it again is safe.
CREATE OR REPLACE PROCEDURE c360_control.run_job_nightly()
LANGUAGE plpgsql
AS $$
BEGIN
    CALL c360_control.run_customers();
    CALL c360_control.run_spending();
    CALL c360_control.run_order_lines();
END;
$$;
REVOKE ALL ON PROCEDURE c360_control.run_job_nightly() FROM PUBLIC;
