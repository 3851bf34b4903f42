-- c360gen | postgres | retention of the run log | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 40fc91332fc7637a14d48d878ebf5ce2015d3cc1ef5e0f50e45f9ffe96a85ab4

-- CALL c360_control.prune_run_log();
-- Rows of the run log that are older than 400 days go; the last success of every node stays, and so does what still runs.
-- A history can be rewound to runs that are in the log.
CREATE OR REPLACE PROCEDURE c360_control.prune_run_log(p_keep INTERVAL DEFAULT INTERVAL '400 days')
LANGUAGE sql
AS $$
    DELETE FROM c360_control.run_log AS l
     WHERE l.started_at < clock_timestamp() - p_keep
       AND l.status <> 'running'
       AND l.run_id NOT IN (SELECT s.last_run_id FROM c360_control.state AS s WHERE s.last_run_id IS NOT NULL)
       AND (l.status <> 'succeeded' OR l.action <> 'run' OR EXISTS (
            SELECT 1 FROM c360_control.run_log AS o WHERE o.node = l.node AND o.action = 'run' AND o.status = 'succeeded' AND o.as_of > l.as_of));
$$;
REVOKE ALL ON PROCEDURE c360_control.prune_run_log(INTERVAL) FROM PUBLIC;
