-- c360gen | snowflake | snapshot snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 094d54484e916f7dfd2c0c206da5d34d66726e71bcbc98387f0096b1f26c509e

CREATE TABLE IF NOT EXISTS C360.snapshots.order_snapshot (
  order_id NUMBER(38, 0) NOT NULL,
  customer_id NUMBER(38, 0),
  order_date DATE,
  status VARCHAR,
  total_amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6),
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT order_snapshot_pk PRIMARY KEY (order_id, valid_from) NOT ENFORCED
)
COMMENT='History of every order from pending over shipped to delivered.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_order_snapshot (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_order_snapshot: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_order_snapshot (node, run_id)
SELECT
  'snapshots.order_snapshot',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.order_snapshot' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_order_snapshot AS l);
