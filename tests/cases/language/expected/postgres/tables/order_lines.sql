-- c360gen | postgres | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 761fe5c1ff074b1ba1aebb64e8256c52b1930b2b15a3a96b0ae89e0805d98fb6

CREATE TABLE IF NOT EXISTS analytics.order_lines (
  id BIGINT NOT NULL,
  customer_id BIGINT NOT NULL,
  amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT order_lines_pk PRIMARY KEY (id),
  CONSTRAINT no_negative_amount CHECK (amount >= 0)
);

COMMENT ON TABLE analytics.order_lines IS 'One row per large order.';

INSERT INTO c360_control.state (node) VALUES ('analytics.order_lines') ON CONFLICT (node) DO NOTHING;
