-- c360gen | bigquery | control tables: run log, state, releases | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: eb6e70242468b77f3d4f278062620103411fc7c9cd1018023e8397bf85d50141

-- Runs only ever insert into these tables (a rewind, prune_run_log and the full refresh of a microbatch delete, and are for one
-- person at a time): two transactions that update one table conflict, and BigQuery cancels one of
-- them; transactions that only insert never conflict. The latest row of a run, or of a node, counts. None is partitioned: all
-- runs share a partitioned table's fifty changes in ten seconds.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.run_log (
  run_id STRING NOT NULL OPTIONS (description = 'One id per call of a node procedure'),
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  action STRING NOT NULL OPTIONS (description = 'run; or check, rewind, erase, adopt'),
  dry_run BOOL NOT NULL OPTIONS (description = 'Whether nothing was changed on purpose'),
  status STRING NOT NULL OPTIONS (description = 'running, succeeded or failed'),
  logged_at TIMESTAMP NOT NULL OPTIONS (description = 'For succeeded: when the transaction began, which is what CURRENT_TIMESTAMP means in it'),
  as_of TIMESTAMP OPTIONS (description = 'Time of the run'),
  source_rows INT64,
  inserted_rows INT64,
  updated_rows INT64,
  closed_rows INT64,
  deleted_rows INT64,
  revived_rows INT64,
  unchanged_rows INT64,
  dated_by_run INT64,
  quarantined_rows INT64,
  watermark_before TIMESTAMP,
  watermark_after TIMESTAMP,
  window_start TIMESTAMP OPTIONS (description = 'The window of a microbatch that the run loads'),
  window_end TIMESTAMP,
  message STRING OPTIONS (description = 'Set when status is failed'),
  spec_hash STRING NOT NULL OPTIONS (description = 'What the procedure was generated from'),
  called_by STRING,
  job_id STRING OPTIONS (description = 'Join to INFORMATION_SCHEMA.JOBS for duration, bytes and slots')
)
CLUSTER BY node
OPTIONS (description = 'One row when a run begins, one when it ends. Succeeded is written by the transaction that writes the data.');

CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.watermark (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  cursor_value TIMESTAMP OPTIONS (description = 'Highest cursor loaded, never later than the run time'),
  run_id STRING NOT NULL OPTIONS (description = 'Run that committed it'),
  as_of TIMESTAMP NOT NULL OPTIONS (description = 'Time of that run'),
  recorded_at TIMESTAMP NOT NULL OPTIONS (description = 'The latest row of a node counts')
)
CLUSTER BY node
OPTIONS (description = 'Written in the transaction of the data, whatever the node: also the proof that time does not run backwards.');

CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.window_log (
  node STRING NOT NULL OPTIONS (description = 'schema.name of a microbatch'),
  window_start TIMESTAMP NOT NULL,
  window_end TIMESTAMP NOT NULL,
  status STRING NOT NULL OPTIONS (description = 'succeeded or failed'),
  run_id STRING NOT NULL,
  as_of TIMESTAMP OPTIONS (description = 'Time of that run'),
  recorded_at TIMESTAMP NOT NULL
)
CLUSTER BY node
OPTIONS (description = 'One row per window and run. Delete the rows of a window, and the next run loads it again.');

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.windows
OPTIONS (description = 'One row per node and window: how its last run ended, and the run time of its last success')
AS
SELECT
  l.node,
  l.window_start,
  l.window_end,
  l.status,
  l.run_id,
  l.loaded_as_of
FROM (
  SELECT
    w.node,
    w.window_start,
    w.window_end,
    w.status,
    w.run_id,
    MAX(CASE WHEN w.status = 'succeeded' THEN w.as_of END) OVER (PARTITION BY w.node, w.window_start) AS loaded_as_of,
    ROW_NUMBER() OVER (PARTITION BY w.node, w.window_start ORDER BY w.recorded_at DESC) AS recency
  FROM `acme-analytics`.c360_control.window_log AS w
) AS l
WHERE l.recency = 1;

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.run_status
OPTIONS (description = 'One row per run and how it ended; a run that a rewind has undone is rewound')
AS
SELECT
  l.run_id,
  l.node,
  l.action,
  l.dry_run,
  MIN(CASE WHEN l.status = 'running' THEN l.logged_at END) AS started_at,
  CASE
    WHEN l.action = 'run' AND MAX(l.status) = 'succeeded' AND MAX(w.run_id) IS NULL THEN 'rewound'
    ELSE COALESCE(MAX(CASE WHEN l.status <> 'running' THEN l.status END), 'running or abandoned')
  END AS status,
  MAX(l.as_of) AS as_of,
  MAX(l.window_start) AS window_start,
  MAX(l.window_end) AS window_end,
  MAX(l.source_rows) AS source_rows,
  MAX(l.inserted_rows) AS inserted_rows,
  MAX(l.updated_rows) AS updated_rows,
  MAX(l.closed_rows) AS closed_rows,
  MAX(l.deleted_rows) AS deleted_rows,
  MAX(l.revived_rows) AS revived_rows,
  MAX(l.unchanged_rows) AS unchanged_rows,
  MAX(l.dated_by_run) AS dated_by_run,
  MAX(l.quarantined_rows) AS quarantined_rows,
  MAX(l.message) AS message,
  MAX(l.called_by) AS called_by,
  MAX(l.job_id) AS job_id
FROM `acme-analytics`.c360_control.run_log AS l
LEFT JOIN `acme-analytics`.c360_control.watermark AS w
  ON w.run_id = l.run_id
GROUP BY l.run_id, l.node, l.action, l.dry_run;

CREATE OR REPLACE VIEW `acme-analytics`.c360_control.node_status
OPTIONS (description = 'One row per node: how fresh it is, how its last run ended, how often it has failed since it last succeeded')
AS
SELECT
  r.node,
  MAX(CASE WHEN r.status = 'succeeded' THEN r.as_of END) AS fresh_until,
  MAX(w.cursor_value) AS watermark,
  MAX(r.run_id_if_last) AS last_run_id,
  MAX(r.status_if_last) AS last_status,
  MAX(r.started_at) AS last_started_at,
  COUNT(CASE WHEN r.status = 'failed' AND (r.last_success IS NULL OR r.started_at > r.last_success) THEN 1 END) AS failures,
  MAX(r.message_if_last) AS message
FROM (
  SELECT
    s.node,
    s.status,
    s.as_of,
    s.started_at,
    MAX(CASE WHEN s.status = 'succeeded' THEN s.started_at END) OVER (PARTITION BY s.node) AS last_success,
    CASE WHEN s.started_at = MAX(s.started_at) OVER (PARTITION BY s.node) THEN s.run_id END AS run_id_if_last,
    CASE WHEN s.started_at = MAX(s.started_at) OVER (PARTITION BY s.node) THEN s.status END AS status_if_last,
    CASE WHEN s.started_at = MAX(s.started_at) OVER (PARTITION BY s.node) THEN s.message END AS message_if_last
  FROM `acme-analytics`.c360_control.run_status AS s
  WHERE s.action = 'run'
) AS r
LEFT JOIN (
  SELECT c.node, c.cursor_value, ROW_NUMBER() OVER (PARTITION BY c.node ORDER BY c.recorded_at DESC) AS position
  FROM `acme-analytics`.c360_control.watermark AS c
) AS w
  ON w.node = r.node AND w.position = 1
GROUP BY r.node;
