-- c360gen | snowflake | incremental int.latest | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 04224e86dddf8cb0474f8cd36343c8ad4f3582f87ff3b1d42dce2df1f8cbfaa6

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

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_latest (node, run_id)
SELECT
  'int.latest',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'int.latest' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_latest AS l);
