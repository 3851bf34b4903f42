-- c360gen | bigquery | data tests of int_customer_orders: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 92ce1a675f349574db8cd215dc2b1f10df1374fd0b9fedf516d5c9ca3cf443aa

-- unique int_customer_orders.order_id
SELECT
  t.order_id,
  COUNT(*) AS failures
FROM `acme-analytics`.intermediate.int_customer_orders AS t
WHERE
  t.order_id IS NOT NULL
GROUP BY
  t.order_id
HAVING
  COUNT(*) > 1;

-- not_null int_customer_orders.order_id
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.intermediate.int_customer_orders AS t
WHERE
  t.order_id IS NULL
HAVING
  COUNT(*) > 0;
