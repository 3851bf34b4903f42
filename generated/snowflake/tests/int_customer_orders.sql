-- c360gen | snowflake | data tests of int_customer_orders: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 59dc6d1176689c57d5893df420ce4687b673b66703b470e102df1b7f4f2f6d5c

-- unique int_customer_orders.order_id
SELECT
  t.order_id,
  COUNT(*) AS failures
FROM C360.intermediate.int_customer_orders AS t
WHERE
  t.order_id IS NOT NULL
GROUP BY
  t.order_id
HAVING
  COUNT(*) > 1;

-- not_null int_customer_orders.order_id
SELECT
  COUNT(*) AS failures
FROM C360.intermediate.int_customer_orders AS t
WHERE
  t.order_id IS NULL
HAVING
  COUNT(*) > 0;
