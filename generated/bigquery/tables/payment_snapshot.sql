-- c360gen | bigquery | snapshot snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2ac62874562caf3368543f316e57cd9cf4a2e241e9b91a0ca28db844d74c8f2f

CREATE TABLE IF NOT EXISTS `acme-analytics`.snapshots.payment_snapshot (
  payment_id INT64 NOT NULL,
  order_id INT64,
  payment_method STRING,
  amount NUMERIC(12, 2),
  status STRING,
  updated_at TIMESTAMP NOT NULL,
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
  PRIMARY KEY (payment_id, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY payment_id
OPTIONS (
  description='History of every payment from pending over completed to refunded.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_payment_snapshot (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_payment_snapshot: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_payment_snapshot (node)
SELECT 'snapshots.payment_snapshot'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_payment_snapshot AS l);
