-- c360gen | postgres | snapshot snapshots.order_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 9834f24e8d437eacabc004c7042c31a426b15429fe290a693de4c73c8465cdea

CREATE TABLE IF NOT EXISTS snapshots.order_snapshot (
  order_id BIGINT NOT NULL,
  customer_id BIGINT,
  order_date DATE,
  status TEXT,
  total_amount DECIMAL(12, 2),
  updated_at TIMESTAMPTZ,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT order_snapshot_pk PRIMARY KEY (order_id, valid_from),
  CONSTRAINT order_snapshot_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.order_snapshot IS 'History of every order from pending over shipped to delivered.';

COMMENT ON COLUMN snapshots.order_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.order_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.order_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.order_snapshot.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS order_snapshot_open_uq ON snapshots.order_snapshot(order_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snapshots.order_snapshot') ON CONFLICT (node) DO NOTHING;
