-- c360gen | bigquery | snapshot snapshots.history | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: cc8718d7cf1ecc86086427a73eed5a378c9942dcf7f3d279efb3e910f1adcbc3

CREATE TABLE IF NOT EXISTS acme.snapshots.history (
  customer_id INT64 NOT NULL,
  email STRING,
  created_at TIMESTAMP,
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
  PRIMARY KEY (customer_id, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY customer_id
OPTIONS (
  description='History of shop.customers, one row per version.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS acme.c360_control.lock_history (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_history: exactly one row.');

INSERT INTO acme.c360_control.lock_history (node)
SELECT 'snapshots.history'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM acme.c360_control.lock_history AS l);
