-- c360gen | duckdb | view staging.stg_orders | from specs/staging/staging.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 30831c895dcdbd3ce3bc35f59bd6314d57fc12f6b0010a02c4d4558a3784f962

CREATE OR REPLACE VIEW staging.stg_orders AS
SELECT
  orders.order_id AS order_id,
  orders.customer_id AS customer_id,
  orders.order_date AS order_date,
  orders.status AS status,
  orders.total_amount AS total_amount,
  orders.updated_at AS updated_at
FROM raw_data.orders AS orders;
