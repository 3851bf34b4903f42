-- c360gen | snowflake | table analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a968c09124065ba97c2f8499923809ca5b9fc572ab0baac3b4f9ac4bf0057a5c

CREATE TABLE IF NOT EXISTS C360.analytics.customers (
  id NUMBER(38, 0) NOT NULL,
  email VARCHAR,
  country VARCHAR,
  CONSTRAINT customers_pk PRIMARY KEY (id) NOT ENFORCED,
  CONSTRAINT customers_email_uq UNIQUE (
    email
  ) NOT ENFORCED
);

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_customers (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_customers: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_customers (node, run_id)
SELECT
  'analytics.customers',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'analytics.customers' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_customers AS l);
