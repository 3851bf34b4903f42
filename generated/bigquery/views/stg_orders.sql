-- c360gen | bigquery | view staging.stg_orders | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 8f9beabed1d82c3753aaca9ec8d2d2b0a510b8608b22dff405bb3ca751b3660f

CREATE OR REPLACE VIEW `acme-analytics`.staging.stg_orders AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM `acme-analytics`.raw_data.orders AS orders;
