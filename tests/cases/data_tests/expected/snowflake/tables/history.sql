-- c360gen | snowflake | snapshot snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: cc2882918668b369e5fc98dcaaf0b9a5977976ba07da3b2bd4b1416d70889ad6

CREATE TABLE IF NOT EXISTS C360.snapshots.history (
  customer_id NUMBER(38, 0) NOT NULL,
  email VARCHAR,
  created_at TIMESTAMP_NTZ(6),
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT history_pk PRIMARY KEY (customer_id, valid_from) NOT ENFORCED
)
COMMENT='History of shop.customers, one row per version.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_history (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_history: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_history (node, run_id)
SELECT
  'snapshots.history',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snapshots.history' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_history AS l);
