-- c360gen | snowflake | snapshot snap.spending | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b65f94e93c899e4dc3b27ccad0b6d78192dd06cabadc6794a22f6a6a9fb44710

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

INSERT INTO C360.c360_control.lock_spending (node)
SELECT 'snap.spending'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_spending AS l);
