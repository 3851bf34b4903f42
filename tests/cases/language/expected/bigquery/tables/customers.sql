-- c360gen | bigquery | table analytics.customers | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 83fd856ee634b7b06f0f6518deac3a5349b99a817388396b15b2384a07cac972

CREATE TABLE IF NOT EXISTS `acme-analytics`.analytics.customers (
  id INT64 NOT NULL,
  email STRING,
  country STRING,
  PRIMARY KEY (id) NOT ENFORCED
)
CLUSTER BY id;

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_customers (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_customers: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_customers (node)
SELECT 'analytics.customers'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_customers AS l);
