-- c360gen | duckdb | retention of the run log | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 6c8800ac797a93af7212b38142a8f6e8744f03d4563ca89b8fb281036dd8380b

-- Rows of the run log that are older than 400 days go; the last success of every node stays, and so does what still runs.
-- A history can be rewound to runs that are in the log.
DELETE FROM c360_control.run_log
WHERE started_at < now() - INTERVAL '400 days'
  AND status <> 'running'
  AND run_id NOT IN (
      SELECT max(o.run_id) FROM c360_control.run_log AS o WHERE o.action = 'run' AND o.status = 'succeeded' GROUP BY o.node
  );
