-- c360gen | bigquery | data tests of int_payments: every row returned is a failure | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: be9195def3f7351e323f23115baa4783f942cadcf2267bfef38bb0850b8ce9fd

-- unique int_payments.payment_id
SELECT
  t.payment_id,
  COUNT(*) AS failures
FROM `acme-analytics`.intermediate.int_payments AS t
WHERE
  NOT t.payment_id IS NULL
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
