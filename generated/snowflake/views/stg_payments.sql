-- c360gen | snowflake | view staging.stg_payments | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 1ce7605c3f93f0a5cf2e9c50f7ac93278c64e4f15647b31de4fdd1d5297b8903

CREATE OR REPLACE VIEW C360.staging.stg_payments
COPY GRANTS AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM C360.raw_data.payments AS payments;
