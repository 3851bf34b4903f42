-- c360gen | snowflake | incremental int.latest | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f2b65ef1947e5f8b544f7eb739405f1c0994e87d229aacb55004171253df8040

CREATE TABLE IF NOT EXISTS C360.int.latest (
  id NUMBER(38, 0) NOT NULL,
  email VARCHAR,
  updated_at TIMESTAMP_NTZ(6),
  CONSTRAINT latest_pk PRIMARY KEY (id) NOT ENFORCED
);

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_latest (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_latest: exactly one row.';

INSERT INTO C360.c360_control.lock_latest (node)
SELECT 'int.latest'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_latest AS l);
