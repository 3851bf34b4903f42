-- c360gen | bigquery | view staging.stg_payments | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: db748cd91b266b544839c1b7096756ff9415a019ce9c39323513e1cdc496411e

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_payments AS
SELECT
  payments.payment_id AS payment_id,
  payments.order_id AS order_id,
  payments.payment_method AS payment_method,
  payments.amount AS amount,
  payments.status AS status,
  payments.updated_at AS updated_at
FROM `acme-analytics`.raw_data.payments AS payments;
