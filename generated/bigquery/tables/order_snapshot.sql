-- c360gen | bigquery | snapshot snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d56dd1d83d59e392f517bda2232ee0352d440c0f01a618728750d01407b3d1b8

CREATE TABLE IF NOT EXISTS `acme-analytics`.snapshots.order_snapshot (
  order_id INT64 NOT NULL,
  customer_id INT64,
  order_date DATE,
  status STRING,
  total_amount NUMERIC(12, 2),
  updated_at TIMESTAMP,
  valid_from TIMESTAMP NOT NULL OPTIONS (
    description='First instant of this version (UTC, inclusive).'
  ),
  valid_to TIMESTAMP OPTIONS (
    description='First instant after this version (UTC); NULL while it is current.'
  ),
  opened_run_id STRING NOT NULL OPTIONS (
    description='Run that wrote this version.'
  ),
  closed_run_id STRING OPTIONS (
    description='Run that closed this version.'
  ),
  PRIMARY KEY (order_id, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY order_id
OPTIONS (
  description='History of every order from pending over shipped to delivered.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_order_snapshot (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_order_snapshot: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_order_snapshot (node)
SELECT 'snapshots.order_snapshot'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_order_snapshot AS l);
