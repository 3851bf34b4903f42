-- c360gen | postgres | data tests of raw_data.payments: every row returned is a failure | from specs/sources.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: c49e84402e6b469bd73716261cd6e03b3c6ca91d5841dcefb84c147020206c1f

-- not_null raw_data.payments.payment_id
SELECT
  COUNT(*) AS failures
FROM raw_data.payments AS t
WHERE
  t.payment_id IS NULL
HAVING
  COUNT(*) > 0;

-- unique raw_data.payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM raw_data.payments AS t
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
FROM raw_data.payments AS t
WHERE
  NOT t.status IN ('pending', 'completed', 'refunded')
GROUP BY
  t.status;

-- not_null raw_data.payments.updated_at
SELECT
  COUNT(*) AS failures
FROM raw_data.payments AS t
WHERE
  t.updated_at IS NULL
HAVING
  COUNT(*) > 0;
