-- c360gen | snowflake | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 20831b584730bca883f429db52696df5069a5211ce896da89600093b07a1e3e5

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

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_order_lines (node, run_id)
SELECT
  'analytics.order_lines',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'analytics.order_lines' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_order_lines AS l);
