-- c360gen | postgres | schedule incrementals for pg_cron | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: eb83278e99f0ef42f22d10d7171966fe5e8cc5607ba7d0abce96cd2012cbb402

-- Run it in the database that cron.database_name names, as the role that is to run the job, which needs EXECUTE on cron.schedule and
-- cron.alter_job (the second is not for everybody by default). cron.timezone must be GMT or UTC.
-- A named job is replaced when this file runs again. It is created paused; wake it with
--   SELECT cron.alter_job(job_id => (SELECT jobid FROM cron.job WHERE jobname = 'customer_360 incrementals'), active => true);
-- One CALL alone is the whole command: with a second statement beside it the procedure could not commit.
BEGIN;
SELECT cron.schedule('customer_360 incrementals', '0 */3 * * *', 'CALL c360_control.run_job_incrementals()');
SELECT cron.alter_job(job_id => (SELECT j.jobid FROM cron.job AS j WHERE j.jobname = 'customer_360 incrementals' AND j.username = current_user), active => false);
COMMIT;
