-- c360gen | postgres | snapshot snapshots.payment_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: b03350175bc02c051de2509d292f103d5f1a231fe67bf599b0dd448d14a91633

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

CREATE UNLOGGED TABLE IF NOT EXISTS c360_control.stage_payment_snapshot (
  c360_action TEXT,
  c360_row tid,
  c360_rows BIGINT,
  c360_open_from TIMESTAMPTZ,
  c360_starts_at TIMESTAMPTZ,
  c360_ends_at TIMESTAMPTZ,
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

INSERT INTO c360_control.state (node) VALUES ('snapshots.payment_snapshot') ON CONFLICT (node) DO NOTHING;
