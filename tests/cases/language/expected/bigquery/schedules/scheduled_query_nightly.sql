-- c360gen | bigquery | schedule nightly as a scheduled query | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 24c6e956c7f3e4de72653429c343ebd3e864e1333992b7bbd72e413b4fa3536a

-- A scheduled query is a transfer configuration and cannot be created by SQL. Create it once:
--
--   bq mk --transfer_config --project_id=acme-analytics --location=US --data_source=scheduled_query \
--     --display_name='language nightly' --schedule='every day 02:00' --no_auto_scheduling \
--     --params='{"query": "CALL `acme-analytics`.c360_control.run_job_nightly();"}'
--
-- --no_auto_scheduling leaves it paused: it runs only when somebody starts it. Wake it with
--   bq update --transfer_config --no_auto_scheduling=false RESOURCE_NAME
-- Times are UTC. No destination table and no write disposition: they are refused for scripts. Do not pass @run_time as as_of: it is
-- the intended time, and rows that change between it and the real start would look like rows from the future.
CALL `acme-analytics`.c360_control.run_job_nightly();
