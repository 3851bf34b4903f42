-- c360gen | bigquery | data tests of int_customer_orders: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 4ef858d54c061e7fde7892023a4834d7e52800c579e616c693fdda3353b6905d

-- unique int_customer_orders.order_id
SELECT
  t.order_id,
  COUNT(*) AS failures
FROM `acme-analytics`.intermediate.int_customer_orders AS t
WHERE
  NOT t.order_id IS NULL
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
