-- c360gen | bigquery | data tests of mart_customer_360: every row returned is a failure | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 5e82615ba81d2c277417d990b0330bdc954a7d250ddeef8e016c0767b18e9012

-- unique mart_customer_360.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM `acme-analytics`.marts.mart_customer_360 AS t
WHERE
  t.customer_id IS NOT NULL
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;

-- not_null mart_customer_360.customer_id
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.marts.mart_customer_360 AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- accepted_values mart_customer_360.segment
SELECT
  t.segment,
  COUNT(*) AS failures
FROM `acme-analytics`.marts.mart_customer_360 AS t
WHERE
  NOT t.segment IN ('gold', 'active', 'dormant', 'prospect')
GROUP BY
  t.segment;
