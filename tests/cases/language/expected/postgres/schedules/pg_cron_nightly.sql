-- c360gen | postgres | schedule nightly for pg_cron | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 94ca0d3117cc91897213a019c9906854c0fb6665b100e861adfab1141e559880

-- Run it in the database that cron.database_name names, as the role that is to run the job, which needs EXECUTE on cron.schedule and
-- cron.alter_job (the second is not for everybody by default). cron.timezone must be GMT or UTC.
-- A named job is replaced when this file runs again. It is created paused; wake it with
--   SELECT cron.alter_job(job_id => (SELECT jobid FROM cron.job WHERE jobname = 'language nightly'), active => true);
-- One CALL alone is the whole command: with a second statement beside it the procedure could not commit.
BEGIN;
SELECT cron.schedule('language nightly', '0 2 * * *', 'CALL c360_control.run_job_nightly()');
SELECT cron.alter_job(job_id => (SELECT j.jobid FROM cron.job AS j WHERE j.jobname = 'language nightly' AND j.username = current_user), active => false);
COMMIT;
