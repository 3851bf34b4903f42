-- c360gen | postgres | snapshot snapshots.customer_snapshot | from specs/snapshots.yml
-- Do not edit: change the spec and run `c360gen build`. sha256 of what follows: 0151758731c0937f149357e255336d8c58d8dc07a0287419dc5a751e61c679fe

CREATE TABLE IF NOT EXISTS snapshots.customer_snapshot (
  customer_id BIGINT NOT NULL,
  first_name TEXT,
  last_name TEXT,
  email TEXT,
  phone TEXT,
  created_at TIMESTAMPTZ,
  updated_at TIMESTAMPTZ NOT NULL,
  valid_from TIMESTAMPTZ NOT NULL,
  valid_to TIMESTAMPTZ,
  opened_run_id BIGINT NOT NULL,
  closed_run_id BIGINT,
  CONSTRAINT customer_snapshot_pk PRIMARY KEY (customer_id, valid_from),
  CONSTRAINT customer_snapshot_interval_ck CHECK (valid_from < valid_to)
);

COMMENT ON TABLE snapshots.customer_snapshot IS 'History of every customer, one row per version of name, e-mail address and telephone number.';

COMMENT ON COLUMN snapshots.customer_snapshot.customer_id IS 'Key of the customer.';

COMMENT ON COLUMN snapshots.customer_snapshot.updated_at IS 'When the row was last changed.';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_from IS 'First instant of this version (UTC, inclusive).';

COMMENT ON COLUMN snapshots.customer_snapshot.valid_to IS 'First instant after this version (UTC); NULL while it is current.';

COMMENT ON COLUMN snapshots.customer_snapshot.opened_run_id IS 'Run that wrote this version.';

COMMENT ON COLUMN snapshots.customer_snapshot.closed_run_id IS 'Run that closed this version.';

CREATE UNIQUE INDEX IF NOT EXISTS customer_snapshot_open_uq ON snapshots.customer_snapshot(customer_id)
WHERE
  valid_to IS NULL;

INSERT INTO c360_control.state (node) VALUES ('snapshots.customer_snapshot') ON CONFLICT (node) DO NOTHING;
