-- c360gen | snowflake | view staging.stg_orders | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 10a661ea8123396bd5b58e0036a5345cf24e72b0319ac79a4a399feb84509cc4

CREATE OR REPLACE VIEW C360.staging.stg_orders
COPY GRANTS AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM C360.raw_data.orders AS orders;
