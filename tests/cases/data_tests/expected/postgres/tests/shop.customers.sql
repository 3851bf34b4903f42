-- c360gen | postgres | data tests of shop.customers: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b8e999aca9c26365755d20cf048a4b1ecb30a433d1f1eb9d764b1f383fc4ca19

-- expression_is_true shop.customers
SELECT
  t.updated_at,
  t.created_at
FROM shop.customers AS t
WHERE
  NOT (
    t.updated_at >= t.created_at
  );

-- expression_is_true shop.customers (a warning)
SELECT
  t.email
FROM shop.customers AS t
WHERE
  NOT (
    t.email LIKE '%@%'
  ) AND (
    t.email IS NOT NULL
  );

-- not_null shop.customers.customer_id
SELECT
  COUNT(*) AS failures
FROM shop.customers AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique shop.customers.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM shop.customers AS t
WHERE
  t.customer_id IS NOT NULL AND (
    t.created_at > '2026-01-01'
  )
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;
