-- c360gen | postgres | data tests of int_payments: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 6b1c45ebfca6eef1b32832f12e0e9e6d51a368f408f06bf31c1366ba4d3780d7

-- unique int_payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM intermediate.int_payments AS t
WHERE
  NOT t.payment_id IS NULL
GROUP BY
  t.payment_id
HAVING
  COUNT(*) > 1;

-- not_null int_payments.payment_id
SELECT
  COUNT(*) AS failures
FROM intermediate.int_payments AS t
WHERE
  t.payment_id IS NULL
HAVING
  COUNT(*) > 0;
