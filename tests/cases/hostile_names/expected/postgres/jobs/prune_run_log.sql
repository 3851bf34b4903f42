-- c360gen | postgres | retention of the run log | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 98b75ea10c33f95cc2adca6f90ae74d50fa378ea489a8a0fd1f3b062da6c601e

-- CALL c360_control.prune_run_log();
-- Rows of the run log that are older than 400 days go; the last success of every node stays, and so does what still runs.
-- A history can be rewound to runs that are in the log.
CREATE OR REPLACE PROCEDURE c360_control.prune_run_log(p_keep INTERVAL DEFAULT INTERVAL '400 days')
LANGUAGE sql
AS $$
    DELETE FROM c360_control.run_log AS l
     WHERE l.started_at < clock_timestamp() - p_keep
       AND l.status <> 'running'
       AND l.run_id < (SELECT MAX(o.run_id) FROM c360_control.run_log AS o WHERE o.node = l.node AND o.action = 'run' AND o.status = 'succeeded');
$$;
REVOKE ALL ON PROCEDURE c360_control.prune_run_log(INTERVAL) FROM PUBLIC;
