-- c360gen | postgres | data tests of mart_customer_360: every row returned is a failure | from specs/marts/marts.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 57ae3ba5e6d151d06d2ea6279332befcf7d4cf0431f669220984642f961c02be

-- unique mart_customer_360.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM marts.mart_customer_360 AS t
WHERE
  t.customer_id IS NOT NULL
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
