-- c360gen | bigquery | schedule snapshots_daily as a scheduled query | from specs/schedules.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d66a728e053e3423c3b6e8ef1b481013fc11625044a4916c9f204732c2274ea8

-- A scheduled query is a transfer configuration and cannot be created by SQL. Create it once:
--
--   bq mk --transfer_config --project_id=acme-analytics --location=EU --data_source=scheduled_query \
--     --display_name='customer_360 snapshots_daily' --schedule='every day 00:00' --no_auto_scheduling \
--     --params='{"query": "CALL `acme-analytics`.c360_control.run_job_snapshots_daily();"}'
--
-- --no_auto_scheduling leaves it paused: it runs only when somebody starts it. Wake it with
--   bq update --transfer_config --no_auto_scheduling=false RESOURCE_NAME
-- Times are UTC. No destination table and no write disposition: they are refused for scripts. Do not pass @run_time as as_of: it is
-- the intended time, and rows that change between it and the real start would look like rows from the future.
CALL `acme-analytics`.c360_control.run_job_snapshots_daily();
