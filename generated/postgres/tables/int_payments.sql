-- c360gen | postgres | incremental intermediate.int_payments | from specs/incrementals/incrementals.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: ab3dc22e652258431739937254b5449f06e71ff3f216317b37324a5b788300cd

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

INSERT INTO c360_control.state (node) VALUES ('intermediate.int_payments') ON CONFLICT (node) DO NOTHING;
