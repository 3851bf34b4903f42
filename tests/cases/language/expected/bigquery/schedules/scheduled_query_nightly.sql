-- c360gen | bigquery | schedule nightly as a scheduled query | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0f14ed606eebf2a9bacd5f2ba9bc1d2c04549f403ccd9285db302ed0a6e786dd

-- A scheduled query is a transfer configuration and cannot be created by SQL. Create it once:
--
--   bq mk --transfer_config --project_id=acme-analytics --location=US --data_source=scheduled_query \
--     --display_name='language nightly' --no_auto_scheduling \
--     --params='{"query": "CALL `acme-analytics`.c360_control.run_job_nightly();"}'
--
-- --no_auto_scheduling leaves it paused: it runs only when somebody starts it, and has no schedule, for bq takes one of both. Wake it with
--   bq update --transfer_config --schedule='every day 02:00' RESOURCE_NAME
-- and pause it with --no_auto_scheduling in the place of --schedule, which forgets the schedule again.
-- On the hour BigQuery may start a scheduled query twice: the second run waits or is cancelled, and writes nothing but the log.
-- Times are UTC. No destination table and no write disposition: they are refused for scripts. Do not pass @run_time as as_of: it is
-- the intended time, and rows that change between it and the real start would look like rows from the future.
CALL `acme-analytics`.c360_control.run_job_nightly();
