-- c360gen | bigquery | incremental intermediate.int_customer_orders | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 504cb7d2ce01c33757f57b7332b68ebfdb1f3fde464ecab72519853c8b2669fe

CREATE TABLE IF NOT EXISTS `acme-analytics`.intermediate.int_customer_orders (
  order_id INT64 NOT NULL,
  customer_id INT64,
  order_date DATE,
  status STRING,
  total_amount NUMERIC(12, 2),
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (order_id) NOT ENFORCED
)
CLUSTER BY order_id
OPTIONS (
  description='Orders, the latest state of each.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_int_customer_orders (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_int_customer_orders: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_int_customer_orders (node)
SELECT 'intermediate.int_customer_orders'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_int_customer_orders AS l);
