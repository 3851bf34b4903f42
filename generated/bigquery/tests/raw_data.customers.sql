-- c360gen | bigquery | data tests of raw_data.customers: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0cc5a362724e1dcbcdb51b45fbd006da9d3f9a4751da273fd218f900227f396d

-- not_null raw_data.customers.customer_id
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.customers AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.customers.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.customers AS t
WHERE
  t.customer_id IS NOT NULL
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;

-- not_null raw_data.customers.updated_at
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.customers AS t
WHERE
  t.updated_at IS NULL
HAVING
  COUNT(*) > 0;
