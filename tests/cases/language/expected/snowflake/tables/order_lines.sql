-- c360gen | snowflake | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 48c329e1ca13366f8478b7ef7a9db5b80851eb7d38146a60752d0f03eb01be39

CREATE TABLE IF NOT EXISTS C360.analytics.order_lines (
  id NUMBER(38, 0) NOT NULL,
  customer_id NUMBER(38, 0) NOT NULL,
  amount NUMBER(12, 2),
  updated_at TIMESTAMP_NTZ(6) NOT NULL,
  CONSTRAINT order_lines_pk PRIMARY KEY (id) NOT ENFORCED,
  CONSTRAINT order_lines_customer_id_fk FOREIGN KEY (customer_id) REFERENCES C360.analytics.customers (
    id
  ) NOT ENFORCED
)
COMMENT='One row per large order.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_order_lines (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_order_lines: exactly one row.';

INSERT INTO C360.c360_control.lock_order_lines (node)
SELECT 'analytics.order_lines'
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_order_lines AS l);
