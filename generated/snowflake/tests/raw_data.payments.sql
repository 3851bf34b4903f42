-- c360gen | snowflake | data tests of raw_data.payments: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 002b12a8576d1d7dc1d5d98ef8625a1b3510957f937b246d07c163014174ddb5

-- not_null raw_data.payments.payment_id
SELECT
  COUNT(*) AS failures
FROM C360.raw_data.payments AS t
WHERE
  t.payment_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM C360.raw_data.payments AS t
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
FROM C360.raw_data.payments AS t
WHERE
  NOT t.status IN ('pending', 'completed', 'refunded')
GROUP BY
  t.status;

-- not_null raw_data.payments.updated_at
SELECT
  COUNT(*) AS failures
FROM C360.raw_data.payments AS t
WHERE
  t.updated_at IS NULL
HAVING
  COUNT(*) > 0;
