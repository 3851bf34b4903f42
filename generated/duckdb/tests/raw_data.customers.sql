-- c360gen | duckdb | data tests of raw_data.customers: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: f91248d6fdde27cdd7e2a5233b1b08239e61011f91f3b2223cfd795ec0731815

-- not_null raw_data.customers.customer_id
SELECT
  COUNT(*) AS failures
FROM raw_data.customers AS t
WHERE
  t.customer_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.customers.customer_id
SELECT
  t.customer_id,
  COUNT(*) AS failures
FROM raw_data.customers AS t
WHERE
  t.customer_id IS NOT NULL
GROUP BY
  t.customer_id
HAVING
  COUNT(*) > 1;

-- not_null raw_data.customers.updated_at
SELECT
  COUNT(*) AS failures
FROM raw_data.customers AS t
WHERE
  t.updated_at IS NULL
HAVING
  COUNT(*) > 0;
