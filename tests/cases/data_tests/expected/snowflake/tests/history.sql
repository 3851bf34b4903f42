-- c360gen | snowflake | data tests of history: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: eea1fddd1c1cd38a460b528f47220a763f23e6cf31bd3e5eb9a0897fc5a21f8f

-- unique_combination_of_columns history (customer_id, email)
SELECT
  t.customer_id,
  t.email,
  COUNT(*) AS failures
FROM C360.snapshots.history AS t
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
FROM C360.snapshots.history AS t
WHERE
  NOT (
    t.customer_id > 0
  ) AND t.valid_to IS NULL;

-- expression_is_true history.customer_id
SELECT
  t.customer_id
FROM C360.snapshots.history AS t
WHERE
  NOT (
    t.customer_id < 10
  ) AND t.valid_to IS NULL;

-- expression_is_true history.customer_id
SELECT
  t.customer_id
FROM C360.snapshots.history AS t
WHERE
  NOT (
    t.customer_id IN (
      SELECT
        customers.customer_id AS customer_id
      FROM C360.shop.customers AS customers
    )
  )
  AND t.valid_to IS NULL;
