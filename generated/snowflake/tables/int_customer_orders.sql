-- c360gen | snowflake | incremental intermediate.int_customer_orders | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f533cfa2ccac6f8181a1d0df62a534ac6f16edad510a9f7a2cba9c42dc79c32b

CREATE TABLE IF NOT EXISTS C360.intermediate.int_customer_orders (
  order_id NUMBER(38, 0) NOT NULL,
  customer_id NUMBER(38, 0),
  order_date DATE,
  status VARCHAR,
  total_amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  CONSTRAINT int_customer_orders_pk PRIMARY KEY (order_id) NOT ENFORCED
)
COMMENT='Orders, the latest state of each.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_int_customer_orders (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_int_customer_orders: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_int_customer_orders (node, run_id)
SELECT
  'intermediate.int_customer_orders',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'intermediate.int_customer_orders' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_int_customer_orders AS l);
