-- c360gen | duckdb | data tests of history: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 5ff748816987c15c3c93a8a001e11a418e782276359806fa9b299740f65d50a4

-- unique_combination_of_columns history (customer_id, email)
SELECT
  t.customer_id,
  t.email,
  COUNT(*) AS failures
FROM snapshots.history AS t
WHERE
  t.valid_to IS NULL
GROUP BY
  t.customer_id,
  t.email
HAVING
  COUNT(*) > 1;

-- expression_is_true history.customer_id
SELECT
  t.customer_id
FROM snapshots.history AS t
WHERE
  NOT (
    t.customer_id > 0
  ) AND t.valid_to IS NULL;

-- expression_is_true history.customer_id
SELECT
  t.customer_id
FROM snapshots.history AS t
WHERE
  NOT (
    t.customer_id < 10
  ) AND t.valid_to IS NULL;

-- expression_is_true history.customer_id
SELECT
  t.customer_id
FROM snapshots.history AS t
WHERE
  NOT (
    t.customer_id IN (
      SELECT
        customers.customer_id AS customer_id
      FROM shop.customers AS customers
    )
  )
  AND t.valid_to IS NULL;
