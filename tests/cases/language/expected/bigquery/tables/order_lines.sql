-- c360gen | bigquery | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: c4f53d5ba8b1e683b6f47197c45f1899b351c3c02e6dc4ecc3f1903181b37724

CREATE TABLE IF NOT EXISTS `acme-analytics`.analytics.order_lines (
  id INT64 NOT NULL,
  customer_id INT64 NOT NULL,
  amount NUMERIC(12, 2),
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (id) NOT ENFORCED
)
CLUSTER BY id
OPTIONS (
  description='One row per large order.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_order_lines (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_order_lines: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_order_lines (node)
SELECT 'analytics.order_lines'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_order_lines AS l);
