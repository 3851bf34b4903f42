-- c360gen | postgres | incremental intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 29f9cf4f297fe3396f79d0e50b8c968cf19af88923f1835739f2d71b077e767f

CREATE TABLE IF NOT EXISTS intermediate.int_payments (
  payment_id BIGINT NOT NULL,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE intermediate.int_payments IS 'Payments, the latest state of each.';

CREATE INDEX IF NOT EXISTS int_payments_key_ix ON intermediate.int_payments(payment_id);

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_int_payments (
  c360_action TEXT,
  payment_id BIGINT,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ
)
WITH (
  autovacuum_enabled=FALSE
);

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_payments') ON CONFLICT (node) DO NOTHING;
