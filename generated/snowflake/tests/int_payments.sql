-- c360gen | snowflake | data tests of int_payments: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 206d82a1eae943447a6c502d21456e8e088aeb287a0b8de36f4321b8ccd5fb77

-- unique int_payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM C360.intermediate.int_payments AS t
WHERE
  NOT t.payment_id IS NULL
GROUP BY
  t.payment_id
HAVING
  COUNT(*) > 1;

-- not_null int_payments.payment_id
SELECT
  COUNT(*) AS failures
FROM C360.intermediate.int_payments AS t
WHERE
  t.payment_id IS NULL
HAVING
  COUNT(*) > 0;
