-- c360gen | snowflake | data tests of int_customer_orders: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: baf8e71338aba6d841c3dc69bda92dd78a7fb3a1f3026370a1b5ba9187bb5113

-- unique int_customer_orders.order_id
SELECT
  t.order_id,
  COUNT(*) AS failures
FROM C360.intermediate.int_customer_orders AS t
WHERE
  NOT t.order_id IS NULL
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
