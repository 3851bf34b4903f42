-- c360gen | bigquery | snapshot snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9a2aa19361c2133a659f498ad1e4bfb177f2bf95c0d8afc334a1361323f038c4

CREATE TABLE IF NOT EXISTS `acme-analytics`.snapshots.customer_snapshot (
  customer_id INT64 NOT NULL OPTIONS (
    description='Key of the customer.'
  ),
  first_name STRING,
  last_name STRING,
  email STRING,
  phone STRING,
  created_at TIMESTAMP,
  updated_at TIMESTAMP NOT NULL OPTIONS (
    description='When the row was last changed.'
  ),
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
  description='History of every customer, one row per version of name, e-mail address and telephone number.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_customer_snapshot (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_customer_snapshot: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_customer_snapshot (node)
SELECT 'snapshots.customer_snapshot'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_customer_snapshot AS l);
