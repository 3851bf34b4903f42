-- c360gen | snowflake | table analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: bdc23431bf1cd9c32167709a2b74e7d3419ba5dc18d6047ccd198deb5a0b09e4

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

INSERT INTO C360.c360_control.lock_customers (node)
SELECT 'analytics.customers'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_customers AS l);
