-- c360gen | postgres | snapshot snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: a67597d1c6b86733015acfcd018a292c76b2e636d69b410e0b0ac3a57f042ec4

CREATE TABLE IF NOT EXISTS snapshots.payment_snapshot (
  payment_id BIGINT NOT NULL,
  order_id BIGINT,
  payment_method TEXT,
  amount DECIMAL(12, 2),
  status TEXT,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT payment_snapshot_pk PRIMARY KEY (payment_id, valid_from),
  CONSTRAINT payment_snapshot_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.payment_snapshot IS 'History of every payment from pending over completed to refunded.';

COMMENT ON COLUMN snapshots.payment_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.payment_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.payment_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.payment_snapshot.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS payment_snapshot_open_uq ON snapshots.payment_snapshot(payment_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snapshots.payment_snapshot') ON CONFLICT (node) DO NOTHING;
