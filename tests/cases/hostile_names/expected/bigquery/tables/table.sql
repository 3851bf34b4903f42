-- c360gen | bigquery | incremental int.limit | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d9fbf39f5b04155a63ce06630bb1677ffda40d0e580cc868927ec4874207bc08

CREATE TABLE IF NOT EXISTS `acme-analytics`.int.`limit` (
  `group` INT64 NOT NULL,
  `select` STRING,
  `Größe` STRING,
  `two words` STRING,
  remark STRING,
  updated_at TIMESTAMP,
  PRIMARY KEY (`group`) NOT ENFORCED
)
CLUSTER BY `group`;

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_table (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_table: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_table (node)
SELECT 'int.limit'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_table AS l);
