-- c360gen | bigquery | incremental intermediate.int_interactions | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4787887898ffe794133d66e23b12606782bd04dbfdf57224d5c22aaf874648dc

CREATE TABLE IF NOT EXISTS `acme-analytics`.intermediate.int_interactions (
  interaction_id INT64,
  customer_id INT64,
  channel STRING,
  subject STRING,
  occurred_at TIMESTAMP NOT NULL
)
PARTITION BY TIMESTAMP_TRUNC(occurred_at, MONTH)
CLUSTER BY customer_id
OPTIONS (
  description='Every contact with a customer, appended as it comes.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_int_interactions (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_int_interactions: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_int_interactions (node)
SELECT 'intermediate.int_interactions'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_int_interactions AS l);
