-- c360gen | bigquery | data tests of raw_data.payments: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d69092f5a14eeede5f1f571a2090b8397fd269d3214eea54a2070cd5b0aaae71

-- not_null raw_data.payments.payment_id
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.payments AS t
WHERE
  t.payment_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.payments AS t
WHERE
  t.payment_id IS NOT NULL
GROUP BY
  t.payment_id
HAVING
  COUNT(*) > 1;

-- accepted_values raw_data.payments.status
SELECT
  t.status,
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.payments AS t
WHERE
  NOT t.status IN ('pending', 'completed', 'refunded')
GROUP BY
  t.status;

-- not_null raw_data.payments.updated_at
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.raw_data.payments AS t
WHERE
  t.updated_at IS NULL
HAVING
  COUNT(*) > 0;
