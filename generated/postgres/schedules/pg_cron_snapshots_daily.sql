-- c360gen | postgres | schedule snapshots_daily for pg_cron | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 64ca1c8e332dea503e151aa67bdbfd73bc96d146e5e7a60bd5e0891f206acd0d

-- Run it in the database that cron.database_name names, as the role that is to run the job, which needs EXECUTE on cron.schedule and
-- cron.alter_job (the second is not for everybody by default). cron.timezone must be GMT or UTC.
-- A named job is replaced when this file runs again. It is created paused; wake it with
--   SELECT cron.alter_job(job_id => (SELECT jobid FROM cron.job WHERE jobname = 'customer_360 snapshots_daily'), active => true);
-- One CALL alone is the whole command: with a second statement beside it the procedure could not commit.
BEGIN;
SELECT cron.schedule('customer_360 snapshots_daily', '0 0 * * *', 'CALL c360_control.run_job_snapshots_daily()');
SELECT cron.alter_job(job_id => (SELECT j.jobid FROM cron.job AS j WHERE j.jobname = 'customer_360 snapshots_daily' AND j.username = current_user), active => false);
COMMIT;
