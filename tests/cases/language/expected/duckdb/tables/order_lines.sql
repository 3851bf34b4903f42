-- c360gen | duckdb | incremental analytics.order_lines | from specs/p.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: d222aea0ff81e49439aad564d3b660f9f663a2a47bf8be035a338663fe106544

CREATE TABLE IF NOT EXISTS analytics.order_lines (
  id BIGINT NOT NULL,
  customer_id BIGINT NOT NULL,
  amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ NOT NULL,
  CONSTRAINT order_lines_pk PRIMARY KEY (id)
);

COMMENT ON TABLE analytics.order_lines IS 'One row per large order.';

INSERT INTO c360_control.state (node) VALUES ('analytics.order_lines') ON CONFLICT (node) DO NOTHING;
