-- c360gen | postgres | incremental intermediate.int_customer_orders | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 035dd16bbc3a79d87b7a64fecef2e3dee7dcd83507f9b8be4ef22726857f3ac8

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

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_int_customer_orders (
  c360_action TEXT,
  c360_row tid,
  c360_copies BIGINT,
  c360_position BIGINT,
  order_id BIGINT,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_customer_orders') ON CONFLICT (node) DO NOTHING;
