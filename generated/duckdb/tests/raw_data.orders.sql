-- c360gen | duckdb | data tests of raw_data.orders: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 59e7a3dd4629aeff2e14716404dcdd11e15d6691d4561540b6ec7c04063a8102

-- not_null raw_data.orders.order_id
SELECT
  COUNT(*) AS failures
FROM raw_data.orders AS t
WHERE
  t.order_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.orders.order_id
SELECT
  t.order_id,
  COUNT(*) AS failures
FROM raw_data.orders AS t
WHERE
  t.order_id IS NOT NULL
GROUP BY
  t.order_id
HAVING
  COUNT(*) > 1;

-- relationships raw_data.orders.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM raw_data.orders AS t
WHERE
  t.customer_id IS NOT NULL
  AND NOT EXISTS(
    SELECT
      1
    FROM raw_data.customers AS p
    WHERE
      p.customer_id = t.customer_id
  )
GROUP BY
  t.customer_id;

-- accepted_values raw_data.orders.status
SELECT
  t.status,
  COUNT(*) AS failures
FROM raw_data.orders AS t
WHERE
  NOT t.status IN ('pending', 'shipped', 'delivered', 'cancelled')
GROUP BY
  t.status;

-- not_null raw_data.orders.updated_at
SELECT
  COUNT(*) AS failures
FROM raw_data.orders AS t
WHERE
  t.updated_at IS NULL
HAVING
  COUNT(*) > 0;
