-- c360gen | snowflake | incremental intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ea4b63604be8edd26319a25ad3a97b0bd7c7fae5248da5cb61793ae3ace5aea5

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

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_int_interactions (node, run_id)
SELECT
  'intermediate.int_interactions',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'intermediate.int_interactions' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_interactions AS l);
