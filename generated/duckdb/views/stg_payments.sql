-- c360gen | duckdb | view staging.stg_payments | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 5923c2046904935eb26ac658194e5f626b1944b0853a16e080b78c37678415cd

CREATE OR REPLACE VIEW staging.stg_payments AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM raw_data.payments AS payments;
