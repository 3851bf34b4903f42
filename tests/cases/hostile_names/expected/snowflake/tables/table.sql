-- c360gen | snowflake | incremental int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: e2fed03705285c7d6d4e07b914c4bcbf846cde32cce8f9fe936cf5cdb1685456

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

INSERT INTO C360.c360_control.lock_table (node)
SELECT 'int.limit'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_table AS l);
