-- c360gen | snowflake | control tables: run log, state, releases | from the project's specs
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 7b657d764e4609ce9b8125ae1cbe466c9beedc522692b41a7cc94b6da4a9a33d

-- Runs only ever insert into these tables (a rewind, prune_run_log and the full refresh of a microbatch delete, and are for one
-- person at a time): UPDATE and MERGE lock a whole table until the commit, so a status that is updated
-- would make unrelated runs wait for each other. The latest row of a run, or of a node, counts.
CREATE TABLE IF NOT EXISTS C360.c360_control.run_log (
  run_id VARCHAR(36) NOT NULL COMMENT 'One id per call of a node procedure',
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  action VARCHAR(6) NOT NULL COMMENT 'run; or check, rewind, erase, adopt',
  dry_run BOOLEAN NOT NULL COMMENT 'Whether nothing was changed on purpose',
  status VARCHAR(9) NOT NULL COMMENT 'running, succeeded or failed',
  logged_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC',
  as_of TIMESTAMP_NTZ(6) COMMENT 'UTC time of the run',
  source_rows NUMBER(18, 0),
  inserted_rows NUMBER(18, 0),
  updated_rows NUMBER(18, 0),
  closed_rows NUMBER(18, 0),
  deleted_rows NUMBER(18, 0),
  revived_rows NUMBER(18, 0),
  unchanged_rows NUMBER(18, 0),
  dated_by_run NUMBER(18, 0),
  quarantined_rows NUMBER(18, 0),
  watermark_before TIMESTAMP_NTZ(6),
  watermark_after TIMESTAMP_NTZ(6),
  window_start TIMESTAMP_NTZ(6) COMMENT 'UTC; the window of a microbatch that the run loads',
  window_end TIMESTAMP_NTZ(6),
  message VARCHAR COMMENT 'Set when status is failed',
  spec_hash VARCHAR(64) NOT NULL COMMENT 'What the procedure was generated from',
  called_by VARCHAR COMMENT 'User that called the procedure'
)
COMMENT = 'One row when a run begins, one when it ends. `succeeded` is written by the transaction that writes the data.';

CREATE TABLE IF NOT EXISTS C360.c360_control.watermark (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  cursor_value TIMESTAMP_NTZ(6) COMMENT 'Highest cursor loaded, never later than the run time',
  run_id VARCHAR(36) NOT NULL COMMENT 'Run that committed it',
  as_of TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC time of that run',
  recorded_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC; the latest row of a node counts'
)
COMMENT = 'Written in the transaction of the data, whatever the node: also the proof that time does not run backwards.';

CREATE TABLE IF NOT EXISTS C360.c360_control.window_log (
  node VARCHAR NOT NULL COMMENT 'schema.name of a microbatch',
  window_start TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC',
  window_end TIMESTAMP_NTZ(6) NOT NULL,
  status VARCHAR(9) NOT NULL COMMENT 'succeeded or failed',
  run_id VARCHAR(36) NOT NULL,
  as_of TIMESTAMP_NTZ(6) COMMENT 'UTC time of that run',
  recorded_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC'
)
COMMENT = 'One row per window and run. Delete the rows of a window, and the next run loads it again.';

CREATE OR REPLACE VIEW C360.c360_control.windows
COPY GRANTS
COMMENT = 'One row per node and window: how its last run ended, and the run time of its last success'
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
  FROM C360.c360_control.window_log AS w
) AS l
WHERE l.recency = 1;

CREATE OR REPLACE VIEW C360.c360_control.run_status
COPY GRANTS
COMMENT = 'One row per run and how it ended; a run that a rewind has undone is rewound'
AS
SELECT
  l.run_id,
  l.node,
  l.action,
  l.dry_run,
  MIN(CASE WHEN l.status = 'running' THEN l.logged_at END) AS started_at,
  MAX(CASE WHEN l.status <> 'running' THEN l.logged_at END) AS finished_at,
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
  MAX(l.called_by) AS called_by
FROM C360.c360_control.run_log AS l
LEFT JOIN C360.c360_control.watermark AS w
  ON w.run_id = l.run_id
GROUP BY l.run_id, l.node, l.action, l.dry_run;

CREATE OR REPLACE VIEW C360.c360_control.node_status
COPY GRANTS
COMMENT = 'One row per node: how fresh it is, how its last run ended, how often it has failed since it last succeeded'
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
  FROM C360.c360_control.run_status AS s
  WHERE s.action = 'run'
) AS r
LEFT JOIN (
  SELECT c.node, c.cursor_value, ROW_NUMBER() OVER (PARTITION BY c.node ORDER BY c.recorded_at DESC) AS position
  FROM C360.c360_control.watermark AS c
) AS w
  ON w.node = r.node AND w.position = 1
GROUP BY r.node;

CREATE TABLE IF NOT EXISTS C360.c360_control.seed_state (
  seed VARCHAR NOT NULL COMMENT 'schema.name of the seed',
  digest VARCHAR(64) NOT NULL COMMENT 'Hash of the rows that were loaded last',
  loaded_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'UTC'
)
COMMENT = 'One row per seed, written in the transaction of its rows.';
