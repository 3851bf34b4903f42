-- c360gen | snowflake | data tests of int_payments: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 889dc5ccf44fc339d3c26a090fdc56cd73e4e4da0d8c37e9637a38977eeb690c

-- unique int_payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM C360.intermediate.int_payments AS t
WHERE
  t.payment_id IS NOT NULL
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
