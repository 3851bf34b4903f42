-- c360gen | bigquery | incremental int.latest | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d3f9ff1021d18ce9f1fe114c500073e45d4ca2493736e90e9ef419ed7fb23d00

CREATE TABLE IF NOT EXISTS `acme-analytics`.int.latest (
  id INT64 NOT NULL,
  email STRING,
  updated_at TIMESTAMP,
  PRIMARY KEY (id) NOT ENFORCED
)
CLUSTER BY id;

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_latest (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_latest: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_latest (node)
SELECT 'int.latest'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_latest AS l);
