-- c360gen | duckdb | data tests of mart_customer_360: every row returned is a failure | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 2a59f0bf0d248f0e9e4231b284af7116bd18eebd188b8e0126573b8b293a2d4c

-- unique mart_customer_360.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM marts.mart_customer_360 AS t
WHERE
  NOT t.customer_id IS NULL
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;

-- not_null mart_customer_360.customer_id
SELECT
  COUNT(*) AS failures
FROM marts.mart_customer_360 AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- accepted_values mart_customer_360.segment
SELECT
  t.segment,
  COUNT(*) AS failures
FROM marts.mart_customer_360 AS t
WHERE
  NOT t.segment IN ('gold', 'active', 'dormant', 'prospect')
GROUP BY
  t.segment;
