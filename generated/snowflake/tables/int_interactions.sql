-- c360gen | snowflake | incremental intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b3f1d0c40d9091fe320058f132000c0e2d32b8bd2a984733e84dc911d6b75576

CREATE TABLE IF NOT EXISTS C360.intermediate.int_interactions (
  interaction_id NUMBER(38, 0),
  customer_id NUMBER(38, 0),
  channel VARCHAR,
  subject VARCHAR,
  occurred_at TIMESTAMP_NTZ(6) NOT NULL
)
CLUSTER BY (customer_id)
COMMENT='Every contact with a customer, appended as it comes.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_int_interactions (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_int_interactions: exactly one row.';

INSERT INTO C360.c360_control.lock_int_interactions (node)
SELECT 'intermediate.int_interactions'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_interactions AS l);
