-- c360gen | bigquery | data tests of int_payments: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0ec5c5b85c1d96843c6ad56452c8f6585d59086fbd87973e63bd69ec0861db9f

-- unique int_payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM `acme-analytics`.intermediate.int_payments AS t
WHERE
  t.payment_id IS NOT NULL
GROUP BY
  t.payment_id
HAVING
  COUNT(*) > 1;

-- not_null int_payments.payment_id
SELECT
  COUNT(*) AS failures
FROM `acme-analytics`.intermediate.int_payments AS t
WHERE
  t.payment_id IS NULL
HAVING
  COUNT(*) > 0;
