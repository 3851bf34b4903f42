-- c360gen | bigquery | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 35873ea77b2240dacd62bef466e0d70f032e7a677e4a144954ee1568e93a2cbf

CREATE TABLE IF NOT EXISTS `acme-analytics`.analytics.order_lines (
  id INT64 NOT NULL,
  customer_id INT64 NOT NULL,
  amount NUMERIC(12, 2),
  updated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (id) NOT ENFORCED,
  CONSTRAINT order_lines_customer_id_fk FOREIGN KEY (customer_id) REFERENCES `acme-analytics`.analytics.customers (
    id
  ) NOT ENFORCED
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
