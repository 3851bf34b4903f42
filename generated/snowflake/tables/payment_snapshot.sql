-- c360gen | snowflake | snapshot snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8b1e888020ab6c59782a9c820278e29989de9f0200174eac545aaaa0bca26ec4

CREATE TABLE IF NOT EXISTS C360.snapshots.payment_snapshot (
  payment_id NUMBER(38, 0) NOT NULL,
  order_id NUMBER(38, 0),
  payment_method VARCHAR,
  amount NUMBER(12, 2),
  status VARCHAR,
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT payment_snapshot_pk PRIMARY KEY (payment_id, valid_from) NOT ENFORCED
)
COMMENT='History of every payment from pending over completed to refunded.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_payment_snapshot (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_payment_snapshot: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_payment_snapshot (node, run_id)
SELECT
  'snapshots.payment_snapshot',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.payment_snapshot' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_payment_snapshot AS l);
