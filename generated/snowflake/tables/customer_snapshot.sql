-- c360gen | snowflake | snapshot snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 6eb84d3db35cbc0e0efeca12919fa6cf73c52ab298514603be6e9cc1d8feec2d

CREATE TABLE IF NOT EXISTS C360.snapshots.customer_snapshot (
  customer_id NUMBER(38, 0) NOT NULL COMMENT 'Key of the customer.',
  first_name VARCHAR,
  last_name VARCHAR,
  email VARCHAR,
  phone VARCHAR,
  created_at TIMESTAMP_NTZ(6),
  updated_at TIMESTAMP_NTZ(6) NOT NULL COMMENT 'When the row was last changed.',
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT customer_snapshot_pk PRIMARY KEY (customer_id, valid_from) NOT ENFORCED
)
COMMENT='History of every customer, one row per version of name, e-mail address and telephone number.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_customer_snapshot (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_customer_snapshot: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_customer_snapshot (node, run_id)
SELECT
  'snapshots.customer_snapshot',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.customer_snapshot' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_customer_snapshot AS l);
