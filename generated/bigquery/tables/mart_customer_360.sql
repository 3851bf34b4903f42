-- c360gen | bigquery | table marts.mart_customer_360 | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 127d1a2ca40628e97307d7e7de03efd0401c1e5a62c0cd47495f4dc89581e045

CREATE TABLE IF NOT EXISTS `acme-analytics`.marts.mart_customer_360 (
  customer_id INT64 NOT NULL OPTIONS (
    description='Key of the customer.'
  ),
  full_name STRING,
  email STRING,
  order_count INT64,
  lifetime_value BIGNUMERIC(38, 2) OPTIONS (
    description='Sum of all orders that were not cancelled, in euro.'
  ),
  average_order_value BIGNUMERIC(38, 2),
  days_since_last_order INT64 OPTIONS (
    description='Whole days between the last order and the run.'
  ),
  months_as_customer INT64 OPTIONS (
    description='Months of 30 days since the first order, truncated.'
  ),
  payment_count INT64,
  refund_rate NUMERIC(9, 4) OPTIONS (
    description='Share of payments that were refunded.'
  ),
  paid_amount BIGNUMERIC(38, 2),
  favourite_payment_method STRING,
  interaction_count INT64,
  last_channel STRING,
  version_count INT64 OPTIONS (
    description='Versions of the customer in the history.'
  ),
  segment STRING,
  PRIMARY KEY (customer_id) NOT ENFORCED
)
CLUSTER BY customer_id
OPTIONS (
  description='One row per current customer - value, recency, payment behaviour, contacts, segment.'
);

-- One table per node: transactions that update one table conflict whatever the rows, and a shared one would make nodes cancel each other.
CREATE TABLE IF NOT EXISTS `acme-analytics`.c360_control.lock_mart_customer_360 (
  node STRING NOT NULL OPTIONS (description = 'schema.name of the node'),
  run_id STRING OPTIONS (description = 'Last run that held the lock'),
  locked_at TIMESTAMP
)
OPTIONS (description = 'Mutex of run_mart_customer_360: exactly one row.');

INSERT INTO `acme-analytics`.c360_control.lock_mart_customer_360 (node)
SELECT 'marts.mart_customer_360'
FROM (SELECT 1)
WHERE NOT EXISTS (SELECT 1 FROM `acme-analytics`.c360_control.lock_mart_customer_360 AS l);
