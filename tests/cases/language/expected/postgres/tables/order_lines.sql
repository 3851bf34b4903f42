-- c360gen | postgres | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 7471f8b4945f74e45b166daa6d07555d8d159900f46d9fe7085ba1cbc6059ea6

CREATE TABLE IF NOT EXISTS analytics.order_lines (
  id BIGINT NOT NULL,
  customer_id BIGINT NOT NULL,
  amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT order_lines_pk PRIMARY KEY (id),
  CONSTRAINT no_negative_amount CHECK (amount >= 0)
);

COMMENT ON TABLE analytics.order_lines IS 'One row per large order.';

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_order_lines (
  c360_action TEXT,
  c360_row tid,
  c360_copies BIGINT,
  c360_position BIGINT,
  id BIGINT,
  customer_id BIGINT,
  amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('analytics.order_lines') ON CONFLICT (node) DO NOTHING;
