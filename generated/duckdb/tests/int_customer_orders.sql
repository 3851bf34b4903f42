-- c360gen | duckdb | data tests of int_customer_orders: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 73c0018bc458fc8662f1a75e794da1b4a7382bcf28b1b2c984e9701cdee0fb9a

-- unique int_customer_orders.order_id
SELECT
  t.order_id,
  COUNT(*) AS failures
FROM intermediate.int_customer_orders AS t
WHERE
  NOT t.order_id IS NULL
GROUP BY
  t.order_id
HAVING
  COUNT(*) > 1;

-- not_null int_customer_orders.order_id
SELECT
  COUNT(*) AS failures
FROM intermediate.int_customer_orders AS t
WHERE
  t.order_id IS NULL
HAVING
  COUNT(*) > 0;
