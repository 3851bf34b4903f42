-- c360gen | snowflake | incremental int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 03bff4f8050480e25b63a926e8e8a0eb37cab1d4ab355fd367647d6d88f2db78

CREATE TABLE IF NOT EXISTS C360.int."LIMIT" (
  "GROUP" NUMBER(38, 0) NOT NULL,
  "SELECT" VARCHAR,
  "Größe" VARCHAR,
  "two words" VARCHAR,
  remark VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  CONSTRAINT limit_pk PRIMARY KEY ("GROUP") NOT ENFORCED
);

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_table (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_table: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_table (node, run_id)
SELECT
  'int.limit',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'int.limit' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_table AS l);
