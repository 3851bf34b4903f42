-- c360gen | snowflake | data tests of mart_customer_360: every row returned is a failure | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: e8b28cd0dd4fedaf06ce680524b0fd9ce8e2fde5e3e517b2bda944ee2a68cce9

-- unique mart_customer_360.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM C360.marts.mart_customer_360 AS t
WHERE
  t.customer_id IS NOT NULL
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;

-- not_null mart_customer_360.customer_id
SELECT
  COUNT(*) AS failures
FROM C360.marts.mart_customer_360 AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- accepted_values mart_customer_360.segment
SELECT
  t.segment,
  COUNT(*) AS failures
FROM C360.marts.mart_customer_360 AS t
WHERE
  NOT t.segment IN ('gold', 'active', 'dormant', 'prospect')
GROUP BY
  t.segment;
