-- c360gen | snowflake | incremental intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: cf498270f84b97f66d5c13686acda19c52cf4c894bc25edfda98ddf7791cf7b6

CREATE TABLE IF NOT EXISTS C360.intermediate.int_payments (
  payment_id NUMBER(38, 0) NOT NULL,
  order_id NUMBER(38, 0),
  payment_method VARCHAR,
  amount NUMBER(12, 2),
  status VARCHAR,
  updated_at TIMESTAMP_NTZ(6) NOT NULL
)
COMMENT='Payments, the latest state of each.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_int_payments (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_int_payments: exactly one row.';

INSERT INTO C360.c360_control.lock_int_payments (node)
SELECT 'intermediate.int_payments'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_payments AS l);
