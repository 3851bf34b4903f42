-- c360gen | snowflake | snapshot snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a2aefddb93a64db034d940f9b8fad74ab15f3ce6b535c48c5779ea3cc3bebab9

CREATE TABLE IF NOT EXISTS C360.snap."USER" (
  "GROUP" NUMBER(38, 0) NOT NULL,
  "SELECT" VARCHAR,
  "Größe" VARCHAR,
  "two words" VARCHAR,
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  valid_from TIMESTAMP_NTZ(6) NOT NULL COMMENT 'First instant of this version (UTC, inclusive).',
  valid_to TIMESTAMP_NTZ(6) COMMENT 'First instant after this version (UTC); NULL while it is current.',
  opened_run_id VARCHAR(36) NOT NULL COMMENT 'Run that wrote this version.',
  closed_run_id VARCHAR(36) COMMENT 'Run that closed this version.',
  CONSTRAINT user_pk PRIMARY KEY ("GROUP", valid_from) NOT ENFORCED
)
COMMENT='Quotes \' and " and \\ and --; DROP TABLE x; $ $ and %s {{ x }}';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_user (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_user: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_user (node, run_id)
SELECT
  'snap.user',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'snap.user' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_user AS l);
