-- c360gen | snowflake | incremental intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 25c22b543fdd8e31a54b5cff329787a22f77829ee9fde31a8357e32a9cdf321f

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

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_int_payments (node, run_id)
SELECT
  'intermediate.int_payments',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'intermediate.int_payments' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_payments AS l);
