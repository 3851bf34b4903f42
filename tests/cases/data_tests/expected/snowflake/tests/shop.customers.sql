-- c360gen | snowflake | data tests of shop.customers: every row returned is a failure | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 80b27124faa5e6beaeac35a54e207765c1bd1725cfa84747c1c3c391cc1c572e

-- expression_is_true shop.customers
SELECT
  t.updated_at,
  t.created_at
FROM C360.shop.customers AS t
WHERE
  NOT (
    t.updated_at >= t.created_at
  );

-- expression_is_true shop.customers (a warning)
SELECT
  t.email
FROM C360.shop.customers AS t
WHERE
  NOT (
    t.email LIKE '%@%'
  ) AND (
    t.email IS NOT NULL
  );

-- not_null shop.customers.customer_id
SELECT
  COUNT(*) AS failures
FROM C360.shop.customers AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique shop.customers.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM C360.shop.customers AS t
WHERE
  t.customer_id IS NOT NULL AND (
    t.created_at > CAST('2026-01-01 00:00:00' AS TIMESTAMP_NTZ(6))
  )
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;
