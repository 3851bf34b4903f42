-- c360gen | postgres | incremental intermediate.int_customer_orders | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9980868dae39a8035329823a26049cc27b46d552f4e82dfc7df3dc1468ab0189

CREATE TABLE IF NOT EXISTS intermediate.int_customer_orders (
  order_id BIGINT NOT NULL,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT int_customer_orders_pk PRIMARY KEY (order_id)
);

COMMENT ON TABLE intermediate.int_customer_orders IS 'Orders, the latest state of each.';

CREATE INDEX IF NOT EXISTS int_customer_orders_customer_id_ix ON intermediate.int_customer_orders(customer_id);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_customer_orders') ON CONFLICT (node) DO NOTHING;
