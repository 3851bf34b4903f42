-- c360gen | bigquery | schedule snapshots_daily as a scheduled query | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 71b23977f0de1f7a23ca6ef7281e6c3f14e798166a57754c7f8412305698ddf9

-- A scheduled query is a transfer configuration and cannot be created by SQL. Create it once:
--
--   bq mk --transfer_config --project_id=acme-analytics --location=EU --data_source=scheduled_query \
--     --display_name='customer_360 snapshots_daily' --schedule='every day 00:00' --no_auto_scheduling \
--     --params='{"query": "CALL `acme-analytics`.c360_control.run_job_snapshots_daily();"}'
--
-- --no_auto_scheduling leaves it paused: it runs only when somebody starts it. Wake it with
--   bq update --transfer_config --no_auto_scheduling=false RESOURCE_NAME
-- On the hour BigQuery may start a scheduled query twice: the second run waits or is cancelled, and writes nothing but the log.
-- Times are UTC. No destination table and no write disposition: they are refused for scripts. Do not pass @run_time as as_of: it is
-- the intended time, and rows that change between it and the real start would look like rows from the future.
CALL `acme-analytics`.c360_control.run_job_snapshots_daily();
