-- c360gen | bigquery | snapshot snap.user | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 37da80746995f97f00e7605917aa697401408ec45cdb819b1ada2f4e4a384fd1

CREATE TABLE IF NOT EXISTS `acme-analytics`.snap.`user` (
  `group` INT64 NOT NULL,
  `select` STRING,
  `Größe` STRING,
  `two words` STRING,
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
  PRIMARY KEY (`group`, valid_from) NOT ENFORCED
)
PARTITION BY TIMESTAMP_TRUNC(valid_to, MONTH)
CLUSTER BY `group`
OPTIONS (
  description='Quotes \' and " and \\ and --; DROP TABLE x; $$ and %s {{ x }}'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_user (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_user: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_user (node)
SELECT 'snap.user'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_user AS l);
