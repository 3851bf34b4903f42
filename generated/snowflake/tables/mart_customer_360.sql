-- c360gen | snowflake | table marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: e6a02ddadd3c747c47a5241c6e69464d8eb3deff555df28b2e3bbb7535f8596b

CREATE TABLE IF NOT EXISTS C360.marts.mart_customer_360 (
  customer_id NUMBER(38, 0) NOT NULL COMMENT 'Key of the customer.',
  full_name VARCHAR,
  email VARCHAR,
  order_count NUMBER(38, 0),
  lifetime_value NUMBER(38, 2) COMMENT 'Sum of all orders that were not cancelled, in euro.',
  average_order_value NUMBER(38, 2),
  days_since_last_order NUMBER(38, 0) COMMENT 'Whole days between the last order and the run.',
  months_as_customer NUMBER(38, 0) COMMENT 'Months of 30 days since the first order, truncated.',
  payment_count NUMBER(38, 0),
  refund_rate NUMBER(9, 4) COMMENT 'Share of payments that were refunded.',
  paid_amount NUMBER(38, 2),
  favourite_payment_method VARCHAR,
  interaction_count NUMBER(38, 0),
  last_channel VARCHAR,
  version_count NUMBER(38, 0) COMMENT 'Versions of the customer in the history.',
  segment VARCHAR,
  CONSTRAINT mart_customer_360_pk PRIMARY KEY (customer_id) NOT ENFORCED
)
COMMENT='One row per current customer - value, recency, payment behaviour, contacts, segment.';

-- One table per node: UPDATE locks a whole table until the commit, and a shared one would make all nodes wait for each other.
CREATE TABLE IF NOT EXISTS C360.c360_control.lock_mart_customer_360 (
  node VARCHAR NOT NULL COMMENT 'schema.name of the node',
  run_id VARCHAR(36) COMMENT 'Last run that committed',
  locked_at TIMESTAMP_NTZ(6) COMMENT 'UTC'
)
COMMENT = 'Mutex of run_mart_customer_360: exactly one row.';

-- A node that was renamed, or whose lock table was dropped, has run before: its lock names the last run that committed.
INSERT INTO C360.c360_control.lock_mart_customer_360 (node, run_id)
SELECT
  'marts.mart_customer_360',
  (
    SELECT r.run_id
    FROM C360.c360_control.run_log AS r
    WHERE r.node = 'marts.mart_customer_360' AND r.status = 'succeeded'
    ORDER BY r.logged_at DESC
    LIMIT 1
  )
WHERE NOT EXISTS (SELECT 1 FROM C360.c360_control.lock_mart_customer_360 AS l);
