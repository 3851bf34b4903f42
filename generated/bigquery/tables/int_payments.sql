-- c360gen | bigquery | incremental intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 80717a04faea931e9ee228e629cc043767d38f74479be9993506adbfe20e541b

CREATE TABLE IF NOT EXISTS `acme-analytics`.intermediate.int_payments (
  payment_id INT64 NOT NULL,
  order_id INT64,
  payment_method STRING,
  amount NUMERIC(12, 2),
  status STRING,
  updated_at TIMESTAMP NOT NULL
)
OPTIONS (
  description='Payments, the latest state of each.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_int_payments (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_int_payments: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_int_payments (node)
SELECT 'intermediate.int_payments'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_int_payments AS l);
