-- c360gen | bigquery | schedule incrementals as a scheduled query | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 507d3541fed27e5ec67d0a8bc2bc29d14737fba5dc0ada5f984ed39caa77071f

-- A scheduled query is a transfer configuration and cannot be created by SQL. Create it once:
--
--   bq mk --transfer_config --project_id=acme-analytics --location=EU --data_source=scheduled_query \
--     --display_name='customer_360 incrementals' --no_auto_scheduling \
--     --params='{"query": "CALL `acme-analytics`.c360_control.run_job_incrementals();"}'
--
-- --no_auto_scheduling leaves it paused: it runs only when somebody starts it, and has no schedule, for bq takes one of both. Wake it with
--   bq update --transfer_config --schedule='every 3 hours synchronized' RESOURCE_NAME
-- and pause it with --no_auto_scheduling in the place of --schedule, which forgets the schedule again.
-- On the hour BigQuery may start a scheduled query twice: the second run waits or is cancelled, and writes nothing but the log.
-- Times are UTC. No destination table and no write disposition: they are refused for scripts. Do not pass @run_time as as_of: it is
-- the intended time, and rows that change between it and the real start would look like rows from the future.
CALL `acme-analytics`.c360_control.run_job_incrementals();
