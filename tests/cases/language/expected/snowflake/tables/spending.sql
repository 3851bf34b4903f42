-- c360gen | snowflake | snapshot snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: fbaca80045469d77ae2e4c50bcce89d24a7fbab962f683cc45d88245fe2bbc96

CREATE TABLE IF NOT EXISTS C360.snap.spending (
  customer_id NUMBER(38, 0) NOT NULL,
  total NUMBER(38, 2),
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT spending_pk PRIMARY KEY (customer_id, valid_from) NOT ENFORCED
)
COMMENT='History of the query of spending, one row per version.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_spending (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_spending: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_spending (node, run_id)
SELECT
  'snap.spending',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snap.spending' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_spending AS l);
